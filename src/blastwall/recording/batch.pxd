# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.recording.segments cimport OpenSegment
from blastwall.recording.streams cimport Stream

@cython.final
cdef class Batch:
    cdef public object _room
    cdef public long long _size
    cdef public OpenSegment segment
    cdef public long long events
    cdef public long long _end
    cdef public list _noted
    cdef public list _begun
    cpdef object begin(self, OpenSegment segment)
    cpdef object add(self, Stream stream, events)
    @cython.locals(size="long long")
    cpdef object _append(self, bytes data)
    cpdef object _make_room(self, long long size)
    @cython.locals(end="long long")
    cpdef object repeated(self, Stream stream, double at, long long number, long long first, values, text)
    @cython.locals(end="long long")
    cpdef object plain_end(self, Stream stream, double at, long long number, long long rows, long long affected, long long size, double seconds)
    cpdef object _take(self, Stream stream, double at, long long end)
    cpdef object _begin(self, Stream stream)
    @cython.locals(stream=Stream)
    cpdef object write(self)
    cpdef object take_back(self)
    cpdef object _trim(self)
    @cython.locals(repeats=Stream)
    cpdef object _note(self, noted)

# By hand: what puts records together is called as C.
from blastwall.recording cimport frames, quick
from blastwall.wire cimport memory

cdef Py_ssize_t _QUICK, _HEADER, _HASH, _KEPT
cdef double _LATEST
