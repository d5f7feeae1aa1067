from blastwall.recording cimport hashing
from blastwall.wire cimport memory

cdef Py_ssize_t _HASH, _PAYLOAD

cpdef bytes sealed(bytearray room, Py_ssize_t end, long long stream, long long number, bytes previous)

cdef void _put_number(bytearray room, Py_ssize_t at, Py_ssize_t size, long long number) except *
