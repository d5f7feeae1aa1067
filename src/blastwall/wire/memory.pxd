cdef extern from *:
    """
    #include <string.h>

    static CYTHON_INLINE void bw_copy(
        unsigned char *target, Py_ssize_t at, const unsigned char *source, Py_ssize_t start, Py_ssize_t size
    ) {
        memcpy(target + at, source + start, (size_t)size);
    }

    static CYTHON_INLINE PyObject *bw_taken(const unsigned char *source, Py_ssize_t start, Py_ssize_t stop) {
        return PyBytes_FromStringAndSize((const char *)source + start, stop - start);
    }

    static CYTHON_INLINE int bw_same(PyObject *source, Py_ssize_t at, PyObject *other) {
        Py_ssize_t size = PyBytes_GET_SIZE(other);
        return size <= PyBytes_GET_SIZE(source) - at
            && memcmp(PyBytes_AS_STRING(source) + at, PyBytes_AS_STRING(other), (size_t)size) == 0;
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
    bytes taken "bw_taken"(const unsigned char *source, Py_ssize_t start, Py_ssize_t stop)
    bint same "bw_same"(bytes source, Py_ssize_t at, bytes other) noexcept
    str text "bw_text"(bytes source, Py_ssize_t start, Py_ssize_t stop)
    Py_ssize_t find "bw_find"(const unsigned char *source, int byte, Py_ssize_t start, Py_ssize_t stop) noexcept
