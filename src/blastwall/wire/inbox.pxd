# Types of the compiled twin: attributes are fields instead of entries of a dictionary.

cdef class Inbox:
    cdef public object _data
    cdef public object _position
    cdef public object _skipping
    cdef public object _limit
    cdef public object _limits
