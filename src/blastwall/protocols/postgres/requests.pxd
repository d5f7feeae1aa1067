# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class Requests:
    cdef dict __dict__
    cdef public object _learned
    cdef public object _shared
    cdef public object _inbox
    cdef public object ended
    cdef public object goodbye
    cdef public object _blocked
    cdef public object _postponed
