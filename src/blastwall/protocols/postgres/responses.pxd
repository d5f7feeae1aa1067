# Types of the compiled twin: attributes are fields instead of entries of a dictionary.

cdef class Responses:
    cdef public object _shared
    cdef public object carry
    cdef public object passing
    cdef public object _dirty
    cdef public object rows
    cdef public object _ran
    cdef public object _failed
    cdef public object catalog_changed
    cdef public object _paused
    cdef public object farewell
    cdef public object _cancelled
    cdef public object _handlers
