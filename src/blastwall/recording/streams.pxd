# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class Stream:
    cdef public long long ordinal
    cdef public object session
    cdef public long long number
    cdef public bytes head
    cdef public set segments
    cdef public bint begun
    cdef public long long written
    cdef public bytes written_head
    cdef public bint quick
    cdef public long long first
    cdef public double began
    cdef public double ended
    cdef public long long statements
    cdef public long long rows
    cdef public long long sent
    cdef public bint kept
    cdef public long long kept_first
    cdef public long long kept_last
    cdef public bytes kept_head
    cdef public double kept_began
    cdef public double kept_ended
    cdef public long long kept_statements
    cdef public long long kept_rows
    cdef public long long kept_sent
    cpdef object begin(self)
    cpdef object take_back(self)
    cpdef object clear(self)
    cpdef object forget(self)
    cpdef object add_quick(self)
