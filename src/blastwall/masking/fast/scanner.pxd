cimport cython

from blastwall.masking.fast.addresses cimport find_emails
from blastwall.masking.fast.cells cimport Cells
from blastwall.masking.fast.hits cimport Hits
from blastwall.masking.fast.ibans cimport find_ibans
from blastwall.masking.fast.numbers cimport find_cards, find_ssns
from blastwall.masking.fast.parts cimport add_address, add_iban, add_last, add_tail
from blastwall.masking.fast.secrets cimport may_hold_secret
from blastwall.wire cimport memory

cdef int _NULL, _SHORTEST, _DIGITS_CARD, _DIGITS_SSN, _DIGITS_PHONE, _DIGITS_IBAN
cdef int _AT, _SIGN, _ODD, _TELLING, _PERCENT, _AMPERSAND, _AT_SIGN
cdef int _ASKED, _ADDRESS, _CARD, _IBAN, _SSN

cdef class Scanner:
    cdef public int email, card, iban, ssn
    cdef public bint phone, secrets
    cdef public bytes marks, parts
    cdef public list rules, constants, shows

    @cython.locals(
        buffer=bytes, places="long long[::1]", hits=Hits, doubtful=list, cell=Py_ssize_t, step=Py_ssize_t,
        count=Py_ssize_t, length=Py_ssize_t, start=Py_ssize_t, sure=bint, data="const unsigned char *",
    )
    cpdef list scan(self, Cells cells, Py_ssize_t column, bint text, long long[::1] counts, int begins=*)

    @cython.locals(
        buffer=bytes, places="long long[::1]", shown="long long[::1]", hits=Hits, doubtful=list, cell=Py_ssize_t,
        step=Py_ssize_t, count=Py_ssize_t, length=Py_ssize_t, start=Py_ssize_t, rule=Py_ssize_t, sure=bint,
    )
    cpdef list scan_numbers(self, Cells cells, Py_ssize_t column, long long[::1] counts)

    @cython.locals(features=Py_ssize_t, digits=Py_ssize_t)
    cdef bint _find(self, bytes buffer, Py_ssize_t start, Py_ssize_t stop, Hits hits) except -1

    @cython.locals(digits=Py_ssize_t)
    cdef bint _has_digits(self, bytes buffer, Py_ssize_t start, Py_ssize_t stop) except -1

    @cython.locals(
        places="long long[::1]", shown="long long[::1]", spans="long long[::1]",
        position=Py_ssize_t, stop=Py_ssize_t, begin=Py_ssize_t, seen=Py_ssize_t, vanishes=bint, number=Py_ssize_t,
        by=Py_ssize_t, rule=Py_ssize_t,
    )
    cdef int _hide(self, Cells cells, Py_ssize_t cell, Hits hits, long long[::1] counts) except -1

    @cython.locals(constant=bytes)
    cdef bint _write(self, Cells cells, Py_ssize_t by, Py_ssize_t start, Py_ssize_t stop) except -1

cdef int _add_part(Cells cells, int part, Py_ssize_t start, Py_ssize_t stop) except -1

@cython.locals(
    data="const unsigned char *", table="const unsigned char *", seen=Py_ssize_t, digits=Py_ssize_t, place=Py_ssize_t
)
cdef Py_ssize_t _features(bytes buffer, Py_ssize_t start, Py_ssize_t stop, bytes marks) except -1

@cython.locals(data="const unsigned char *", place=Py_ssize_t)
cpdef bint has_written_sign(bytes buffer, Py_ssize_t start, Py_ssize_t stop) except -1
