cimport cython

from blastwall.masking.fast.hits cimport Hits
from blastwall.wire cimport memory

cdef int _AT, _QUOTE, _APOSTROPHE, _DOT, _DASH
cdef bytes _LOCAL, _LABEL

@cython.locals(
    data="const unsigned char *", low=Py_ssize_t, at=Py_ssize_t, begin=Py_ssize_t, end=Py_ssize_t, room=Py_ssize_t
)
cpdef bint find_emails(
    bytes buffer, Py_ssize_t start, Py_ssize_t stop, Hits hits, Py_ssize_t by
) except -1

@cython.locals(
    data="const unsigned char *", table="const unsigned char *", begin=Py_ssize_t, place=Py_ssize_t, byte="unsigned char"
)
cpdef Py_ssize_t local_begin(bytes buffer, Py_ssize_t low, Py_ssize_t at) except -1

@cython.locals(
    data="const unsigned char *", table="const unsigned char *", place=Py_ssize_t, label=Py_ssize_t, best=Py_ssize_t,
    end=Py_ssize_t,
)
cpdef Py_ssize_t domain_end(bytes buffer, Py_ssize_t at, Py_ssize_t stop) except -1

@cython.locals(data="const unsigned char *", place=Py_ssize_t)
cdef Py_ssize_t _top_level_end(bytes buffer, Py_ssize_t at, Py_ssize_t stop) except -1

cdef bint _letter(unsigned char byte) noexcept
