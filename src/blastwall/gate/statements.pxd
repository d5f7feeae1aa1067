# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.gate.each cimport Awaiting
from blastwall.gate.each cimport Carrier
from blastwall.gate.each cimport Cutoff
from blastwall.gate.each cimport EachMeter
from blastwall.gate.each cimport Generation
from blastwall.gate.each cimport Purse
from blastwall.gate.granted cimport Granted
from blastwall.gate.journal cimport Journal
from blastwall.protocols.again cimport Again
from blastwall.protocols.standing cimport Standing

cdef class Answered(Standing):
    cdef public long long first
    cdef public object statement
    cdef public long long generation
    cdef public long long part
    cdef public bint shown
    cdef public bint runs
    cdef public object allow

cdef class Statements(Awaiting):
    cdef public object _shared
    cdef public object _facts
    cdef public Generation _generation
    cdef public Journal _journal
    cdef public object _meter
    cdef public EachMeter _each
    cdef public object _subject
    cdef public object _principal
    cdef public object _containment
    cdef public Cutoff _cutoff
    cdef public long long _free
    cdef public object _clock
    cdef public object _steady
    cdef public bint _by_wall
    cdef public Granted _granted
    cdef public object _deadline
    cdef public object _over
    cdef public Purse _purse
    cdef public dict _streamed
    cdef public dict _waiting
    cdef public dict _running
    cdef public dict _holds
    cdef public object _footing
    cdef public dict _refreshing
    cdef public Again _again
    cdef public long long _asked
    cdef public double _asked_at
    cdef public long long _runs
    cdef public double _runs_since
    cdef public Carrier _carrier
    cpdef object ask(self, number, statement, reply)
    cpdef object _answer_asked(self, question, asked, redacted)
    cpdef object _later(self, asked, work)
    cpdef object _go_on(self, question, answer)
    cpdef object _judge(self, question, asked, redacted)
    cpdef object _refuse(self, question, asked, answer)
    cpdef object repeat(self, number, repeat, reply)
    cpdef object _repeated(self, number, repeat, now)
    cpdef bint _stands(self, Answered standing) except -1
    cpdef bint _may_repeat(self) except -1
    cpdef object carry_again(self, Carrier carrier)
    @cython.locals(now=double)
    cpdef bint again(self, Again again) except -1
    cpdef double _time(self) except? -1
    @cython.locals(main=Answered, parse=Answered)
    cpdef bint _record_again(self, Again again, double now) except -1
    cpdef object _redacted(self, Again again, like)
    @cython.locals(again=Again, carrier=Carrier)
    cpdef object recorded(self, failure)
    cpdef object _run(self, number, asked_at)
    cpdef object _run_again(self, long long number)
    @cython.locals(since=double)
    cpdef double _ran_since(self, long long number, double now) except? -1
    cpdef bint _leave(self, long long number) except -1
    cpdef object _waits(self, statement)
    cpdef object _throttled(self, statement)
    @cython.locals(edition="long long")
    cpdef object _cut(self)
    cpdef object _rule(self, statement)
    cpdef object _break(self, number, reply)
    cpdef object _held(self, question, asked, redacted, ruling)
    cpdef object _release(self, waiting, outcome, unable)
    cpdef object _withdrawal(self, number, outcome)
    @cython.locals(now=double)
    cpdef object answered(self, Again again)
    @cython.locals(began=double, seconds=double)
    cpdef object _end(self, long long number, double now, long long rows, long long affected, long long size)
    cpdef object streamed(self, streamed)
    cpdef object _spend(self, long long number, long long rows, long long affected, long long masked, long long size)
    cpdef object exceeded(self, exceeded)
    cpdef object refused(self, refused)
    cpdef object close(self, contained)
    cpdef object _note(self, events)
    cpdef object unrecorded(self, failure)

# By hand: the clock.
from blastwall cimport clocks
