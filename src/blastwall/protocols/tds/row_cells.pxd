cimport cython

from blastwall.protocols.tds.row_forms cimport head_end, uint32, value_end, value_size
from blastwall.protocols.tds.rows cimport RowPlan
from blastwall.wire cimport memory

cdef int _WIDE, _NARROW, _NBC, _FIXED, _PARTS, _GAP, _SPACE

cdef class Wanted:
    cdef public Py_ssize_t column
    cdef public int written
    cdef public object read
    cdef public bint padded

cdef class RowCells:
    cdef public RowPlan plan
    cdef public tuple wanted
    cdef public bytes buffer
    cdef public Py_ssize_t rows
    cdef public long long[::1] starts
    cdef public long long[::1] spans
    cdef public long long[::1] places
    cdef public bytearray _text
    cdef public Py_ssize_t _used

    @cython.locals(
        data="const unsigned char *", plan=RowPlan, starts="long long[::1]", spans="long long[::1]", stop=Py_ssize_t,
        wanted="long long[::1]", cell=Py_ssize_t, row=Py_ssize_t, bitmap=Py_ssize_t, at=Py_ssize_t, place=Py_ssize_t,
        column=Py_ssize_t, begin=Py_ssize_t, null=bint,
    )
    cpdef void read(self, Py_ssize_t position) except *

    @cython.locals(data="const unsigned char *", places="long long[::1]", plan=RowPlan, form="long long", head=Py_ssize_t)
    cdef void _cell(self, Py_ssize_t cell, Py_ssize_t place, Py_ssize_t column, Py_ssize_t begin, Py_ssize_t end) except *

    @cython.locals(data="const unsigned char *", places="long long[::1]", size=Py_ssize_t, whole=bytes)
    cdef void _put_together(self, Py_ssize_t cell, Py_ssize_t place, Py_ssize_t begin, Py_ssize_t end) except *

    @cython.locals(wanted=Wanted, shown=bytes, size=Py_ssize_t, text="unsigned char *")
    cdef void _write(self, bytes source, Py_ssize_t place, Py_ssize_t begin, Py_ssize_t end) except *

    @cython.locals(data="const unsigned char *", high="unsigned char", at=Py_ssize_t)
    cdef bint _ascii(self, bytes source, Py_ssize_t begin, Py_ssize_t end) except -1

    @cython.locals(data="const unsigned char *", text="unsigned char *", used=Py_ssize_t, at=Py_ssize_t, unit="unsigned int")
    cdef void _wide(self, bytes source, Py_ssize_t begin, Py_ssize_t end) except *

    @cython.locals(text="unsigned char *")
    cdef void _gap(self) except *

    @cython.locals(missing=Py_ssize_t)
    cdef void _room(self, Py_ssize_t size) except *

cpdef bytes joined(bytes buffer, Py_ssize_t at)
