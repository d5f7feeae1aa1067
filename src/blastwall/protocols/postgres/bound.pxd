# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class Bound:
    cdef dict __dict__
    cdef public object end
    cdef public object statement
    cdef public object formats
    cdef public object values
    cdef public object results
