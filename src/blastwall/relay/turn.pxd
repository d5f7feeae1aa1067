# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class Turn:
    cdef public object calls
    cdef public bint draining
    cdef public bint closing
    cpdef bint busy(self) except -1
