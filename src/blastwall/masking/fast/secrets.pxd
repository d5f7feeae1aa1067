cimport cython

cdef int _EQUALS, _TILDE, _AT, _PLUS, _DOT, _COLON, _SLASH, _A, _J, _P, _HEADER
cdef bytes _URL64

@cython.locals(data="const unsigned char *", scheme=bint, place=Py_ssize_t, byte="unsigned char")
cpdef bint may_hold_secret(bytes buffer, Py_ssize_t start, Py_ssize_t stop) except -1

@cython.locals(data="const unsigned char *", table="const unsigned char *", place=Py_ssize_t)
cdef bint _ends_header(bytes buffer, Py_ssize_t start, Py_ssize_t dot) except -1

@cython.locals(data="const unsigned char *", letter="unsigned char", following="unsigned char")
cdef bint _begins_mark(bytes buffer, Py_ssize_t start, Py_ssize_t at, Py_ssize_t stop) except -1
