cimport cython

@cython.locals(data="const unsigned char *", size=Py_ssize_t, at=Py_ssize_t, start=Py_ssize_t, place=Py_ssize_t, dots=int)
cpdef bytes partial_address(bytes value)

@cython.locals(data="const unsigned char *", at=Py_ssize_t)
cdef bint _ends_in_letters(bytes value, Py_ssize_t start)

cdef bint _word(unsigned char byte)
