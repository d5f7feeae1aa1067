# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.gate.each cimport Purse

@cython.final
cdef class StoredBudgets:
    cdef public object _table
    cdef public object _containment
    cdef public object _now
    cdef public object _bounds
    cdef public long long generation
    cdef public dict _tallies
    cdef public object _read
    cdef public dict _spent
    cdef public dict _containing
    cdef public object _task
    cdef public object _forgotten
    cdef public object _flushing
    cdef public object _presences
    cdef public object quarantines
    cpdef object reconfigure(self, bounds, limited=*)
    cpdef object login(self, principal)
    cpdef object elsewhere(self, principal)
    cpdef StoredPurse purse(self, principal, resource)
    cpdef object spent(self, who)
    cpdef object bound(self, principal, resource)
    cpdef object _tally(self, account)
    cpdef object overspent(self, principal, bound, tally, place)

cdef class StoredPurse(Purse):
    cdef public StoredBudgets _budgets
    cdef public object _principal
    cdef public object _resource
    cdef public object _who
    cdef public list _bounds
    cdef public object _tallies
    cdef public long long _generation
    cpdef object ask(self)
    cpdef object spent(self)
    cpdef object spend(self, long long rows_read, long long rows_changed, long long masked_cells, long long bytes_out)
    cpdef object _current(self)
