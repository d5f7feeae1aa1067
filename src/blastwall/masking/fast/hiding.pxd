cimport cython

from blastwall.masking.fast.cells cimport Cells
from blastwall.masking.fast.hits cimport Hits
from blastwall.masking.fast.ibans cimport iban_end
from blastwall.masking.fast.numbers cimport find_cards
from blastwall.wire cimport memory

cdef int _KEPT, _NULL, _AT, _BRACE, _STAR, _DOT, _LONGEST, _LONGEST_LOCAL, _ROOM, _FEWEST_DIGITS, _SHOWN_AT_MOST
cdef int _NOTHING_SHOWN_BELOW, _DOUBT
cdef bytes _SAFE, _ODD

@cython.locals(
    buffer=bytes, data="const unsigned char *", places="long long[::1]", shown="long long[::1]", begin=Py_ssize_t,
    size=Py_ssize_t, null_begin=Py_ssize_t, null_size=Py_ssize_t, hidden=Py_ssize_t, waiting=list, cell=Py_ssize_t,
    length=Py_ssize_t, step=Py_ssize_t, count=Py_ssize_t,
)
cpdef tuple hide_as(Cells cells, Py_ssize_t column, bytes constant, bytes for_null, bint arrays)

@cython.locals(
    places="long long[::1]", shown="long long[::1]", hits=Hits, hidden=Py_ssize_t, waiting=list, cell=Py_ssize_t, length=Py_ssize_t, start=Py_ssize_t,
    size=Py_ssize_t, step=Py_ssize_t, count=Py_ssize_t,
)
cpdef tuple hide_in_part(Cells cells, Py_ssize_t column)

@cython.locals(
    data="const unsigned char *", at=Py_ssize_t, place=Py_ssize_t, label=Py_ssize_t, dots=Py_ssize_t
)
cpdef Py_ssize_t plain_address(bytes buffer, Py_ssize_t start, Py_ssize_t stop) except -1

@cython.locals(
    buffer=bytes, target=bytearray, begin=Py_ssize_t, data="const unsigned char *", odd="const unsigned char *",
    text="unsigned char *", digits=Py_ssize_t, at=Py_ssize_t, place=Py_ssize_t,
)
cdef Py_ssize_t _write_part(Cells cells, Py_ssize_t start, Py_ssize_t stop, Hits hits) except -2

@cython.locals(
    data="const unsigned char *", safe="const unsigned char *", text="unsigned char *", size=Py_ssize_t,
    tail=Py_ssize_t, place=Py_ssize_t, byte="unsigned char",
)
cdef Py_ssize_t _write_tail(
    bytes buffer, Py_ssize_t start, Py_ssize_t stop, bytearray target, Py_ssize_t begin
) except -2

@cython.locals(data="const unsigned char *", text="unsigned char *", place=Py_ssize_t)
cdef Py_ssize_t _write_iban(
    bytes buffer, Py_ssize_t start, Py_ssize_t stop, bytearray target, Py_ssize_t begin
) except -2

@cython.locals(
    data="const unsigned char *", text="unsigned char *", place=Py_ssize_t, missing=int, byte="unsigned char"
)
cdef Py_ssize_t _write_last(
    bytes buffer, Py_ssize_t stop, bytearray target, Py_ssize_t begin, int letters
) except -2

cdef bint _word(unsigned char byte) noexcept
