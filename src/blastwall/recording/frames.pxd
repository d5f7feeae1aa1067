from blastwall.recording cimport hashing
from blastwall.wire cimport memory

cdef Py_ssize_t _HASH, _HEADER

cpdef bytes sealed(
    bytearray room, Py_ssize_t at, Py_ssize_t end, long long stream, long long number, bytes previous
)
