# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.relay.lines cimport Line
from blastwall.relay.lines cimport Receiver
from blastwall.relay.tls cimport Tls

cdef class Shortcut:
    cpdef bint take(self, bint from_client, bytes data) except -1

cdef class Stream(Receiver):
    cdef public object side
    cdef public bint _from_client
    cdef public object owner
    cdef public Shortcut express
    cdef public Line _line
    cdef public Tls _tls
    cdef public list _spans
    cdef public bint _blocked
    cdef public bint _held_up
    cdef public bint _ended
    cdef public bint _closed
    cdef public bint paused
    cpdef object connected(self, Line line)
    cpdef object data_received(self, bytes data)
    @cython.locals(express=Shortcut)
    cpdef object _receive(self, bytes data)
    cpdef object eof_received(self)
    cpdef object connection_lost(self)
    cpdef object pause_writing(self)
    cpdef object resume_writing(self)
    cpdef object _block(self, blocked)
    cpdef object _end(self)
    cpdef object start_tls(self, Tls tls, initial)
    @cython.locals(established=bint, plain=bytes)
    cpdef object _decrypt(self, Tls tls, bytes data)
    cpdef object _fail(self, Tls tls, reason)
    cpdef object queue(self, data)
    cpdef object send(self, bytes data)
    @cython.locals(tls=Tls)
    cpdef object flush(self)
    cpdef object _write(self, bytes data)
    cpdef object pause(self, paused)
    cpdef object check_left(self)
    cpdef object close(self)
