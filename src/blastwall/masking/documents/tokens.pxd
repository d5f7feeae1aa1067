cimport cython

from blastwall.masking.fast.cells cimport Cells
from blastwall.masking.fast.numbers cimport digits_end
from blastwall.wire cimport memory

cdef int _VALUE, _FIRST_VALUE, _KEY, _FIRST_KEY, _COLON, _AFTER, _DOCUMENT
cdef int _KEPT, _NULL
cdef int _KEY_KIND, _TEXT_KIND, _ESCAPED_KIND, _NUMBER_KIND, _CHOSEN_KIND, _SCALAR_KIND
cdef int _HIDDEN_KIND, _DROPPED_KIND, _CUT_KIND
cdef int _QUOTE, _BACKSLASH, _COMMA, _COLON_SIGN, _MINUS, _PLUS, _POINT, _ZERO
cdef int _OPEN_OBJECT, _CLOSE_OBJECT, _OPEN_ARRAY, _CLOSE_ARRAY, _LOWER_E, _LOWER_U
cdef int _MOST_SIZE, _STRIDE, _LONG_NUMBER, _LONGEST_NUMBER
cdef int _SPACE, _PLAIN, _DIGIT, _HEX, _ESCAPE, _OF_NUMBER
cdef bytes _CLASS, _NOTHING, _REDACTED
cdef tuple _WORDS

cdef class Tokens:
    cdef public object keys
    cdef public bytearray acts
    cdef public list known, sizes, elements
    cdef public Py_ssize_t root, most_depth, longest, depth, state, hidden, resumed, count
    cdef public bint scanned, escaped, cutting, begun
    cdef public int expected
    cdef public bytearray kinds
    cdef public long long[::1] states
    cdef public object room
    cdef public long long[::1] found
    cdef public list asked

    cpdef Py_ssize_t read(self, bytes buffer, bint final) except -1

    @cython.locals(data="const unsigned char *", classes="const unsigned char *", at=Py_ssize_t, end=Py_ssize_t)
    cdef Py_ssize_t _read(self, bytes buffer, Py_ssize_t stop, bint final) except -1

    cdef Py_ssize_t _mark(self, bytes buffer, Py_ssize_t stop, bint final) except -1

    @cython.locals(data="const unsigned char *", byte=int, expected=int)
    cdef Py_ssize_t _token(self, bytes buffer, Py_ssize_t at, Py_ssize_t stop, bint final) except? -1

    @cython.locals(inside=int)
    cdef Py_ssize_t _after(self, int byte, Py_ssize_t at) except? -1

    @cython.locals(state=Py_ssize_t)
    cdef Py_ssize_t _open(self, int byte, Py_ssize_t at) except? -1

    cdef Py_ssize_t _close(self, Py_ssize_t at) except? -1

    cdef int _ended(self) except -1

    @cython.locals(end=Py_ssize_t, escaped=bint, state=Py_ssize_t, act=int)
    cdef Py_ssize_t _string(self, bytes buffer, Py_ssize_t at, Py_ssize_t stop) except? -1

    @cython.locals(state=Py_ssize_t, found=Py_ssize_t, raw=bytes, known=dict)
    cdef int _key(self, bytes buffer, Py_ssize_t start, Py_ssize_t end, bint escaped) except -1

    @cython.locals(
        data="const unsigned char *", sizes=bytes, table="const unsigned char *", place=Py_ssize_t
    )
    cdef bint _matters(self, bytes buffer, Py_ssize_t start, Py_ssize_t end, Py_ssize_t state) except -1

    @cython.locals(data="const unsigned char *", classes="const unsigned char *", end=Py_ssize_t)
    cdef Py_ssize_t _string_end(self, bytes buffer, Py_ssize_t at, Py_ssize_t stop) except? -1

    @cython.locals(end=Py_ssize_t)
    cdef Py_ssize_t _incomplete(self, bytes buffer, Py_ssize_t at, Py_ssize_t stop) except -1

    @cython.locals(end=Py_ssize_t, place=Py_ssize_t)
    cdef Py_ssize_t _cut(self, bytes buffer, Py_ssize_t stop) except -1

    @cython.locals(
        data="const unsigned char *", classes="const unsigned char *", first=Py_ssize_t, number=bint, end=Py_ssize_t
    )
    cdef Py_ssize_t _scalar(self, bytes buffer, Py_ssize_t at, Py_ssize_t stop, bint final) except? -1

    @cython.locals(data="const unsigned char *", classes="const unsigned char *", end=Py_ssize_t)
    cdef Py_ssize_t _number_end(self, bytes buffer, Py_ssize_t at, Py_ssize_t stop, bint final) except? -1

    @cython.locals(word=bytes)
    cdef Py_ssize_t _word_end(self, bytes buffer, Py_ssize_t at, Py_ssize_t stop, bint final) except? -1

    @cython.locals(place=Py_ssize_t)
    cdef int _note(self, Py_ssize_t start, Py_ssize_t end, int kind, Py_ssize_t state) except -1

    cdef int _grow(self) except -1

    @cython.locals(
        found="long long[::1]", view="long long[::1]", number=Py_ssize_t, place=Py_ssize_t, read=bint
    )
    cpdef Cells cells(self, bytes buffer)

    @cython.locals(
        data="const unsigned char *", text=bytearray, found="long long[::1]", shown="long long[::1]", size=Py_ssize_t,
        number=Py_ssize_t, written=bytearray, target="unsigned char *", kept=Py_ssize_t, at=Py_ssize_t,
        length=Py_ssize_t, place=Py_ssize_t, kind=int, start=Py_ssize_t, end=Py_ssize_t, instead=bytes,
    )
    cpdef bytes written(self, Cells cells, Py_ssize_t stop)

@cython.locals(data="const unsigned char *", classes="const unsigned char *", place=Py_ssize_t)
cdef Py_ssize_t escape_end(bytes buffer, Py_ssize_t at, Py_ssize_t stop) except? -1

@cython.locals(data="const unsigned char *", first=Py_ssize_t, place=Py_ssize_t)
cdef Py_ssize_t number_end(bytes buffer, Py_ssize_t at, Py_ssize_t stop) except? -1
