cimport cython

from blastwall.masking.fast.hits cimport Hits

cdef int _FEWEST, _GAPS, _WIDTH, _NONE, _SEPARATOR, _DIGIT, _LETTER
cdef bytes _CLASS, _COUNTRIES

@cython.locals(
    data="const unsigned char *", classes="const unsigned char *", low=Py_ssize_t, at=Py_ssize_t, end=Py_ssize_t
)
cpdef bint find_ibans(
    bytes buffer, Py_ssize_t start, Py_ssize_t stop, Hits hits, Py_ssize_t by
) except -1

@cython.locals(
    data="const unsigned char *", classes="const unsigned char *", countries="const unsigned char *",
    second=Py_ssize_t, third=Py_ssize_t, place=Py_ssize_t, one=int, two=int, check=int, row=int, length=int,
    rest=int, index=int, value=int,
)
cpdef Py_ssize_t iban_end(bytes buffer, Py_ssize_t at, Py_ssize_t stop) except -1

@cython.locals(data="const unsigned char *", classes="const unsigned char *", limit=Py_ssize_t)
cpdef Py_ssize_t next_character(bytes buffer, Py_ssize_t at, Py_ssize_t stop) except -1
