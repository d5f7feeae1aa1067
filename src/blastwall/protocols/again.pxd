# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.protocols.standing cimport Standing

@cython.final
cdef class Again:
    cdef public long long number
    cdef public Standing standing
    cdef public object values
    cdef public bint opaque
    cdef public object text
    cdef public object like
    cdef public long long parse
    cdef public Standing parsing
    cdef public long long rows
    cdef public long long affected
    cdef public long long size
    cdef public object finished
    cdef public object more
    cpdef object begin(self, long long number, Standing standing, values)
    cpdef object asks(self)

cdef class Repeating:
    cpdef Again repeated(self, bytes data)
    cpdef object granted(self)
    cpdef Again answered(self, bytes data)
