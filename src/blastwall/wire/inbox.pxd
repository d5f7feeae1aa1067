# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class Inbox:
    cdef public object _data
    cdef public long long _position
    cdef public long long skipping
    cdef public list _parts
    cdef public long long _held
    cdef public long long _wanted
    cdef public object _limit
    cdef public object _limits
    cpdef bint unread(self) except -1
    cpdef object feed(self, data)
    cpdef object feed_first(self, data)
    cpdef object peek(self)
    cpdef object take(self, frame)
    cpdef object skip(self, frame)
