# Types of the compiled twin: attributes are fields instead of entries of a dictionary.

cdef class Journal:
    cdef public object _record
    cdef public object _session
    cdef public object _meter
    cdef public object failed
