cimport cython

cdef int _LONGEST_TEXT, _LONGEST_RUN, _INT4_DIGITS
cdef bytes _INT4_MAX, _OPERATORS
cdef int _KEPT, _STRING, _ESCAPED, _INTEGER, _DECIMAL, _BLOCK, _LINE
cdef list _MARKS
cdef int _LINE_FEED, _RETURN, _SPACE, _QUOTE, _DOLLAR, _APOSTROPHE, _CLOSING, _STAR, _MINUS, _DOT, _SLASH, _BACKSLASH

cdef bint _has_nul(const unsigned char *data, Py_ssize_t at, Py_ssize_t size) noexcept
cdef bint _is_digit(unsigned char sign) noexcept
cdef bint _begins_word(unsigned char sign) noexcept
cdef Py_ssize_t _word_end(const unsigned char *data, Py_ssize_t at, Py_ssize_t size) noexcept
@cython.locals(letter=int)
cdef bint _is_prefix(const unsigned char *data, Py_ssize_t start, Py_ssize_t at, Py_ssize_t size) noexcept
cdef Py_ssize_t _quoted_end(const unsigned char *data, Py_ssize_t at, Py_ssize_t size) noexcept
@cython.locals(first=Py_ssize_t)
cdef Py_ssize_t _parameter_end(const unsigned char *data, Py_ssize_t at, Py_ssize_t size) noexcept
@cython.locals(start=Py_ssize_t)
cdef Py_ssize_t _string_end(const unsigned char *data, Py_ssize_t at, Py_ssize_t size) except -2
@cython.locals(start=Py_ssize_t)
cdef Py_ssize_t _escaped_end(const unsigned char *data, Py_ssize_t at, Py_ssize_t size) except -2
cdef bint _is_escape(unsigned char sign) noexcept
@cython.locals(behind=Py_ssize_t)
cdef Py_ssize_t _string_ended(const unsigned char *data, Py_ssize_t start, Py_ssize_t at, Py_ssize_t size) except -2
cdef Py_ssize_t _behind_space(const unsigned char *data, Py_ssize_t at, Py_ssize_t size) noexcept
cdef bint _expands(const unsigned char *data, Py_ssize_t at, Py_ssize_t size) noexcept
@cython.locals(run=Py_ssize_t)
cdef bint _has_long_run(const unsigned char *data, Py_ssize_t start, Py_ssize_t end) except -1
@cython.locals(first=Py_ssize_t)
cdef Py_ssize_t _number_end(const unsigned char *data, Py_ssize_t at, Py_ssize_t size) noexcept
@cython.locals(at=Py_ssize_t)
cdef int _number_kind(const unsigned char *data, Py_ssize_t start, Py_ssize_t end) except -1
@cython.locals(start=Py_ssize_t, depth=Py_ssize_t)
cdef Py_ssize_t _block_end(const unsigned char *data, Py_ssize_t at, Py_ssize_t size) noexcept
@cython.locals(start=Py_ssize_t)
cdef Py_ssize_t _line_end(const unsigned char *data, Py_ssize_t at, Py_ssize_t size) noexcept

@cython.locals(data=bytes)
cpdef tuple shape_of(str text)
@cython.locals(
    data="const unsigned char *", at=Py_ssize_t, size=Py_ssize_t, kept=Py_ssize_t, start=Py_ssize_t,
    sign="unsigned char", mark=int, pieces=list, bounds=list,
)
cpdef tuple shape_in(bytes buffer, Py_ssize_t begin, Py_ssize_t end)
