cimport cython

from blastwall.masking.fast.cells cimport Cells
from blastwall.masking.fast.hits cimport Hits
from blastwall.masking.fast.ibans cimport iban_end
from blastwall.masking.fast.numbers cimport find_cards
from blastwall.masking.fast.parts cimport add_address, add_iban, add_last, add_tail

cdef int _KEPT, _NULL, _AT, _BRACE, _DOT, _LONGEST, _LONGEST_LOCAL, _FEWEST_DIGITS
cdef bytes _ODD

@cython.locals(
    buffer=bytes, data="const unsigned char *", places="long long[::1]", shown="long long[::1]", begin=Py_ssize_t,
    size=Py_ssize_t, null_begin=Py_ssize_t, null_size=Py_ssize_t, hidden=Py_ssize_t, waiting=list, cell=Py_ssize_t,
    length=Py_ssize_t, step=Py_ssize_t, count=Py_ssize_t,
)
cpdef tuple hide_as(Cells cells, Py_ssize_t column, bytes constant, bytes for_null, bint arrays)

@cython.locals(
    places="long long[::1]", shown="long long[::1]", hits=Hits, hidden=Py_ssize_t, waiting=list, cell=Py_ssize_t, length=Py_ssize_t, start=Py_ssize_t,
    begin=Py_ssize_t, step=Py_ssize_t, count=Py_ssize_t,
)
cpdef tuple hide_in_part(Cells cells, Py_ssize_t column)

@cython.locals(
    data="const unsigned char *", at=Py_ssize_t, place=Py_ssize_t, label=Py_ssize_t, dots=Py_ssize_t
)
cpdef Py_ssize_t plain_address(bytes buffer, Py_ssize_t start, Py_ssize_t stop) except -1

@cython.locals(
    buffer=bytes, data="const unsigned char *", odd="const unsigned char *", digits=Py_ssize_t, at=Py_ssize_t,
    place=Py_ssize_t,
)
cdef bint _add_part(Cells cells, Py_ssize_t start, Py_ssize_t stop, Hits hits) except -1

cdef bint _word(unsigned char byte) noexcept
