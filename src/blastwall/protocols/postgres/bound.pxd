# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class Bound:
    cdef public object end
    cdef public object statement
    cdef public object formats
    cdef public object values
    cdef public object results

# By hand: numbers in place.
@cython.locals(size=Py_ssize_t, end=Py_ssize_t, name=Py_ssize_t, at=Py_ssize_t)
cpdef object read_bind(bytes buffer, Py_ssize_t position)

@cython.locals(data="const unsigned char *", value=Py_ssize_t)
cdef Py_ssize_t _int32(bytes buffer, Py_ssize_t at) except? -3

@cython.locals(count=Py_ssize_t, n=Py_ssize_t, place=Py_ssize_t, data="const unsigned char *")
cdef object _formats(bytes buffer, Py_ssize_t at, Py_ssize_t end)

@cython.locals(count=Py_ssize_t, length=Py_ssize_t, found=list, data="const unsigned char *")
cdef object _values(bytes buffer, Py_ssize_t at, Py_ssize_t end)
