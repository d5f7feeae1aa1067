# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class Tls:
    cdef public object _incoming
    cdef public object _outgoing
    cdef public object _waiting
    cdef public object _object
    cdef public object _peer
    cdef public object _wrapping
    cdef public object established
    cdef public object ended
    cpdef object _check_thread(self)
    cpdef object _leave_empty(self)
    cpdef object _shake_wrapped(self, wrapping, data)
    cpdef object _shake(self)
    cpdef object _after_handshake(self, wrapping)
    cpdef object _decrypt(self)
    cpdef object encrypt(self, data)
    cpdef object outgoing(self)
    cpdef object finish(self)
