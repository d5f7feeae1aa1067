# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.relay.lines cimport Line
from blastwall.relay.tls cimport Tls

@cython.final
cdef class Stream:
    cdef public object side
    cdef public object owner
    cdef public object express
    cdef public Line _line
    cdef public Tls _tls
    cdef public object _spans
    cdef public object _blocked
    cdef public object _held_up
    cdef public object _ended
    cdef public object _closed
    cdef public object paused
    cpdef object connected(self, line)
    cpdef object data_received(self, data)
    cpdef object _receive(self, data)
    cpdef object eof_received(self)
    cpdef object connection_lost(self)
    cpdef object pause_writing(self)
    cpdef object resume_writing(self)
    cpdef object _block(self, blocked)
    cpdef object _end(self)
    cpdef object start_tls(self, tls, initial)
    cpdef object _decrypt(self, tls, data)
    cpdef object _fail(self, tls, reason)
    cpdef object queue(self, data)
    cpdef object send(self, data)
    cpdef object flush(self)
    cpdef object _write(self, data)
    cpdef object pause(self, paused)
    cpdef object check_left(self)
    cpdef object close(self)
