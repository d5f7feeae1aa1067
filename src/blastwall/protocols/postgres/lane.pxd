# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.protocols.again cimport Again
from blastwall.protocols.postgres.bound cimport Bound
from blastwall.protocols.postgres.conversation cimport Conversation
from blastwall.protocols.postgres.conversation cimport Waiting
from blastwall.protocols.postgres.learned cimport Learned
from blastwall.protocols.postgres.learned cimport Similar
from blastwall.protocols.postgres.naming cimport Names
from blastwall.protocols.postgres.pipeline cimport Known
from blastwall.protocols.postgres.pipeline cimport Prepared
from blastwall.protocols.postgres.pipeline cimport Running
from blastwall.protocols.postgres.plain_answers cimport Plain
from blastwall.protocols.postgres.requests cimport Requests
from blastwall.protocols.postgres.responses cimport Responses

@cython.final
cdef class Lane:
    cdef public Conversation _shared
    cdef public Learned _learned
    cdef public Requests _requests
    cdef public Responses _responses
    cdef public object _state
    cdef public object _bare
    cdef public object _facts
    cdef public bint open
    cdef public Waiting _asked
    cdef public Running _spare_running
    cdef public Again _spare_again
    cdef public Waiting _spare_waiting
    cdef public Bound _spare_bound
    cdef public Plain _found
    cdef public object _named
    cdef public bytes _name
    cdef public long long _changed
    cdef public bytes _last_tag
    cdef public list _more
    cdef public list _seen
    cdef public Similar _similar
    cdef public object _stated
    cdef public bytes _data
    cdef public bytes _steps
    cdef public long long _at
    cdef public Known _known
    cdef public Again _again
    cdef public Running _main
    cdef public Running _parse
    cdef public Prepared _prepared
    cdef public Bound _bound
    cdef public object _tag
    cdef public bint _planned
    cdef public object _plan
    cpdef object _set_out(self, bytes data, bytes steps, Known known)
    @cython.locals(shared=Conversation, inside=bint)
    cpdef bint _holds(self, Known known) except -1
    cpdef object _note_state(self)
    @cython.locals(shared=Conversation, kind="long long")
    cpdef Again client(self, bytes data)
    @cython.locals(known=Known, main=Running)
    cpdef Again _simple(self, bytes data)
    @cython.locals(end="long long", one=Similar, known=Known, main=Running, again=Again)
    cpdef Again _like(self, bytes data)
    cpdef Similar _find_like(self, bytes data, text, shaped)
    @cython.locals(position="long long", parsed=Known, bound=Bound, described=bint, prepared=Prepared, known=Known)
    cpdef Again _extended(self, bytes data, long long kind)
    cpdef Prepared _prepared_by(self, Bound bound, bytes data)
    @cython.locals(bound=Bound, main=Running, again=Again)
    cpdef Again _ask_bound(self, bytes data, Known known, Prepared prepared, bint described)
    @cython.locals(bound=Bound, parse=Running, prepared=Prepared, main=Running, again=Again)
    cpdef Again _parse_too(self, bytes data, bytes message, Known parsed, Known known, bint described)
    @cython.locals(running=Running)
    cpdef Running _run(self, Known known)
    @cython.locals(again=Again)
    cpdef Again _repeat(self, Running main, Known known, values)
    @cython.locals(waiting=Waiting)
    cpdef Again _ask(self, running, Again again, bint extended)
    cpdef object _let_go(self, Running main, Again again)
    cpdef object give_up(self)
    @cython.locals(waiting=Waiting)
    cpdef object granted(self)
    @cython.locals(shared=Conversation, known=Known)
    cpdef object _go(self)
    @cython.locals(responses=Responses, main=Running, again=Again, found=Plain, affected="long long")
    cpdef Again answered(self, bytes data)
    cpdef long long _affected(self, Plain found, bytes data) except *
    @cython.locals(known=Known, main=Running)
    cpdef bint _passes(self, Plain found, bytes data) except -1
    cpdef object _gives_rows(self)
    cpdef object _pass_rows(self, buffer, position, end)
    cpdef object streamed(self, stride=*)
    cpdef object _step(self, kind, body)
    @cython.locals(main=Running, prepared=Prepared, bound=Bound, known=Known)
    cpdef bint _plan_bound(self) except -1
    cpdef object _finish(self, buffer, start, position, outputs)
    @cython.locals(shared=Conversation, names=Names, known=Known, idle=bint, alone=bint)
    cpdef bint _settle(self, Running main, bytes status, outputs) except -1
    cpdef object leave(self)
    cpdef object _push(self, entry)
    cpdef object _push_extended(self, Running main)
    cpdef object _portal(self, Running main)
    cpdef object _replay(self, Running main)
    cpdef object _leave_at(self, buffer, start, position, outputs)

# By hand: what is called, and compared, for each statement.
from blastwall.protocols.postgres.bound cimport numbers_at, read_bind, recorded, values_of
from blastwall.protocols.postgres.plain_answers cimport plain_answer
from blastwall.wire cimport memory

cdef long long _D, _P, _B, _E, _Q, _I, _HEADER
cdef bytes _IDLE, _INSIDE
cdef bytes _DESCRIBED_ENDING, _ENDING, _DESCRIBED_STEPS, _BOUND_STEPS

@cython.locals(value=object)
cdef bint _opaque(tuple values) except -1
