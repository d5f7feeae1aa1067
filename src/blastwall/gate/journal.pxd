# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class Journal:
    cdef dict __dict__
    cdef public object _record
    cdef public object _session
    cdef public object _meter
    cdef public object failed
