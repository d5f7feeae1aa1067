# Types of the compiled twin: attributes are fields instead of entries of a dictionary.

cdef class Statements:
    cdef public object _shared
    cdef public object _facts
    cdef public object _journal
    cdef public object _meter
    cdef public object _subject
    cdef public object _deadline
    cdef public object _over
    cdef public object _waiting
    cdef public object _running
    cdef public object _holds
