# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

cdef class Awaiting:
    cpdef object recorded(self, failure)
    cpdef object unrecorded(self, failure)

cdef class Carrier:
    cpdef bint send_granted(self) except -1
    cpdef object bring(self, long long number, answer)

cdef class Cutoff:
    cpdef long long edition(self) except *

cdef class EachMeter:
    cpdef object repeated(self, long long count)
    cpdef object took(self, double seconds)
    cpdef object received(self, bint from_client, long long count)

@cython.final
cdef class Generation:
    cdef public long long number

cdef class Purse:
    cpdef object ask(self)
    cpdef object spent(self)
    cpdef object spend(self, long long rows_read, long long rows_changed, long long masked_cells, long long bytes_out)

cdef class QuickRecord:
    cpdef long long part_now(self) except *
    cpdef object repeated(self, double at, long long number, long long first, values, text, Awaiting awaiting)
    cpdef object plain_end(self, double at, long long number, long long rows, long long affected, long long size, double seconds, Awaiting awaiting)
