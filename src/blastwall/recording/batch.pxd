# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.recording.segments cimport OpenSegment
from blastwall.recording.streams cimport Stream

@cython.final
cdef class Batch:
    cdef public OpenSegment segment
    cdef public long long events
    cdef public list _parts
    cdef public list _noted
    cdef public object _room
    cdef public list _begun
    cpdef object add(self, Stream stream, events)
    @cython.locals(end="long long")
    cpdef object repeated(self, Stream stream, double at, long long number, long long first, values, text)
    @cython.locals(end="long long")
    cpdef object plain_end(self, Stream stream, double at, long long number, long long rows, long long affected, long long size, double seconds)
    cpdef object _take(self, Stream stream, double at, long long end)
    cpdef object _begin(self, Stream stream)
    cpdef object write(self)
    cpdef object take_back(self)
    cpdef object _note(self, Stream stream, first, events)

# By hand: what puts records together is called as C.
from blastwall.recording cimport frames, quick
from blastwall.wire cimport memory
