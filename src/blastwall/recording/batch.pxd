# Types of the compiled twin: attributes are fields instead of entries of a dictionary.

cdef class Batch:
    cdef public object segment
    cdef public object events
    cdef public object _parts
    cdef public object _noted
    cdef public object _before
