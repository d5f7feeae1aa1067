# Written by `make docs` (tools/check_twins.py) from the source of the same name.
cimport cython
from blastwall.protocols.again cimport Again
from blastwall.protocols.again cimport Repeating
from blastwall.protocols.postgres.conversation cimport Conversation
from blastwall.protocols.postgres.lane cimport Lane
from blastwall.protocols.postgres.requests cimport Requests
from blastwall.protocols.postgres.responses cimport Responses

cdef class PostgresSession(Repeating):
    cdef public object _opening
    cdef public object _phase
    cdef public object _numbers
    cdef public object _client
    cdef public object _early
    cdef public object _login
    cdef public object _look_up
    cdef public object _server
    cdef public object _reset
    cdef public object _view
    cdef public object _user
    cdef public object _label
    cdef public Conversation _conversation
    cdef public Requests _requests
    cdef public Responses _responses
    cdef public Lane _lane
    cdef public object _key
    cdef public dict _cancels
    cdef public object _sides
    cdef public object _last
    cdef public object _tried
    cpdef object receive(self, side, data)
    @cython.locals(again=Again)
    cpdef Again repeated(self, bytes data)
    cpdef object granted(self)
    cpdef Again answered(self, bytes data)
    cpdef object receive_eof(self, side)
    cpdef object dial_failed(self, side, reason)
    cpdef object tls_started(self, side, alpn, certificate)
    cpdef object answer(self, number, answer)
    cpdef object looked_up(self, number, reply)
    cpdef object _go_on(self)
    cpdef object interrupted(self, reason=*)
    cpdef object _interrupt(self, Conversation talk, Requests requests, Responses responses, reason)
    cpdef object reconsider(self)
    cpdef object adopted(self, side, state)
    cpdef object terminate(self, reason)
    cpdef object _receive_client(self, data)
    cpdef object _login_answer(self, answer)
    cpdef object _first_look(self, database, server)
    cpdef object _receive_server(self, data)
    cpdef object _enter(self, outputs)
    cpdef object _own_key(self)
    cpdef object _leaves_nothing(self)
    cpdef object _resetting(self, data)
    cpdef object _cancel(self)
    cpdef object _withdrawals(self)
    cpdef object _unreachable(self, reason, told=*)
    cpdef object _not_let_in(self, failure)
    cpdef object _host_failed(self, reason)
    cpdef object _server_left(self)
    cpdef object _let_go(self)
