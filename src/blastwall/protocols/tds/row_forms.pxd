cimport cython

from blastwall.protocols.tds.rows cimport RowPlan

cdef int _ROW, _NBC, _FIXED, _EXACT, _SHORT, _VARIANT, _PARTS, _POINTER, _NO_SHORT, _STAMP
cdef bytes _LENGTHS
cdef long long _ONES, _ONES_BUT_ONE

@cython.locals(stop=Py_ssize_t, data="const unsigned char *", rows=Py_ssize_t, needed=Py_ssize_t, end=Py_ssize_t)
cpdef tuple whole_rows(RowPlan plan, bytes buffer, Py_ssize_t position, Py_ssize_t most)

@cython.locals(at=Py_ssize_t, bitmap=Py_ssize_t, column=Py_ssize_t)
cdef Py_ssize_t row_end(RowPlan plan, const unsigned char *data, Py_ssize_t position, Py_ssize_t stop) except? -1

@cython.locals(form="long long", most="long long", size="long long", head=Py_ssize_t, end=Py_ssize_t)
cpdef Py_ssize_t value_end(
    RowPlan plan, const unsigned char *data, Py_ssize_t column, Py_ssize_t at, Py_ssize_t stop
) except? -1

@cython.locals(end=Py_ssize_t)
cpdef Py_ssize_t head_end(const unsigned char *data, long long form, Py_ssize_t at, Py_ssize_t stop) noexcept

@cython.locals(size="long long")
cpdef long long value_size(const unsigned char *data, long long form, Py_ssize_t at, Py_ssize_t head) noexcept

@cython.locals(low="long long", high="long long", known=bint, begin=Py_ssize_t, total="long long", size="long long")
cdef Py_ssize_t parts_end(const unsigned char *data, Py_ssize_t at, Py_ssize_t stop, long long most) except? -1

@cython.locals(value="long long")
cpdef long long uint32(const unsigned char *data, Py_ssize_t at) noexcept
