# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class AppendFile:
    cdef public object path
    cdef public long long descriptor
    cdef public long long size
    cdef public bint _ragged
    cdef public bint _nameless
    cdef public bint unsynced
    @cython.locals(size="long long", written="long long")
    cpdef object append(self, bytes data)
    cpdef object _cut(self)
