# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.protocols.postgres.conversation cimport Conversation
from blastwall.protocols.postgres.learned cimport Learned
from blastwall.protocols.postgres.pipeline cimport Prepared
from blastwall.wire.inbox cimport Inbox

@cython.final
cdef class Requests:
    cdef public Learned _learned
    cdef public Conversation _shared
    cdef public Inbox _inbox
    cdef public object ended
    cdef public object goodbye
    cdef public object _blocked
    cdef public object _postponed
    cpdef bint unread(self) except -1
    cpdef object receive(self, data)
    cpdef object put_first(self, data)
    cpdef object receive_first(self, data)
    cpdef object go_on(self)
    cpdef object _must_wait(self, kind)
    cpdef object _handle(self, frame, outputs)
    cpdef object _do(self, handler, message, outputs)
    cpdef object give_up(self, code, reason)
    cpdef object _full(self, named)
    cpdef object _oversized(self, frame, outputs)
    cpdef object _one(self, text, state)
    cpdef object _judge_anew(self, Prepared prepared)
    cpdef object _run(self, portal, rows, message, outputs)
