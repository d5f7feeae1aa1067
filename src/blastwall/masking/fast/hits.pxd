cimport cython

cdef int _MOST

cdef class Hits:
    cdef public long long[::1] spans
    cdef public Py_ssize_t count

    @cython.locals(spans="long long[::1]", place=Py_ssize_t)
    cpdef bint note(self, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t by) except -1

    @cython.locals(spans="long long[::1]", apart=bint, number=Py_ssize_t, place=Py_ssize_t, at=Py_ssize_t)
    cpdef bint in_order(self) except -1
