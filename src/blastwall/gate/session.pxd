# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class SessionGate:
    cdef dict __dict__
    cdef public object _shared
    cdef public object _facts
    cdef public object _journal
    cdef public object _meter
    cdef public object _forget
    cdef public object _slot
    cdef public object _login
    cdef public object _login_number
    cdef public object _admitted
    cdef public object _statements
    cdef public object _granted
    cdef public object _timer
    cdef public object _contained
    cdef public object _closed
