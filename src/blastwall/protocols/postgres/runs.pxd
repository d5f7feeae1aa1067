cimport cython

from blastwall.masking.fast.cells cimport Cells
from blastwall.wire cimport memory

cdef int _HEADER, _KEPT

@cython.locals(data="const unsigned char *", size=Py_ssize_t, rows=Py_ssize_t, at=Py_ssize_t, length=Py_ssize_t)
cpdef tuple run_of_rows(bytes buffer, Py_ssize_t position, Py_ssize_t kind)

@cython.locals(
    data="const unsigned char *", view="long long[::1]", place=Py_ssize_t, at=Py_ssize_t, stop=Py_ssize_t,
    column=Py_ssize_t, index=Py_ssize_t, length=Py_ssize_t, _=Py_ssize_t,
)
cpdef object places_of(bytes buffer, Py_ssize_t position, Py_ssize_t rows, tuple wanted, Py_ssize_t width)

@cython.locals(
    data="const unsigned char *", text=bytearray, columns=Py_ssize_t, places="long long[::1]", shown="long long[::1]",
    written=bytearray, target="unsigned char *", begin=Py_ssize_t, place=Py_ssize_t, stop=Py_ssize_t, kept=Py_ssize_t,
    at=Py_ssize_t, size=Py_ssize_t, value=Py_ssize_t, _=Py_ssize_t,
)
cpdef bytes spliced(bytes buffer, Py_ssize_t position, Py_ssize_t end, Cells cells)

@cython.locals(places="long long[::1]", shown="long long[::1]", grown=Py_ssize_t, place=Py_ssize_t)
cdef Py_ssize_t _growth(Cells cells) except? -1

cdef Py_ssize_t _put(
    unsigned char *target, Py_ssize_t at, Py_ssize_t size, const unsigned char *text, Py_ssize_t begin
) noexcept

@cython.locals(data="unsigned char *")
cdef void _put_length(unsigned char *target, Py_ssize_t at, Py_ssize_t size) noexcept

@cython.locals(length=Py_ssize_t)
cpdef Py_ssize_t skip(bytes buffer, Py_ssize_t at, Py_ssize_t count, Py_ssize_t stop) except -1

@cython.locals(data="const unsigned char *", value=Py_ssize_t)
cpdef Py_ssize_t uint32(bytes buffer, Py_ssize_t at) except -1

@cython.locals(length=Py_ssize_t)
cpdef Py_ssize_t length_at(bytes buffer, Py_ssize_t at, Py_ssize_t stop) except -2
