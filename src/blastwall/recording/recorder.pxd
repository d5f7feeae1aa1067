# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class Record:
    cdef dict __dict__
    cdef public object recorder
    cdef public object stream
    cdef public object failed
    cdef public object closed

cdef class Recorder:
    cdef dict __dict__
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
    cdef public object _log
    cdef public object _durability
