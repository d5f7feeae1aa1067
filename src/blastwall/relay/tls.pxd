# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class Tls:
    cdef dict __dict__
    cdef public object _object
    cdef public object _peer
    cdef public object established
    cdef public object ended
    cdef public object _incoming
    cdef public object _outgoing
