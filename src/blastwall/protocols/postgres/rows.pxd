# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.protocols.postgres.conversation cimport Conversation
from blastwall.protocols.postgres.pipeline cimport Running

@cython.final
cdef class Rows:
    cdef public Conversation _shared
    cdef public Running running
    cdef public object _unknown
    cpdef object pass_run(self, kind, buffer, position)
    cpdef object mask_run(self, Running running, plan, buffer, position)
    cpdef object mask_copy(self, Running running, mask, buffer, position)
    cpdef object _count_run(self, rows, size)
    cpdef object masked(self, kind, body)
    cpdef object streamed(self)
    cpdef object forget_unknown(self)
    cpdef object describe(self, Running running, fields, formats)
    cpdef object _look(self, Running running)
    cpdef object copy_settled(self, Running running)
    cpdef object _want(self, tables)
    cpdef Running _receiver(self, kind)
    cpdef object _describe_portal(self, portal, Running running)
