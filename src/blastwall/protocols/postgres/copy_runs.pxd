cimport cython

from blastwall.masking.fast.cells cimport Cells
from blastwall.protocols.postgres.runs cimport uint32
from blastwall.wire cimport memory

cdef int _HEADER, _LENGTH, _DATA, _TAB, _LINE, _BACKSLASH, _N, _KEPT
cdef bytes _ESCAPES

@cython.locals(data="const unsigned char *", size=Py_ssize_t, rows=Py_ssize_t, length=Py_ssize_t, stop=Py_ssize_t)
cpdef tuple plain_rows(bytes buffer, Py_ssize_t position, Py_ssize_t columns)

@cython.locals(
    data="const unsigned char *", last=Py_ssize_t, begin=Py_ssize_t, tabs=Py_ssize_t, byte="unsigned char"
)
cdef bint _is_plain(bytes buffer, Py_ssize_t at, Py_ssize_t stop, Py_ssize_t columns) except -1

@cython.locals(
    data="const unsigned char *", view="long long[::1]", place=Py_ssize_t, stop=Py_ssize_t, at=Py_ssize_t,
    column=Py_ssize_t, index=Py_ssize_t, end=Py_ssize_t, null=bint, _=Py_ssize_t,
)
cpdef object copy_places(bytes buffer, Py_ssize_t position, Py_ssize_t rows, tuple wanted)

@cython.locals(
    data="const unsigned char *", places="long long[::1]", shown="long long[::1]", columns=Py_ssize_t,
    written=bytearray, target="unsigned char *", begin=Py_ssize_t, place=Py_ssize_t, stop=Py_ssize_t, kept=Py_ssize_t,
    at=Py_ssize_t, size=Py_ssize_t, part=int, _=Py_ssize_t,
)
cpdef bytes copy_spliced(bytes buffer, Py_ssize_t position, Py_ssize_t end, Cells cells)

@cython.locals(
    places="long long[::1]", shown="long long[::1]", data="const unsigned char *", escapes="const unsigned char *",
    grown=Py_ssize_t, place=Py_ssize_t, at=Py_ssize_t,
)
cdef Py_ssize_t _growth(Cells cells) except? -1

cdef Py_ssize_t _raw_size(Py_ssize_t size) noexcept

@cython.locals(
    target="unsigned char *", data="const unsigned char *", escapes="const unsigned char *", shown="long long[::1]",
    place_=Py_ssize_t, byte="unsigned char",
)
cdef Py_ssize_t _put(bytearray written, Py_ssize_t at, Cells cells, Py_ssize_t place) except -1
