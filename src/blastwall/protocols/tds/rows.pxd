cimport cython

cdef int _ROW, _NBC_ROW, _FIXED, _BYTE, _EXACT, _SHORT, _LONG, _VARIANT, _PARTS, _POINTER
cdef long long _LARGEST

@cython.final
cdef class RowPlan:
    cdef public Py_ssize_t count
    cdef public Py_ssize_t bitmap
    cdef public long long[::1] prefixes
    cdef public long long[::1] sizes
    cdef public tuple nulls
    cdef public tuple types

@cython.final
cdef class RowWalk:
    cdef public RowPlan plan
    cdef public Py_ssize_t rows
    cdef public Py_ssize_t whole
    cdef public Py_ssize_t _column
    cdef public long long _left
    cdef public bint _parts
    cdef public long long _owed
    cdef public bint _single
    cdef public bytes _bitmap

    cpdef object begin_single(self)

    @cython.locals(begun=Py_ssize_t, reached=Py_ssize_t)
    cpdef Py_ssize_t walk(self, bytes buffer, Py_ssize_t at, Py_ssize_t stop) except -1

    @cython.locals(data="const unsigned char *", step="long long")
    cdef Py_ssize_t _through(self, bytes buffer, Py_ssize_t at, Py_ssize_t stop) except -1

    cdef void _end(self, Py_ssize_t at) noexcept

    @cython.locals(data="const unsigned char *", kind=int)
    cdef Py_ssize_t _begin(self, bytes buffer, Py_ssize_t at, Py_ssize_t stop) except -2

    @cython.locals(
        data="const unsigned char *", plan=RowPlan, nulls="const unsigned char *", compressed=bint,
        prefixes="long long[::1]", sizes="long long[::1]", count=Py_ssize_t, column=Py_ssize_t, prefix="long long",
        head=Py_ssize_t,
    )
    cdef Py_ssize_t _values(self, bytes buffer, Py_ssize_t at, Py_ssize_t stop) except? -1

    @cython.locals(low="long long", high="long long")
    cdef void _begin_parts(self, const unsigned char *data, Py_ssize_t at) except *

    cdef void _next_part(self, long long length) except *

@cython.locals(left=Py_ssize_t, pointer=Py_ssize_t)
cdef Py_ssize_t head_of(const unsigned char *data, Py_ssize_t at, Py_ssize_t stop, long long prefix) noexcept

@cython.locals(length="long long")
cdef long long length_behind(
    const unsigned char *data, Py_ssize_t at, Py_ssize_t head, long long prefix, long long size
) except -1

@cython.locals(value="long long")
cdef long long uint32(const unsigned char *data, Py_ssize_t at) noexcept
