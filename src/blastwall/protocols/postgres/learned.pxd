# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.protocols.postgres.pipeline cimport Known
from blastwall.protocols.postgres.pipeline cimport Prepared
from blastwall.protocols.postgres.pipeline cimport Running

@cython.final
cdef class Similar:
    cdef public Known known
    cdef public object template

@cython.final
cdef class Learned:
    cdef public dict queries
    cdef public dict parses
    cdef public dict binds
    cdef public dict shapes
    cdef public dict kept
    cdef public dict similar
    cpdef object parse(self, message, Prepared prepared, Running running)
    cpdef object bind(self, Prepared prepared, Running running)
    cpdef object forget(self)
    cpdef Similar alike(self, bytes message, shaped)
    cpdef object note_alike(self, bytes message, shaped, alike, Similar one)
