# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class Learned:
    cdef dict __dict__
    cdef public object queries
    cdef public object parses
    cdef public object binds
    cdef public object shapes
