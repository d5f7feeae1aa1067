# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

cdef class Standing:
    pass
