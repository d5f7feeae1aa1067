cimport cython

from blastwall.masking.fast.cells cimport Cells
from blastwall.protocols.tds.row_cells cimport RowCells, Wanted
from blastwall.wire cimport memory

cdef bytes _LENGTHS
cdef int _KEPT, _WIDE, _NARROW, _NBC, _FIXED, _SHORT, _LONG, _VARIANT, _PARTS, _POINTER, _SPACE

cdef class Shown:
    cdef public int form
    cdef public int written
    cdef public Py_ssize_t most
    cdef public Py_ssize_t least
    cdef public object encode

cdef class RowWriter:
    cdef public RowCells run
    cdef public Cells cells
    cdef public tuple shown
    cdef public Py_ssize_t first
    cdef public bytearray _target
    cdef public Py_ssize_t _used

    @cython.locals(shown="long long[::1]", columns=Py_ssize_t, cell=Py_ssize_t)
    cdef Py_ssize_t _first(self) except? -2

    @cython.locals(
        run=RowCells, shown="long long[::1]", starts="long long[::1]", spans="long long[::1]",
        data="const unsigned char *", columns=Py_ssize_t, row=Py_ssize_t, begin=Py_ssize_t, kept=Py_ssize_t, nbc=bint,
        place=Py_ssize_t, cell=Py_ssize_t, size=Py_ssize_t, wanted=Wanted,
    )
    cpdef bytes written(self)

    @cython.locals(target="unsigned char *", at=Py_ssize_t, bit=int)
    cdef void _mark(self, Py_ssize_t bitmap, Py_ssize_t column, bint null) except *

    cdef void _keep(self, Py_ssize_t start, Py_ssize_t stop) except *

    @cython.locals(column=Shown, form=int, width=int, at=Py_ssize_t, length=Py_ssize_t)
    cdef void _value(self, Py_ssize_t place, Py_ssize_t start, Py_ssize_t size) except *

    cdef void _null(self, int form) except *

    @cython.locals(begin=Py_ssize_t, text=bytes)
    cdef void _text(self, Shown column, Py_ssize_t start, Py_ssize_t size) except *

    @cython.locals(missing=Py_ssize_t, step=int, at=Py_ssize_t, target="unsigned char *")
    cdef void _pad(self, Py_ssize_t begin, Shown column) except *

    @cython.locals(text="const unsigned char *", high="unsigned char", at=Py_ssize_t)
    cdef bint _ascii(self, Py_ssize_t start, Py_ssize_t size, Py_ssize_t most) except -1

    @cython.locals(
        text="const unsigned char *", target="unsigned char *", used=Py_ssize_t, limit=Py_ssize_t, at=Py_ssize_t,
        stop=Py_ssize_t, unit="unsigned int", high="unsigned int",
    )
    cdef void _wide(self, Py_ssize_t start, Py_ssize_t size, Py_ssize_t most) except *

    @cython.locals(size=Py_ssize_t)
    cdef void _bytes(self, bytes value) except *

    @cython.locals(target="unsigned char *", at=Py_ssize_t)
    cdef void _zeros(self, Py_ssize_t size) except *

    @cython.locals(target="unsigned char *", place=int)
    cdef void _length(self, Py_ssize_t at, Py_ssize_t length, int width) except *

    @cython.locals(missing=Py_ssize_t)
    cdef void _room(self, Py_ssize_t size) except *
