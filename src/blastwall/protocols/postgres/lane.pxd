# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class Lane:
    cdef dict __dict__
    cdef public object _shared
    cdef public object _learned
    cdef public object _requests
    cdef public object _responses
    cdef public object _state
    cdef public object _bare
    cdef public object _facts
    cdef public object open
    cdef public object _asked
    cdef public object _data
    cdef public object _steps
    cdef public object _at
    cdef public object _known
    cdef public object _main
    cdef public object _parse
    cdef public object _prepared
    cdef public object _bound
    cdef public object _seen
    cdef public object _tag
    cdef public object _planned
    cdef public object _plan
