# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.gate.each cimport EachMeter

cdef class ResourceMetrics(EachMeter):
    cdef public object sessions
    cdef public object sessions_total
    cdef public object holds
    cdef public long long bytes_from_client
    cdef public long long bytes_from_resource
    cdef public object recording_failures
    cdef public object dial_failures
    cdef public object warm
    cdef public object adoptions
    cdef public object logins
    cdef public object rulings
    cdef public object masked
    cdef public object limits
    cdef public object throttled_by
    cdef public list slower
    cdef public double seconds
    cdef public long long repetitions
    cdef public long long swift
    cdef public long long brisk
    cpdef object opened(self)
    cpdef object closed(self)
    cpdef object login(self, outcome)
    cpdef object ruled(self, decision)
    cpdef object repeated(self, long long count)
    cpdef object ruled_all(self)
    cpdef object held(self, change)
    cpdef object finished(self, seconds, masked)
    cpdef object took(self, double seconds)
    cpdef object throttled(self, what)
    cpdef object recording_failed(self)
    cpdef object received(self, bint from_client, long long count)
    cpdef object parked(self, change)

# By hand: the first bounds of the buckets.
cdef double _SWIFT, _BRISK
