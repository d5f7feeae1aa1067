cimport cython

cdef list _SIZES
cdef list _HEADS

@cython.locals(data="const unsigned char *", size=Py_ssize_t, rows=Py_ssize_t, at=Py_ssize_t, length=Py_ssize_t)
cpdef tuple run_of_rows(bytes buffer, Py_ssize_t position, Py_ssize_t kind)

@cython.locals(
    data="const unsigned char *", values=list, at=Py_ssize_t, stop=Py_ssize_t, column=Py_ssize_t, index=Py_ssize_t,
    length=Py_ssize_t,
)
cpdef list columns_of(bytes buffer, Py_ssize_t position, Py_ssize_t end, tuple wanted, Py_ssize_t width)

@cython.locals(
    data="const unsigned char *", pieces=list, counts=list, at=Py_ssize_t, stop=Py_ssize_t, kept=Py_ssize_t,
    column=Py_ssize_t, head=Py_ssize_t, grown=Py_ssize_t, place=Py_ssize_t, index=Py_ssize_t, length=Py_ssize_t,
    size=Py_ssize_t,
)
cpdef tuple mask_run(bytes buffer, Py_ssize_t position, Py_ssize_t end, list hidden, Py_ssize_t width)

cpdef Py_ssize_t skip(bytes buffer, Py_ssize_t at, Py_ssize_t count, Py_ssize_t stop) except -1

@cython.locals(data="const unsigned char *", value=Py_ssize_t)
cpdef Py_ssize_t uint32(bytes buffer, Py_ssize_t at) except -1

@cython.locals(length=Py_ssize_t)
cpdef Py_ssize_t length_at(bytes buffer, Py_ssize_t at, Py_ssize_t stop) except -2
