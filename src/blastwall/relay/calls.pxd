cdef extern from *:
    """
    #include <errno.h>
    #include <sys/types.h>
    #include <sys/socket.h>
    #ifdef __linux__
    #include <sys/epoll.h>
    #endif

    #ifndef MSG_NOSIGNAL
    #define MSG_NOSIGNAL 0
    #endif

    static CYTHON_INLINE int bw_not_now(void) {
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    }

    static CYTHON_INLINE PyObject *bw_received(PyObject *sock, int number, PyObject *room) {
        ssize_t count = recv(number, PyByteArray_AS_STRING(room), (size_t)PyByteArray_GET_SIZE(room), 0);
        (void)sock;
        if (count < 0) {
            if (bw_not_now()) Py_RETURN_NONE;
            return PyErr_SetFromErrno(PyExc_OSError);
        }
        return PyBytes_FromStringAndSize(PyByteArray_AS_STRING(room), count);
    }

    static CYTHON_INLINE Py_ssize_t bw_sent(PyObject *sock, int number, PyObject *data, Py_ssize_t start) {
        size_t left = (size_t)(PyBytes_GET_SIZE(data) - start);
        ssize_t count = send(number, PyBytes_AS_STRING(data) + start, left, MSG_NOSIGNAL);
        (void)sock;
        if (count < 0) {
            if (bw_not_now()) return 0;
            PyErr_SetFromErrno(PyExc_OSError);
        }
        return count;
    }

    static CYTHON_INLINE PyObject *bw_ready(PyObject *epoll, int number) {
    #ifdef __linux__
        struct epoll_event events[256];
        int place, count = epoll_wait(number, events, 256, 0);
        PyObject *found;
        (void)epoll;
        if (count < 0) {
            if (errno != EINTR) return PyErr_SetFromErrno(PyExc_OSError);
            count = 0;
        }
        found = PyList_New(count);
        for (place = 0; found != NULL && place < count; place++) {
            PyObject *pair = Py_BuildValue("(iI)", (int)events[place].data.fd, (unsigned int)events[place].events);
            if (pair == NULL) Py_CLEAR(found);
            else PyList_SET_ITEM(found, place, pair);
        }
        return found;
    #else
        (void)number;
        return PyObject_CallMethod(epoll, "poll", "ii", 0, 256);
    #endif
    }
    """
    object received "bw_received"(object sock, int number, bytearray room)
    Py_ssize_t sent "bw_sent"(object sock, int number, bytes data, Py_ssize_t start) except -1
    list ready "bw_ready"(object epoll, int number)
