# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.gate.journal cimport Journal

@cython.final
cdef class Statements:
    cdef public object _shared
    cdef public object _facts
    cdef public Journal _journal
    cdef public object _meter
    cdef public object _subject
    cdef public object _granted
    cdef public object _deadline
    cdef public object _over
    cdef public object _purse
    cdef public object _streamed
    cdef public object _waiting
    cdef public object _running
    cdef public object _holds
    cdef public object _footing
    cdef public object _refreshing
    cpdef object ask(self, number, statement, reply)
    cpdef object _answer_asked(self, question, asked, redacted)
    cpdef object _judge(self, question, asked, redacted)
    cpdef object _refuse(self, question, asked, answer)
    cpdef object repeat(self, number, repeat, reply)
    cpdef object again(self, asks, granted, reply)
    cpdef object _repeated(self, asks, now)
    cpdef object _run(self, number, asked_at)
    cpdef object _waits(self, statement)
    cpdef object _throttled(self, statement)
    cpdef object _cut(self)
    cpdef object _rule(self, statement)
    cpdef object _break(self, number, reply)
    cpdef object _held(self, question, asked, redacted, ruling)
    cpdef object _release(self, waiting, outcome, unable)
    cpdef object _withdrawal(self, number, outcome)
    cpdef object finished(self, finished)
    cpdef object streamed(self, streamed)
    cpdef object _spend(self, number, rows, affected, masked, size)
    cpdef object exceeded(self, exceeded)
    cpdef object refused(self, refused)
    cpdef object close(self, contained)
    cpdef object _note(self, events)
