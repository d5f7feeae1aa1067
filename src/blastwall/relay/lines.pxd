# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class Lines:
    cdef public object _settle
    cdef public object _loop
    cdef public object _epoll
    cdef public object _by_number
    cdef public object buffer
    cdef public object view
    cpdef object watch(self, line, before, mask)
    cpdef object _watch_alone(self, line, before, mask)
    cpdef object _begin(self)
    cpdef object _end(self)

@cython.final
cdef class Line:
    cdef public object socket
    cdef public object number
    cdef public object loop
    cdef public Lines _lines
    cdef public object _receiver
    cdef public object _mask
    cdef public object _reading
    cdef public object _ended
    cdef public object _closing
    cdef public object _lost
    cdef public object _waiting
    cdef public object _size
    cdef public object _full
    cpdef object serve(self, ready)
    cpdef object _read(self)
    cpdef object pause_reading(self)
    cpdef object resume_reading(self)
    cpdef object _watch(self)
    cpdef object _wait(self, rest)
    cpdef object _send_waiting(self)
    cpdef object close(self)
