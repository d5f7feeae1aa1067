# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.recording.segments cimport OpenSegment

@cython.final
cdef class Stream:
    cdef public object ordinal
    cdef public object session
    cdef public object number
    cdef public object head
    cdef public object segments

@cython.final
cdef class Batch:
    cdef public OpenSegment segment
    cdef public object events
    cdef public object _parts
    cdef public object _noted
    cdef public object _before
    cpdef object add(self, stream, events)
    cpdef object write(self)
    cpdef object take_back(self)
    cpdef object _note(self, stream, first, events)
