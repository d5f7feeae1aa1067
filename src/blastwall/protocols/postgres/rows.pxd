# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class Rows:
    cdef dict __dict__
    cdef public object _shared
    cdef public object running
    cdef public object _unknown
