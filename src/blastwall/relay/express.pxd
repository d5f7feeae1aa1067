# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.relay.stream cimport Stream

@cython.final
cdef class Express:
    cdef public object _pump
    cdef public object _session
    cdef public object _gate
    cdef public object _meter
    cdef public object _timed
    cdef public Stream _client
    cdef public Stream _upstream
    cdef public object _time
    cdef public object _send
    cdef public object _reply
    cdef public object heard
    cpdef object take(self, side, data)
    cpdef object _repeat(self, data)
    cpdef object _answer(self, data)
    cpdef object leave(self)
