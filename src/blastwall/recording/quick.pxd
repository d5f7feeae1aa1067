cimport cython

from blastwall.wire cimport memory

cdef Py_ssize_t _LONGEST, _MOST, _ROOM
cdef bytes _REPEATED, _FINISHED, _NUMBER, _FIRST, _PARAMETERS, _TEXT, _ROWS, _AFFECTED, _BYTES, _SECONDS, _END, _NULL

@cython.locals(most=Py_ssize_t, n=Py_ssize_t, data="unsigned char *")
cpdef Py_ssize_t put_repeated(
    bytearray room, Py_ssize_t at, double when, long long number, long long first, tuple values, str text
) except -1

cpdef Py_ssize_t put_finished(
    bytearray room, Py_ssize_t at, double when, long long number, long long rows, long long affected, long long size,
    double seconds
) except -1

cdef int _check(bytearray room, Py_ssize_t at) except -1

@cython.locals(size=Py_ssize_t)
cdef Py_ssize_t _put(bytearray room, Py_ssize_t at, bytes text) except -1

cdef long long _micros(double seconds) noexcept

cdef Py_ssize_t _put_string(bytearray room, Py_ssize_t at, str text, Py_ssize_t most) except -1
