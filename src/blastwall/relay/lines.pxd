# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

cdef class Receiver:
    cpdef object data_received(self, bytes data)
    cpdef object eof_received(self)
    cpdef object connection_lost(self)
    cpdef object pause_writing(self)
    cpdef object resume_writing(self)

@cython.final
cdef class Lines:
    cdef public object _settle
    cdef public object _loop
    cdef public object _epoll
    cdef public dict _by_number
    cdef public long long _number
    cdef public object _events
    cdef public list rooms
    cdef public double now
    cpdef object watch(self, Line line, long long before, long long mask)
    cpdef object _watch_alone(self, Line line, before, mask)
    cpdef object _begin(self)
    cpdef object _end(self)
    @cython.locals(count="long long", line=Line)
    cpdef bint _round(self) except -1

@cython.final
cdef class Line:
    cdef public object socket
    cdef public long long number
    cdef public object loop
    cdef public Lines _lines
    cdef public Receiver _receiver
    cdef public long long _mask
    cdef public bint _reading
    cdef public bint _ended
    cdef public bint _closing
    cdef public bint _lost
    cdef public object _waiting
    cdef public long long _size
    cdef public long long _sent
    cdef public long long _size_read
    cdef public long long _short
    cdef public long long _wanted
    cdef public bint _full
    cpdef object serve(self, long long ready)
    @cython.locals(receiver=Receiver)
    cpdef object _read(self)
    @cython.locals(began=double, took=double)
    cpdef object _report_much(self, Receiver receiver, data)
    cpdef object pause_reading(self)
    cpdef object resume_reading(self)
    cpdef object _watch(self)
    @cython.locals(sent="long long")
    cpdef object write(self, bytes data)
    cpdef object _wait(self, rest)
    @cython.locals(sent="long long")
    cpdef object _send_waiting(self)
    cpdef object close(self)

# By hand: the system's own calls; the masks of epoll, and how much is much, as numbers of C.
from blastwall.relay cimport calls
cdef long long _IN, _OUT, _MUCH
