# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.protocols.postgres.pipeline cimport Prepared
from blastwall.protocols.postgres.pipeline cimport Running
from blastwall.protocols.postgres.present cimport Present

@cython.final
cdef class Names:
    cdef public Present _present
    cdef public object _beside
    cdef public object _doubted
    cdef public dict _prepared
    cdef public dict _portals
    cdef public dict _pending_prepared
    cdef public dict _pending_portals
    cdef public dict _pending_by
    cdef public object _settled
    cdef public object _ahead
    cdef public object _weight
    cpdef object join(self, Present present, beside)
    cpdef object let_go(self)
    cpdef object meaning(self)
    cpdef object recover(self)
    @cython.locals(found=Prepared)
    cpdef Prepared prepared_as(self, name)
    cpdef object portals(self)
    cpdef bint any_portals(self) except -1
    cpdef object sent_parse(self, Prepared prepared)
    cpdef object parsed(self, Prepared prepared)
    cpdef object failed_parse(self, Prepared prepared)
    cpdef object sent_bind(self, portal)
    cpdef object bound(self, portal)
    cpdef object failed_bind(self, portal)
    cpdef object closed(self, named_)
    cpdef object completed(self, Running running)
    cpdef object answered(self, Running running)
    cpdef object follow_search_path(self, path)
    cpdef object forget_unnamed_statement(self)
