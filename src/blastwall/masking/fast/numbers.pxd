cimport cython

from blastwall.masking.fast.hits cimport Hits
from blastwall.wire cimport memory

cdef int _SPACE, _DASH, _DOT, _COMMA, _FEWEST, _MOST
cdef bytes _GAP

@cython.locals(
    data="const unsigned char *", at=Py_ssize_t, run=Py_ssize_t, form=int, end=Py_ssize_t
)
cpdef bint find_cards(
    bytes buffer, Py_ssize_t start, Py_ssize_t stop, Hits hits, Py_ssize_t by
) except -1

@cython.locals(spans="long long[::1]", last=Py_ssize_t)
cdef bint _note(Hits hits, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t by) except -1

@cython.locals(run=Py_ssize_t)
cdef Py_ssize_t _form_end(int form, bytes buffer, Py_ssize_t start, Py_ssize_t at, Py_ssize_t stop) except -1

@cython.locals(data="const unsigned char *", place=Py_ssize_t, digits=Py_ssize_t, end=Py_ssize_t)
cdef Py_ssize_t _parted_end(
    bytes buffer, Py_ssize_t start, Py_ssize_t at, Py_ssize_t stop, unsigned char between
) except -1

@cython.locals(place=Py_ssize_t, group=int, end=Py_ssize_t, size=Py_ssize_t)
cdef Py_ssize_t _fours_end(bint longer, bytes buffer, Py_ssize_t start, Py_ssize_t at, Py_ssize_t stop) except -1

@cython.locals(data="const unsigned char *", second=Py_ssize_t, end=Py_ssize_t, third=Py_ssize_t)
cdef Py_ssize_t _threes_end(bytes buffer, Py_ssize_t start, Py_ssize_t at, Py_ssize_t stop) except -1

@cython.locals(data="const unsigned char *")
cdef bint _behind(bytes buffer, Py_ssize_t start, Py_ssize_t at, unsigned char sign) except -1

@cython.locals(data="const unsigned char *", after=bint)
cdef bint _listed(bytes buffer, Py_ssize_t start, Py_ssize_t at, Py_ssize_t end, Py_ssize_t stop) except -1

@cython.locals(data="const unsigned char *", total=int, digits=int, place=Py_ssize_t, value=int, prefix=int, seen=int)
cpdef bint is_card(bytes buffer, Py_ssize_t at, Py_ssize_t end) except -1

@cython.locals(two=int, three=int, others=bint)
cdef bint _issued(int prefix, int digits) except -1

@cython.locals(at=Py_ssize_t, run=Py_ssize_t)
cpdef bint find_ssns(
    bytes buffer, Py_ssize_t start, Py_ssize_t stop, Hits hits, Py_ssize_t by
) except -1

@cython.locals(
    data="const unsigned char *", gaps="const unsigned char *", sign="unsigned char", area=int, serial=int
)
cdef bint _is_ssn(bytes buffer, Py_ssize_t at, Py_ssize_t stop) except -1

@cython.locals(data="const unsigned char *")
cpdef Py_ssize_t digits_end(bytes buffer, Py_ssize_t at, Py_ssize_t stop) except -1

@cython.locals(data="const unsigned char *", gaps="const unsigned char *", place=Py_ssize_t)
cpdef Py_ssize_t gap_end(bytes buffer, Py_ssize_t at, Py_ssize_t stop) except -1
