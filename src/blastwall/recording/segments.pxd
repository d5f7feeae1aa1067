# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class OpenSegment:
    cdef public object number
    cdef public object began
    cdef public object last_at
    cdef public object file
    cdef public object cipher
    cdef public object digest
    cdef public object portions
    cpdef object append(self, data)
    cpdef object note(self, portion, last, head, events)
    cpdef object content(self)
