# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class Bound:
    cdef public long long end
    cdef public long long name
    cdef public long long name_end
    cdef public long long formats
    cdef public long long formats_at
    cdef public long long values
    cdef public long long values_at
    cdef public long long results
    cdef public long long results_at

# By hand: numbers in place.
from blastwall.wire cimport memory

cdef Py_ssize_t _LARGEST, _WHOLE

@cython.locals(data="const unsigned char *", size=Py_ssize_t, end=Py_ssize_t, at=Py_ssize_t)
cpdef bint read_bind(Bound bound, bytes buffer, Py_ssize_t position) except -1

@cython.locals(data="const unsigned char *", value=Py_ssize_t)
cdef Py_ssize_t _int32(bytes buffer, Py_ssize_t at) except? -3

@cython.locals(count=Py_ssize_t, n=Py_ssize_t, place=Py_ssize_t, data="const unsigned char *")
cdef Py_ssize_t _formats(bytes buffer, Py_ssize_t at, Py_ssize_t end) except -2

@cython.locals(length=Py_ssize_t)
cdef Py_ssize_t _values(bytes buffer, Py_ssize_t at, Py_ssize_t end, Py_ssize_t count) except -2

cpdef tuple numbers_at(bytes buffer, Py_ssize_t at, Py_ssize_t count)

@cython.locals(at=Py_ssize_t, length=Py_ssize_t, found=list)
cpdef tuple values_of(Bound bound, bytes buffer)

@cython.locals(at=Py_ssize_t, length=Py_ssize_t, count=Py_ssize_t, formats=tuple)
cpdef tuple recorded(Bound bound, bytes buffer, tuple types)

@cython.locals(data="const unsigned char *")
cdef bint _ascii(bytes buffer, Py_ssize_t at, Py_ssize_t end) except -1
