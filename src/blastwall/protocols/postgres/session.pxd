# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class PostgresSession:
    cdef dict __dict__
    cdef public object _opening
    cdef public object _phase
    cdef public object _numbers
    cdef public object _client
    cdef public object _early
    cdef public object _login
    cdef public object _look_up
    cdef public object _server
    cdef public object _reset
    cdef public object _view
    cdef public object _user
    cdef public object _label
    cdef public object _conversation
    cdef public object _requests
    cdef public object _responses
    cdef public object _lane
    cdef public object _key
    cdef public object _cancels
    cdef public object _sides
    cdef public object _last
