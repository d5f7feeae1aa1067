# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class Granted:
    cdef public object _shared
    cdef public object _subject
    cdef public object _known
    cdef public dict _running
    cdef public object login
    cpdef object ran(self, long long number)
    cpdef object may_stay(self)
