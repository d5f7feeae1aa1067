# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.recording.segments cimport OpenSegment

@cython.final
cdef class Stream:
    cdef public long long ordinal
    cdef public object session
    cdef public long long number
    cdef public object head
    cdef public object segments
    cdef public bint quick
    cdef public double began
    cdef public double ended
    cdef public long long statements
    cdef public long long rows
    cdef public long long sent
    cpdef object clear(self)

@cython.final
cdef class Batch:
    cdef public OpenSegment segment
    cdef public long long events
    cdef public object _parts
    cdef public object _noted
    cdef public object _room
    cdef public object _before
    cpdef object add(self, Stream stream, events)
    @cython.locals(end="long long")
    cpdef object repeated(self, Stream stream, double at, long long number, long long first, values, text)
    @cython.locals(end="long long")
    cpdef object finished(self, Stream stream, double at, long long number, long long rows, long long affected, long long size, double seconds)
    cpdef object _take(self, Stream stream, double at, long long end)
    cpdef object write(self)
    cpdef object take_back(self)
    cpdef object _note(self, Stream stream, first, events)

# By hand: what puts records together is called as C.
from blastwall.recording cimport frames, quick
from blastwall.wire cimport memory
