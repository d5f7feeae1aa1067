# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class Present:
    cdef public object mark
    cdef public bint quiet
