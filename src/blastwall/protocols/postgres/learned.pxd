# Types of the compiled twin: attributes are fields instead of entries of a dictionary.

cdef class Learned:
    cdef public object queries
    cdef public object parses
    cdef public object binds
    cdef public object shapes
