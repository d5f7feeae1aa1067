# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class Learned:
    cdef public object queries
    cdef public object parses
    cdef public object binds
    cdef public object shapes
    cpdef object parse(self, message, prepared, running)
    cpdef object bind(self, prepared, running)
    cpdef object forget(self)
    cpdef object like(self, one)
