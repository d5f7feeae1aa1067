# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class Responses:
    cdef dict __dict__
    cdef public object _shared
    cdef public object carry
    cdef public object _parts
    cdef public object _held
    cdef public object _wanted
    cdef public object passing
    cdef public object rows
    cdef public object _ran
    cdef public object _failed
    cdef public object catalog_changed
    cdef public object _paused
    cdef public object farewell
    cdef public object _cancelled
