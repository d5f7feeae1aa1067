cimport cython

cdef int _LONGEST_TEXT
cdef int _LONGEST_RUN
cdef str _INT4_MAX

cdef bint _is_digit(Py_UCS4 sign) noexcept
cdef bint _begins_word(Py_UCS4 sign) noexcept
cdef Py_ssize_t _word_end(str text, Py_ssize_t at, Py_ssize_t size) except -2
@cython.locals(letter=Py_UCS4)
cdef bint _is_prefix(str text, Py_ssize_t start, Py_ssize_t at, Py_ssize_t size) except -1
cdef Py_ssize_t _quoted_end(str text, Py_ssize_t at, Py_ssize_t size) except -2
@cython.locals(first=Py_ssize_t)
cdef Py_ssize_t _parameter_end(str text, Py_ssize_t at, Py_ssize_t size) except -2
@cython.locals(start=Py_ssize_t, sign=Py_UCS4)
cdef Py_ssize_t _string_end(str text, Py_ssize_t at, Py_ssize_t size) except -2
@cython.locals(start=Py_ssize_t, sign=Py_UCS4)
cdef Py_ssize_t _escaped_end(str text, Py_ssize_t at, Py_ssize_t size) except -2
@cython.locals(behind=Py_ssize_t)
cdef Py_ssize_t _ended(str text, Py_ssize_t at, Py_ssize_t size) except -2
cdef Py_ssize_t _behind_space(str text, Py_ssize_t at, Py_ssize_t size) except -2
cdef bint _expands(str text, Py_ssize_t at, Py_ssize_t size) except -1
@cython.locals(run=Py_ssize_t)
cdef bint _has_long_run(str text, Py_ssize_t start, Py_ssize_t end) except -1
@cython.locals(first=Py_ssize_t)
cdef Py_ssize_t _number_end(str text, Py_ssize_t at, Py_ssize_t size) except -2
@cython.locals(at=Py_ssize_t)
cdef str _number_kind(str text, Py_ssize_t start, Py_ssize_t end)
@cython.locals(start=Py_ssize_t, depth=Py_ssize_t)
cdef Py_ssize_t _block_end(str text, Py_ssize_t at, Py_ssize_t size) except -2
@cython.locals(start=Py_ssize_t)
cdef Py_ssize_t _line_end(str text, Py_ssize_t at, Py_ssize_t size) except -2

@cython.locals(size=Py_ssize_t, at=Py_ssize_t, kept=Py_ssize_t, start=Py_ssize_t, sign=Py_UCS4, mark=str)
cpdef shape_of(str text)
