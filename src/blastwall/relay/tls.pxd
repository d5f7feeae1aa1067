# Types of the compiled twin: attributes are fields instead of entries of a dictionary.

cdef class Tls:
    cdef public object _incoming
    cdef public object _outgoing
    cdef public object _object
    cdef public object _peer
    cdef public object established
    cdef public object ended
