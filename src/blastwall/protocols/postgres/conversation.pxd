# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.protocols.postgres.naming cimport Names
from blastwall.protocols.postgres.pipeline cimport Pipeline
from blastwall.protocols.postgres.pipeline cimport Running
from blastwall.protocols.postgres.present cimport Present

@cython.final
cdef class Waiting:
    cdef public object running
    cdef public object release
    cdef public object extended
    cdef public object verdict
    cdef public set allowed
    cdef public bint held
    cdef public bint stale

@cython.final
cdef class Conversation:
    cdef public object opening
    cdef public object database
    cdef public object companion
    cdef public Names names
    cdef public object elsewhere
    cdef public Pipeline pipeline
    cdef public bytes status
    cdef public Waiting waiting
    cdef public bint discarding
    cdef public object refreshing
    cdef public bint cancelling
    cdef public bint touched
    cdef public object keeps
    cdef public object limits
    cdef public object rules
    cdef public object label
    cdef public object application
    cdef public object exchange
    cdef public Present present
    cdef public object party
    cdef public object _view
    cdef public object _numbers
    cdef public object _guard
    cdef public object spoiled
    cdef public object _read_under
    cdef public object _facts
    cpdef object guard(self, rules)
    cpdef object classify(self, text, state=*)
    cpdef object next_number(self)
    cpdef object withdraw(self, code, reason)
    cpdef object reconsider(self)
    cpdef object let_go(self)
    cpdef object withdrawn(self)
    cpdef object send(self, message, own, running, outputs)
    cpdef object refuse_allowed(self, Running running, reason, outputs)
    cpdef object refuse_unasked(self, code, message, outputs)
    cpdef object refresh(self, outputs)
    cpdef object _allowed(self, Waiting waiting, Running one, answer, outputs)
    cpdef object _means_otherwise(self, Waiting waiting)
