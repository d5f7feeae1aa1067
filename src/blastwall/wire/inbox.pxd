# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class Inbox:
    cdef public object _data
    cdef public object _position
    cdef public object skipping
    cdef public list _parts
    cdef public object _held
    cdef public object _wanted
    cdef public object _limit
    cdef public object _limits
    cpdef object feed(self, data)
    cpdef object feed_first(self, data)
    cpdef object peek(self)
    cpdef object take(self, frame)
    cpdef object skip(self, frame)
