# Written by `make docs` (tools/check_twins.py): attributes are fields instead of entries of a dictionary.

cdef class Known:
    cdef dict __dict__
    cdef public object standing
    cdef public object classified
    cdef public object rules
    cdef public object guarded
    cdef public object moment
    cdef public object types
    cdef public object described
    cdef public object fields
    cdef public object plan

cdef class Pipeline:
    cdef dict __dict__
    cdef public object _entries
    cdef public object segment
