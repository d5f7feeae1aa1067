# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.protocols.postgres.conversation cimport Conversation
from blastwall.protocols.postgres.pipeline cimport Running
from blastwall.protocols.postgres.rows cimport Rows

@cython.final
cdef class Responses:
    cdef public Conversation _shared
    cdef public bytes carry
    cdef public list _parts
    cdef public object _held
    cdef public object _wanted
    cdef public long long passing
    cdef public Rows rows
    cdef public list _ran
    cdef public object _failed
    cdef public bint catalog_changed
    cdef public object _paused
    cdef public object farewell
    cdef public object _cancelled
    cpdef object resume(self)
    cpdef object receive(self, data)
    cpdef object _walk(self, buffer, position, outputs)
    cpdef object _take_rows(self, kind, length, buffer, position)
    cpdef object _pass_rows(self, kind, length, buffer, position)
    cpdef object _check_size(self, length)
    cpdef object _message(self, kind, buffer, position, end)
    cpdef object _pop(self)
    cpdef object _described(self, entry, fields)
    cpdef object _counted(self, Running running, body, tag, affected)
    cpdef object _read_catalog(self, after)
    cpdef object explain_cancel(self, reason)
    cpdef object _explained(self, entry, fields)
    cpdef object _fail_segment(self, reason, after)
    cpdef object _told(self, body, kind, entry)
    cpdef object replay(self, kind, body)
    cpdef object give_up(self, portal, after)
    cpdef object _close_portals(self, after)
