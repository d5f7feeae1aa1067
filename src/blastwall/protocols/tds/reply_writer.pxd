# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython

@cython.final
cdef class ReplyWriter:
    cdef public long long size
    cdef public object _buffer
    cdef public list _parts
    cdef public long long _held
    cdef public long long _wanted
    cdef public long long _taken
    cdef public long long _sent
    cdef public long long _passed
    cdef public object _ends
    cdef public long long _payload
    cdef public long long _decided
    cdef public long long _before
    cdef public object _framed
    cdef public long long _number
    cdef public long long _spid
    cdef public bint ended
    cdef public bint flushed
    cdef public list ready
    cpdef object feed(self, data)
    @cython.locals(at="long long")
    cpdef object take(self)
    cpdef object keep(self, buffer, start, stop)
    cpdef object put(self, instead, size)
    cpdef object flush(self)
    cpdef object end(self)
    cpdef object _pass(self)
    cpdef object _emit(self)
    cpdef object _begin_framing(self)
    cpdef object _forget(self)
    @cython.locals(at="long long")
    cpdef object _fill(self)
    cpdef object _frame(self, payload, status)
    cpdef object outputs(self)
