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

    #ifdef __linux__
    #define BW_EVENTS(room) ((struct epoll_event *)PyByteArray_AS_STRING(room))

    static CYTHON_INLINE Py_ssize_t bw_ready(PyObject *epoll, int number, PyObject *room) {
        int most = (int)(PyByteArray_GET_SIZE(room) / (Py_ssize_t)sizeof(struct epoll_event));
        int count = epoll_wait(number, BW_EVENTS(room), most < 256 ? most : 256, 0);
        (void)epoll;
        if (count < 0) {
            if (errno == EINTR) return 0;
            PyErr_SetFromErrno(PyExc_OSError);
        }
        return count;
    }
    #define bw_number_of(room, place) (BW_EVENTS(room)[place].data.fd)
    #define bw_mask_of(room, place) ((long long)BW_EVENTS(room)[place].events)
    #else
    static Py_ssize_t bw_ready(PyObject *epoll, int number, PyObject *room) {
        (void)epoll; (void)number; (void)room;
        return 0;
    }
    #define bw_number_of(room, place) (-1)
    #define bw_mask_of(room, place) (0)
    #endif
    """
    object received "bw_received"(object sock, int number, bytearray room)
    Py_ssize_t sent "bw_sent"(object sock, int number, bytes data, Py_ssize_t start) except -1
    Py_ssize_t EVENTS "4096"
    Py_ssize_t ready "bw_ready"(object epoll, int number, bytearray room) except -1
    int number_of "bw_number_of"(bytearray room, Py_ssize_t place)
    long long mask_of "bw_mask_of"(bytearray room, Py_ssize_t place)
