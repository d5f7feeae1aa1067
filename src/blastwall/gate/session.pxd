# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.gate.each cimport Carrier
from blastwall.gate.granted cimport Granted
from blastwall.gate.journal cimport Journal
from blastwall.gate.statements cimport Statements
from blastwall.protocols.again cimport Again

@cython.final
cdef class SessionGate:
    cdef public object _shared
    cdef public object _facts
    cdef public Journal _journal
    cdef public object _meter
    cdef public object _forget
    cdef public object _slot
    cdef public dict _answering
    cdef public object _tried
    cdef public object _broken_off
    cdef public object _admitted
    cdef public object _footing
    cdef public Statements _statements
    cdef public Granted _granted
    cdef public object _timer
    cdef public object _contained
    cdef public object _closed
    cpdef object keep(self, end)
    cpdef object ask(self, ask, reply)
    cpdef object carry_again(self, Carrier carrier)
    cpdef bint again(self, Again again) except -1
    cpdef object answered(self, Again again)
    cpdef object _refuse_stranger(self, number, statement, reply)
    cpdef object _ask_login(self, number, login, reply)
    cpdef object _ask_further(self, number, question, reply)
    cpdef object _work_out(self, number, work, reply)
    cpdef object _watch(self, admitted)
    cpdef object withdraw(self, withdraw)
    cpdef object refused(self, refused)
    cpdef object streamed(self, streamed)
    cpdef object exceeded(self, exceeded)
    cpdef object injected(self, injected)
    cpdef object closed(self, reason)
