# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.recording.batch cimport Batch
from blastwall.recording.segments cimport OpenSegment
from blastwall.recording.streams cimport Stream

@cython.final
cdef class NodeLog:
    cdef public object chain
    cdef public OpenSegment live
    cdef public object _folder
    cdef public object _key
    cdef public long long _limit
    cdef public object _clock
    cdef public object _next
    cdef public object _keyring
    cdef public object ciphers
    cdef public Batch _batch
    cdef public Batch _spare
    cdef public list _owed
    cdef public object _covered
    cdef public list ended
    @cython.locals(batch=Batch)
    cpdef object add(self, Stream stream, events)
    @cython.locals(batch=Batch)
    cpdef object repeated(self, Stream stream, double at, long long number, long long first, values, text)
    @cython.locals(batch=Batch)
    cpdef object plain_end(self, Stream stream, double at, long long number, long long rows, long long affected, long long size, double seconds)
    @cython.locals(batch=Batch)
    cpdef Batch _gather(self)
    @cython.locals(live=OpenSegment, number="long long")
    cpdef long long part_now(self) except *
    @cython.locals(batch=Batch)
    cpdef Batch write(self)
    cpdef object take_back(self)
    cpdef object pay(self)
    cpdef object roll(self)
    cpdef object seal(self, sealed)
    cpdef object remove(self, sealed, why, portions)
    cpdef object _extent(self)
    cpdef OpenSegment _begin(self)
