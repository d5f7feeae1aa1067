# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.recording.batch cimport Batch
from blastwall.recording.segments cimport OpenSegment

@cython.final
cdef class NodeLog:
    cdef public object chain
    cdef public OpenSegment live
    cdef public object _folder
    cdef public object _key
    cdef public object _limit
    cdef public object _clock
    cdef public object _next
    cdef public object _keyring
    cdef public object ciphers
    cdef public Batch _batch
    cdef public object _owed
    cdef public object _covered
    cdef public object ended
    cpdef object add(self, stream, events)
    cpdef object write(self)
    cpdef object take_back(self)
    cpdef object pay(self)
    cpdef object roll(self)
    cpdef object seal(self, sealed)
    cpdef object remove(self, sealed, why, portions)
    cpdef object _extent(self)
    cpdef object _room(self)
    cpdef object _begin(self)
