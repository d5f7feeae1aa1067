# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.recording.batch cimport Stream
from blastwall.recording.log cimport NodeLog

@cython.final
cdef class Record:
    cdef public Recorder recorder
    cdef public Stream stream
    cdef public object failed
    cdef public object closed
    cpdef object write(self, events, durable)

@cython.final
cdef class Recorder:
    cdef public object counters
    cdef public object _settings
    cdef public object _folder
    cdef public object _key
    cdef public object _clock
    cdef public object _steady
    cdef public object _trusted
    cdef public object _begun
    cdef public object _workers
    cdef public object _keyring
    cdef public object _anchors
    cdef public object _anchorings
    cdef public object _records
    cdef public object _waiting
    cdef public object _ending
    cdef public object _loop
    cdef public object _sealed
    cdef public object _sealing
    cdef public object _tasks
    cdef public object _stopping
    cdef public object _lock
    cdef public NodeLog _log
    cdef public object _durability
    cdef public object _at_once
    cdef public object _called
    cpdef object append(self, record, events, durable)
    cpdef object flush(self)
    cpdef object _end_sessions(self, log)
    cpdef object _open_for(self, segment)
    cpdef object _fail(self, record, reason)
    cpdef object _fail_all(self, waiting, error)
    cpdef object _leave(self, segment, error)
    cpdef object _spawn(self, work)
    cpdef object _unlock(self)
