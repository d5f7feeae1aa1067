# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.gate.each cimport Cutoff

cdef class StoredContainment(Cutoff):
    cdef public object _table
    cdef public object _now
    cdef public object _monotonic
    cdef public bint _by_monotonic
    cdef public dict _in_force
    cdef public dict _spoiled
    cdef public set _lifts
    cdef public object _changes
    cdef public long long _edition
    cdef public double _read_at
    cdef public object _looked
    cdef public long long _failed
    cdef public dict _live
    cdef public object _task
    @cython.locals(now=double, read_before=double)
    cpdef long long edition(self) except *
    cpdef object against(self, principal, resource=*)
    cpdef object revoked(self, pass_id)
    cpdef object watch(self, live)
    cpdef object unwatch(self, session)
    cpdef object _tell_looked(self)
    cpdef object _cause(self, live)

# By hand: the clock, and the bound as a number of C.
from blastwall cimport clocks
cdef double _BLIND_AFTER
