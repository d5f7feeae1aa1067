# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class Names:
    cdef dict __dict__
    cdef public object _prepared
    cdef public object _portals
    cdef public object _pending_prepared
    cdef public object _pending_portals
    cdef public object _pending_by
    cdef public object _settled
    cdef public object _ahead
