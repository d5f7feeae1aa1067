cimport cython

from blastwall.wire cimport memory

cdef class Cells:
    cdef public bytes buffer
    cdef public long long[::1] places
    cdef public long long[::1] shown
    cdef public bytearray text
    cdef public Py_ssize_t columns
    cdef public Py_ssize_t count
    cdef public Py_ssize_t used

    @cython.locals(missing=Py_ssize_t)
    cpdef int make_room(self, Py_ssize_t size) except -1

    @cython.locals(size=Py_ssize_t, begin=Py_ssize_t)
    cpdef Py_ssize_t write(self, bytes value) except -1

    cpdef int keep(self, Py_ssize_t start, Py_ssize_t stop) except -1

    @cython.locals(shown="long long[::1]")
    cpdef int show(self, Py_ssize_t cell, bytes value) except -1

    @cython.locals(places="long long[::1]", start=Py_ssize_t)
    cpdef bytes value(self, Py_ssize_t cell)

@cython.locals(known=dict, value=bytes, shown=bytes, cell=Py_ssize_t)
cpdef int show_each(Cells cells, object wanted, object show) except -1

@cython.locals(places="long long[::1]", found=list, cell=Py_ssize_t)
cpdef list filled(Cells cells, Py_ssize_t column)
