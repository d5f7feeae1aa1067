# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.protocols.postgres.pipeline cimport Running

@cython.final
cdef class Names:
    cdef public object party
    cdef public object _doubted
    cdef public dict _prepared
    cdef public dict _portals
    cdef public dict _pending_prepared
    cdef public dict _pending_portals
    cdef public dict _pending_by
    cdef public object _settled
    cdef public object _ahead
    cdef public object _weight
    cpdef object let_go(self)
    cpdef object recover(self)
    cpdef object portals(self)
    cpdef object sent_parse(self, prepared)
    cpdef object failed_parse(self, prepared)
    cpdef object sent_bind(self, portal)
    cpdef object failed_bind(self, portal)
    cpdef object closed(self, named_)
    cpdef object completed(self, Running running)
    cpdef object answered(self, Running running)
    cpdef object follow_search_path(self, path)
