# Types of the compiled twin: attributes are fields instead of entries of a dictionary.

cdef class Rows:
    cdef public object _shared
    cdef public object running
    cdef public object _unknown
