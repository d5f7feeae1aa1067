# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class NodeLog:
    cdef dict __dict__
    cdef public object chain
    cdef public object live
    cdef public object _folder
    cdef public object _key
    cdef public object _limit
    cdef public object _clock
    cdef public object _next
    cdef public object _keyring
    cdef public object ciphers
    cdef public object _batch
    cdef public object _owed
    cdef public object _covered
    cdef public object ended
