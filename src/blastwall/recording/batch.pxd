# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class Batch:
    cdef dict __dict__
    cdef public object segment
    cdef public object events
    cdef public object _parts
    cdef public object _noted
    cdef public object _before
