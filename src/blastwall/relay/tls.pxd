# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class Tls:
    cdef public object _incoming
    cdef public object _outgoing
    cdef public long long _thread
    cdef public bytes _waiting
    cdef public object _object
    cdef public object _engine
    cdef public object _peer
    cdef public object _wrapping
    cdef public bint established
    cdef public bint ended
    cpdef bytes decrypt(self, bytes data)
    @cython.locals(caller="long long")
    cpdef object _check_thread(self)
    cpdef object _leave_empty(self)
    @cython.locals(sealed=bytes)
    cpdef object _keep_outgoing(self)
    cpdef bytes _shake_hands(self, bytes data)
    cpdef object _shake_wrapped(self, wrapping, data)
    cpdef object _shake(self)
    cpdef object _after_handshake(self, wrapping)
    @cython.locals(most="long long")
    cpdef bytes _plain(self, long long coming)
    @cython.locals(written="long long")
    cpdef bytes encrypt(self, bytes data)
    cpdef bytes _waited(self)
    cpdef bytes outgoing(self)
    cpdef bytes finish(self)
