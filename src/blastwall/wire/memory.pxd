cdef extern from *:
    """
    #include <string.h>

    static CYTHON_INLINE void bw_copy(
        unsigned char *target, Py_ssize_t at, const unsigned char *source, Py_ssize_t start, Py_ssize_t size
    ) {
        memcpy(target + at, source + start, (size_t)size);
    }

    static CYTHON_INLINE void bw_put_number(
        unsigned char *target, Py_ssize_t at, Py_ssize_t size, unsigned long long number
    ) {
        while (size--) {
            target[at + size] = (unsigned char)number;
            number >>= 8;
        }
    }

    static CYTHON_INLINE Py_ssize_t bw_put_digits(unsigned char *target, Py_ssize_t at, unsigned long long number) {
        unsigned char reversed[20];
        Py_ssize_t count = 0;
        do {
            reversed[count++] = (unsigned char)('0' + number % 10);
            number /= 10;
        } while (number);
        while (count) target[at++] = reversed[--count];
        return at;
    }

    static CYTHON_INLINE Py_ssize_t bw_put_micros(unsigned char *target, Py_ssize_t at, unsigned long long micros) {
        unsigned int rest = (unsigned int)(micros % 1000000);
        int place;
        at = bw_put_digits(target, at, micros / 1000000);
        target[at] = '.';
        for (place = 6; place; place--) {
            target[at + place] = (unsigned char)('0' + rest % 10);
            rest /= 10;
        }
        return at + 7;
    }

    static CYTHON_INLINE unsigned char bw_escape(unsigned char sign) {
        switch (sign) {
            case '"': case 92: return sign;
            case 10: return 'n';
            case 13: return 'r';
            case 9: return 't';
            default: return 0;
        }
    }

    static CYTHON_INLINE Py_ssize_t bw_put_quoted(
        unsigned char *target, Py_ssize_t at, PyObject *text, Py_ssize_t most
    ) {
        const unsigned char *data, *end;
        Py_ssize_t spare;
        if (text == Py_None || !PyUnicode_IS_COMPACT_ASCII(text)) return 0;
        data = (const unsigned char *)PyUnicode_1BYTE_DATA(text);
        end = data + PyUnicode_GET_LENGTH(text);
        spare = most - (end - data);
        if (spare < 0) return 0;
        target[at++] = '"';
        for (; data < end; data++) {
            unsigned char sign = *data;
            if (sign < 32 || sign > 126 || sign == '"' || sign == 92) {
                sign = bw_escape(sign);
                if (!sign || spare-- == 0) return 0;
                target[at++] = 92;
            }
            target[at++] = sign;
        }
        target[at++] = '"';
        return at;
    }

    static CYTHON_INLINE PyObject *bw_taken(const unsigned char *source, Py_ssize_t start, Py_ssize_t stop) {
        return PyBytes_FromStringAndSize((const char *)source + start, stop - start);
    }

    static CYTHON_INLINE int bw_same(PyObject *source, Py_ssize_t start, Py_ssize_t stop, PyObject *other) {
        Py_ssize_t size = PyBytes_GET_SIZE(other);
        return stop - start == size && stop <= PyBytes_GET_SIZE(source)
            && memcmp(PyBytes_AS_STRING(source) + start, PyBytes_AS_STRING(other), (size_t)size) == 0;
    }

    static CYTHON_INLINE PyObject *bw_text(PyObject *source, Py_ssize_t start, Py_ssize_t stop) {
        return PyUnicode_DecodeUTF8(PyBytes_AS_STRING(source) + start, stop - start, NULL);
    }

    static CYTHON_INLINE Py_ssize_t bw_find(const unsigned char *source, int byte, Py_ssize_t start, Py_ssize_t stop) {
        const unsigned char *found =
            start < stop ? (const unsigned char *)memchr(source + start, byte, (size_t)(stop - start)) : NULL;
        return found == NULL ? -1 : found - source;
    }
    """
    void copy "bw_copy"(
        unsigned char *target, Py_ssize_t at, const unsigned char *source, Py_ssize_t start, Py_ssize_t size
    ) noexcept
    void put_number "bw_put_number"(
        unsigned char *target, Py_ssize_t at, Py_ssize_t size, unsigned long long number
    ) noexcept
    Py_ssize_t put_digits "bw_put_digits"(unsigned char *target, Py_ssize_t at, unsigned long long number) noexcept
    Py_ssize_t put_micros "bw_put_micros"(unsigned char *target, Py_ssize_t at, unsigned long long micros) noexcept
    Py_ssize_t put_quoted "bw_put_quoted"(unsigned char *target, Py_ssize_t at, str text, Py_ssize_t most) noexcept
    bytes taken "bw_taken"(const unsigned char *source, Py_ssize_t start, Py_ssize_t stop)
    bint same "bw_same"(bytes source, Py_ssize_t start, Py_ssize_t stop, bytes other) noexcept
    str text "bw_text"(bytes source, Py_ssize_t start, Py_ssize_t stop)
    Py_ssize_t find "bw_find"(const unsigned char *source, int byte, Py_ssize_t start, Py_ssize_t stop) noexcept
