# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class Inbox:
    cdef dict __dict__
    cdef public object _data
    cdef public object _position
    cdef public object skipping
    cdef public object _parts
    cdef public object _held
    cdef public object _wanted
    cdef public object _limit
    cdef public object _limits
