# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.protocols.standing cimport Standing

@cython.final
cdef class Known:
    cdef public Standing standing
    cdef public object classified
    cdef public object rules
    cdef public bint guarded
    cdef public bint ruled
    cdef public bint gives
    cdef public bint ends
    cdef public bint commits
    cdef public object mark
    cdef public object facts
    cdef public bint inside
    cdef public object types
    cdef public object described
    cdef public object fields
    cdef public object plan

@cython.final
cdef class Running:
    cdef public long long number
    cdef public object classified
    cdef public object text
    cdef public object moment
    cdef public object rules
    cdef public bint guarded
    cdef public long long rows
    cdef public long long bytes
    cdef public long long said
    cdef public long long width
    cdef public long long given
    cdef public object plan
    cdef public bint planned
    cdef public object copy
    cdef public object kept
    cdef public bint done
    cdef public bint looked
    cdef public object limit_rows
    cdef public object limit_affected
    cdef public Standing standing

@cython.final
cdef class Prepared:
    cdef public object name
    cdef public object text
    cdef public object classified
    cdef public object types
    cdef public object state
    cdef public object catalog
    cdef public object fields
    cdef public object version
    cdef public bint gone
    cdef public object message
    cdef public Known known

@cython.final
cdef class Pipeline:
    cdef public object _entries
    cdef public object _begin
    cdef public object _copy
    cdef public object segment
    cpdef bint owes_anything(self) except -1
    cpdef object push(self, entry)
    cpdef object pop(self)
    cpdef object drop_to_sync(self)
    cpdef object swallow_syncs(self)
    cpdef object copied(self)
    cpdef object drop_copy_end(self)
