# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.gate.each cimport Awaiting
from blastwall.gate.each cimport QuickRecord
from blastwall.recording.batch cimport Batch
from blastwall.recording.log cimport NodeLog
from blastwall.recording.segments cimport OpenSegment
from blastwall.recording.streams cimport Stream

@cython.final
cdef class Counters:
    cdef public long long sessions
    cdef public long long events
    cdef public long long failures
    cdef public long long checkpoints
    cdef public long long anchor_failures
    cdef public long long segments_removed

@cython.final
cdef class Told:
    cdef public list waiting
    cdef public list expected
    cdef public list awaiting
    cdef public list noted
    cdef public list noting
    cdef public bint lost
    cpdef bint nobody(self) except -1
    cpdef object records(self)
    cpdef object clear(self)

cdef class Record(QuickRecord):
    cdef public Recorder recorder
    cdef public Stream stream
    cdef public object failed
    cdef public bint closed
    cpdef object write(self, events, durable)
    @cython.locals(recorder=Recorder, log=NodeLog)
    cpdef object repeated(self, double at, long long number, long long first, values, text, Awaiting awaiting)
    @cython.locals(recorder=Recorder, log=NodeLog)
    cpdef object plain_end(self, double at, long long number, long long rows, long long affected, long long size, double seconds, Awaiting awaiting)
    cpdef NodeLog _place(self)
    cpdef long long part_now(self) except *

@cython.final
cdef class Recorder:
    cdef public Counters counters
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
    cdef public list _anchorings
    cdef public dict _records
    cdef public Told _told
    cdef public Told _spare
    cdef public object _ending
    cdef public object _loop
    cdef public list _sealed
    cdef public object _sealing
    cdef public set _tasks
    cdef public object _stopping
    cdef public object _lock
    cdef public NodeLog _log
    cdef public object _durability
    cdef public bint _at_once
    cdef public bint _called
    cdef public bint _wanted
    cdef public bint _noted
    cpdef long long part_now(self) except *
    cpdef object append(self, Record record, events, durable)
    cpdef NodeLog ready(self, Record record)
    cpdef object fail(self, Record record, error)
    cpdef object took(self, OpenSegment before)
    cpdef object wait(self, Record record, durable)
    cpdef object expect(self, Record record, Awaiting awaiting)
    cpdef object note(self, Record record, Awaiting awaiting)
    cpdef object _arm(self)
    cpdef object write_awaited(self)
    @cython.locals(log=NodeLog, told=Told, spare=Told, batch=Batch)
    cpdef object flush(self)
    @cython.locals(place="long long", record=Record, awaiting=Awaiting)
    cpdef object _tell(self, Told told)
    cpdef object _end_sessions(self, NodeLog log)
    cpdef object _open_for(self, segment)
    cpdef object _fail(self, Record record, reason)
    cpdef object _fail_all(self, Told told, error)
    cpdef object _leave(self, OpenSegment segment, error)
    cpdef object _spawn(self, work)
    cpdef object _unlock(self)
