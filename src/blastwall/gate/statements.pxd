# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class Statements:
    cdef dict __dict__
    cdef public object _shared
    cdef public object _facts
    cdef public object _journal
    cdef public object _meter
    cdef public object _subject
    cdef public object _granted
    cdef public object _deadline
    cdef public object _over
    cdef public object _purse
    cdef public object _streamed
    cdef public object _waiting
    cdef public object _running
    cdef public object _holds
