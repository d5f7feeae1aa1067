cimport cython

from blastwall.masking.fast.cells cimport Cells
from blastwall.wire cimport memory

cdef int _STAR, _SHOWN_AT_MOST, _NOTHING_SHOWN_BELOW
cdef bytes _SAFE

@cython.locals(data="const unsigned char *", safe="const unsigned char *", text="unsigned char *", used=Py_ssize_t)
cpdef int add_address(Cells cells, Py_ssize_t start, Py_ssize_t at, Py_ssize_t stop) except -1

@cython.locals(
    data="const unsigned char *", safe="const unsigned char *", text="unsigned char *", used=Py_ssize_t,
    size=Py_ssize_t, tail=Py_ssize_t, place=Py_ssize_t,
)
cpdef int add_tail(Cells cells, Py_ssize_t start, Py_ssize_t stop) except -1

@cython.locals(data="const unsigned char *", second=Py_ssize_t, text="unsigned char *", used=Py_ssize_t)
cpdef int add_iban(Cells cells, Py_ssize_t start, Py_ssize_t stop) except -1

@cython.locals(
    data="const unsigned char *", text="unsigned char *", used=Py_ssize_t, place=Py_ssize_t, missing=int,
    byte="unsigned char",
)
cpdef int add_last(Cells cells, Py_ssize_t stop, int letters) except -1
