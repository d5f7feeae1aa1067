# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class Plain:
    cdef public long long rows
    cdef public long long size
    cdef public long long start
    cdef public long long stop
    cdef public long long tag
    cdef public long long tag_end

# By hand: the walk over an answer's messages.
cdef long long _HEADER
cdef bytes _MOVES

@cython.locals(
    buffer="const unsigned char *", size=Py_ssize_t, position=Py_ssize_t, at=Py_ssize_t, rows=Py_ssize_t,
    passed=Py_ssize_t, last=Py_ssize_t, start=Py_ssize_t, stop=Py_ssize_t, tag=Py_ssize_t, tag_end=Py_ssize_t,
    length=Py_ssize_t, end=Py_ssize_t, kind=Py_ssize_t, moves=Py_ssize_t,
    table="const unsigned char *", step=Py_ssize_t, status=Py_ssize_t,
)
cpdef bint plain_answer(bytes data, bytes steps, Plain found) except -1
