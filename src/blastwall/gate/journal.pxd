# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class Journal:
    cdef public object _record
    cdef public object _session
    cdef public object _meter
    cdef public object failed
    cpdef object write(self, events, durable)
    cpdef object repeated(self, double at, long long number, long long first, values, text, durable)
    cpdef object _unwritten(self, fault, durable)
    cpdef object fail(self, failure)
    cpdef object close(self)
