# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class Conversation:
    cdef dict __dict__
    cdef public object opening
    cdef public object database
    cdef public object companion
    cdef public object names
    cdef public object elsewhere
    cdef public object pipeline
    cdef public object status
    cdef public object waiting
    cdef public object discarding
    cdef public object refreshing
    cdef public object touched
    cdef public object keeps
    cdef public object limits
    cdef public object rules
    cdef public object label
    cdef public object application
    cdef public object _view
    cdef public object _numbers
    cdef public object _guard
    cdef public object spoiled
    cdef public object _read_under
    cdef public object _facts
