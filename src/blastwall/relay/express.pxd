# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.gate.each cimport Carrier
from blastwall.gate.each cimport EachMeter
from blastwall.gate.session cimport SessionGate
from blastwall.protocols.again cimport Again
from blastwall.protocols.again cimport Repeating
from blastwall.relay.lines cimport Lines
from blastwall.relay.stream cimport Shortcut
from blastwall.relay.stream cimport Stream
from blastwall.relay.turn cimport Turn

cdef class Express(Shortcut):
    cdef public object _pump
    cdef public Turn _turn
    cdef public Repeating _session
    cdef public SessionGate _gate
    cdef public EachMeter _meter
    cdef public object _timed
    cdef public Stream _client
    cdef public Stream _upstream
    cdef public Lines _lines
    cdef public object _reply
    cdef public double heard
    cpdef bint take(self, bint from_client, bytes data) except -1
    @cython.locals(again=Again)
    cpdef bint _repeat(self, bytes data) except -1
    cpdef bint send_granted(self) except -1
    cpdef object bring(self, long long number, answer)
    @cython.locals(again=Again)
    cpdef bint _answer(self, bytes data) except -1
    cpdef object leave(self)

cdef class Granting(Carrier):
    cdef public Express _express
    cpdef bint send_granted(self) except -1
    cpdef object bring(self, long long number, answer)
