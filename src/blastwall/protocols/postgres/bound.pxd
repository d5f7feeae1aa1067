# Types of the compiled twin: attributes are fields instead of entries of a dictionary.

cdef class Bound:
    cdef public object end
    cdef public object statement
    cdef public object formats
    cdef public object values
    cdef public object results
