# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.gate.each cimport Awaiting
from blastwall.gate.each cimport QuickRecord

cdef class Unrecorded(QuickRecord):
    cdef public object _failure
    cpdef object write(self, events, durable)
    cpdef long long part_now(self) except *
    cpdef object repeated(self, double at, long long number, long long first, values, text, Awaiting awaiting)
    cpdef object plain_end(self, double at, long long number, long long rows, long long affected, long long size, double seconds, Awaiting awaiting)
    cpdef object close(self)

@cython.final
cdef class Journal:
    cdef public object _record
    cdef public QuickRecord _quick
    cdef public object _session
    cdef public object _meter
    cdef public bint failed
    cpdef object write(self, events, durable)
    cpdef object repeated(self, double at, long long number, long long first, values, text, Awaiting awaiting)
    cpdef object plain_end(self, double at, long long number, long long rows, long long affected, long long size, double seconds, Awaiting awaiting)
    cpdef object _unwritten(self, fault)
    cpdef long long part_now(self) except *
    cpdef object fail(self, failure)
    cpdef object close(self)
