# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.recording.files cimport AppendFile
from blastwall.recording.streams cimport Stream

@cython.final
cdef class OpenSegment:
    cdef public long long number
    cdef public object began
    cdef public object last_at
    cdef public AppendFile file
    cdef public long long size
    cdef public object cipher
    cdef public object digest
    cdef public dict _portions
    cdef public dict _kept
    cpdef object append(self, bytes data)
    cpdef object note(self, Stream stream, long long first, events)
    cpdef object add_quick(self, Stream stream)
    cpdef object settle(self)
    cpdef object _take(self, Stream stream)
    cpdef object _portion(self, Stream stream, first)
    cpdef object content(self)
