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
    cdef public object _catch_up
    cdef public object _loop
    cdef public object _epoll
    cdef public list _by_number
    cdef public long long _watched
    cdef public long long _number
    cdef public list _heard
    cdef public list _little
    cdef public bint gathers
    cdef public object _events
    cdef public list rooms
    cdef public double now
    cpdef object watch(self, Line line, long long before, long long mask)
    cpdef object _watch_alone(self, Line line, before, mask)
    cpdef object settle_round(self)
    cpdef object _begin(self)
    cpdef object _end(self)
    @cython.locals(count="long long", place="long long")
    cpdef bint _round(self) except -1
    @cython.locals(held="long long", known="long long", number="long long", line=Line)
    cpdef long long _read_some(self, long long place, long long count) except *
    @cython.locals(done="long long", line=Line)
    cpdef object _take_all(self)
    cpdef object wait_little(self, Line line)
    @cython.locals(line=Line)
    cpdef object send_little(self)

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
    cdef public object _came
    cdef public bytes _little
    cdef public long long _size_read
    cdef public long long _short
    cdef public long long _wanted
    cdef public bint _full
    cpdef bint hear(self, long long ready) except -1
    cpdef object _receive(self)
    cpdef long long held(self) except *
    @cython.locals(receiver=Receiver)
    cpdef object take(self)
    @cython.locals(began=double, took=double)
    cpdef object _report_much(self, Receiver receiver, data)
    cpdef object pause_reading(self)
    cpdef object resume_reading(self)
    cpdef object _watch(self)
    cpdef object write(self, bytes data)
    cpdef object send_little(self)
    @cython.locals(sent="long long")
    cpdef object _send(self, bytes data)
    cpdef object _wait(self, rest)
    @cython.locals(sent="long long")
    cpdef object _send_waiting(self)
    cpdef object close(self)

# By hand: the system's own calls; the masks of epoll, and how much is much, as numbers of C.
from blastwall.relay cimport calls
cdef long long _IN, _OUT, _MUCH
