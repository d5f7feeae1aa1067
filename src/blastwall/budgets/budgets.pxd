# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.gate.each cimport Purse

cdef class StoredPurse(Purse):
    cdef public object _budgets
    cdef public object _principal
    cdef public object _resource
    cdef public object _who
    cdef public list _bounds
    cdef public object _tallies
    cdef public object _generation
    cpdef object ask(self)
    cpdef object spent(self)
    cpdef object spend(self, long long rows_read, long long rows_changed, long long masked_cells, long long bytes_out)
