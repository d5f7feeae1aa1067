# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.recording.batch cimport Stream
from blastwall.recording.log cimport NodeLog
from blastwall.recording.segments cimport OpenSegment

@cython.final
cdef class Record:
    cdef public Recorder recorder
    cdef public Stream stream
    cdef public object failed
    cdef public object closed
    cpdef object write(self, events, durable)
    cpdef object repeated(self, double at, long long number, long long first, values, text, durable)
    cpdef object finished(self, double at, long long number, long long rows, long long affected, long long size, double seconds, failed)

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
    cdef public bint _wanted
    cdef public bint _noted
    cpdef object append(self, Record record, events, durable)
    cpdef NodeLog ready(self, Record record)
    cpdef object fail(self, Record record, error)
    cpdef object took(self, OpenSegment before)
    cpdef object wait(self, Record record, durable)
    cpdef object expect(self, Record record, durable)
    cpdef object note(self, Record record, failed)
    cpdef object _arm(self)
    cpdef object write_awaited(self)
    cpdef object flush(self)
    cpdef object _end_sessions(self, NodeLog log)
    cpdef object _open_for(self, segment)
    cpdef object _fail(self, Record record, reason)
    cpdef object _fail_all(self, waiting, error)
    cpdef object _leave(self, OpenSegment segment, error)
    cpdef object _spawn(self, work)
    cpdef object _unlock(self)
