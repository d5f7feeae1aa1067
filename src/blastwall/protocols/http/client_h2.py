"""The client's side of a connection in HTTP/2 (RFC 9113): many requests at a time, each to an upstream of its own.

Frames, their order, header compression and flow control are the library h2's. What is here decides when a request is
begun, when its body is taken (only then may the client send more), and what leaves. Requests whose proof nobody has
looked at yet are begun one after the other, since a session is one principal's; another's is told to open a connection
of its own (421).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

from blastwall.protocols.contract import CLIENT, Answer, Close, Send, Side
from blastwall.protocols.http.arriving import Arrived, arrived
from blastwall.protocols.http.client import Opens
from blastwall.protocols.http.exchange import Exchange
from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.fields import check_request
from blastwall.protocols.http.flavour import Refusal, Response
from blastwall.protocols.http.frames import FrameHeads, read_fields
from blastwall.protocols.http.framing import Body, Framing, request_body
from blastwall.protocols.http.heads import MOST_BYTES, MOST_FIELDS, MOST_TARGET, write_fields
from blastwall.protocols.http.normalise import host_of_authority
from blastwall.protocols.http.request import Headers
from blastwall.protocols.http.talk import Talk

AT_ONCE = 16
"""Requests that a client may have under way, and so the most upstream connections of one session."""
_WINDOW = 256 * 1024
"""Bytes of a request's body that may wait here."""
_MOST_RESETS = 256
"""Requests that a client may take back before it is cut off (rapid reset, CVE-2023-44487)."""
_TABLE = 4096
"""Bytes of header fields that were sent and may be referred to: what every end starts with. A client may offer more,
but they would be kept here, and looked through for each field."""

_TARGET = re.compile(rb"[\x21-\x7e]+\Z")
_METHOD = re.compile(rb"[A-Z](?:[A-Z-]{0,22}[A-Z])?\Z")
_OURS = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "content-length", "proxy-connection"})


class StreamReply:
    """One request of a connection; implements `Reply`."""

    frames = False

    def __init__(self, line: Http2Line, number: int) -> None:
        self._line = line
        self.number = number
        self.exchange: Exchange | None = None
        self.arrived: Arrived | None = None
        self.unread = bytearray()
        """What has come of its body and was not taken: in one piece, however many frames it came in."""
        self.owed = 0
        """By so much flow control counts that: with the padding of frames."""
        self.ended = False
        """Whether the client has sent all of its request."""
        self.waiting = bytearray()
        self.ending = False
        self.over = False
        """Whether the client has, or will get, nothing more of the answer."""

    def proceed(self) -> None:
        """See `Reply`."""
        self._line.head(self, [(b":status", b"100")])

    def respond(self, response: Response, *, close: bool) -> None:
        """See `Reply`. A client that still sends is told to stop."""
        head = self.exchange is not None and self.exchange.method == "HEAD"
        length = -1 if response.status in (204, 304) else len(response.body)
        self.begin(response.status, "", response.headers, Framing.LENGTH, length, raw=b"")
        if not head and length > 0:
            self.pass_on([response.body])
        self.finish()

    def begin(self, status: int, reason: str, headers: Headers, framing: Framing, length: int, *, raw: bytes) -> None:
        """See `Reply`."""
        shown = [(name.lower(), value) for name, value in headers if name.lower() not in _OURS]
        write_fields(Headers(shown))  # raises where one of them would be read as something else
        if length >= 0 and framing not in (Framing.CHUNKED, Framing.CLOSE):
            shown.append(("content-length", str(length)))
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in shown]
        self._line.head(self, [(b":status", b"%d" % status), *fields])

    def switch(self, headers: Headers) -> None:
        """See `Reply`: no request in HTTP/2 asks for another protocol in this way."""
        self.cut("there is no WebSocket here")

    def pass_on(self, pieces: list[bytes]) -> None:
        """See `Reply`."""
        if not self.over:
            self.waiting += b"".join(pieces)

    def finish(self) -> None:
        """See `Reply`."""
        self.ending = True

    def cut(self, reason: str) -> None:
        """See `Reply`."""
        self._line.reset(self, ErrorCodes.INTERNAL_ERROR)

    def hand_over(self) -> None:
        """See `Reply`: a connection of many requests cannot become another principal's."""
        self._line.misdirect(self)


class Http2Line:
    """Requests in and answers out, by frames. Outputs are added to the talk's."""

    def __init__(self, talk: Talk, opens: Opens, reached: Callable[[str], str]) -> None:
        self._talk = talk
        self._opens = opens
        self._reached = reached
        self._frames = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._frames.local_settings = Settings(
            client=False,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: AT_ONCE,
                SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: MOST_BYTES,
            },
        )
        self._heads = FrameHeads()
        self._streams: dict[int, StreamReply] = {}
        self._queue: deque[StreamReply] = deque()
        self._taken_back: Exchange | None = None
        """A request that the client took back while its proof is looked at: no other may be meanwhile."""
        self._resets = 0
        self._going = self._leaving = False
        self.closed = False

    def start(self) -> None:
        """Say how this end speaks."""
        self._frames.initiate_connection()
        self._frames.increment_flow_control_window(_WINDOW * AT_ONCE)
        self._write()

    # ── what a session asks ──────────────────────────────────────────────────────────────────────────────────────────

    @property
    def backlog(self) -> int:
        """Nothing waits that flow control does not bound."""
        return 0

    def unsent(self, side: Side) -> int:
        """Bytes of the answer from `side` that the client does not take yet."""
        streams = (stream for stream in self._streams.values() if stream.exchange is not None)
        return sum(
            len(one.waiting) for one in streams if one.exchange is not None and one.exchange.upstream.side == side
        )

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._streams

    @property
    def exchanges(self) -> list[Exchange]:
        """What is under way."""
        under_way = [stream.exchange for stream in self._streams.values() if stream.exchange is not None]
        return under_way if self._taken_back is None else [*under_way, self._taken_back]

    def answer(self, number: int, answer: Answer) -> None:
        """Bring the gate's answer to whoever asked."""
        for exchange in self.exchanges:
            exchange.answer(number, answer)

    def interrupt(self, reason: str) -> None:
        """Stop what was sent first of all that is on its way. What waits for people is not."""
        sent = [exchange for exchange in self.exchanges if exchange.turn]
        if sent:
            min(sent, key=lambda exchange: exchange.turn).stop(503, reason)

    def receive(self, data: bytes) -> None:
        """Take bytes of the client's."""
        try:
            self._heads.check(data)
            for event in self._frames.receive_data(data):
                self._happened(event)
        except (H2Error, Unreadable, ValueError) as fault:
            self._write()
            self.leave(f"the client broke HTTP/2: {type(fault).__name__}")
            return
        self.go_on()

    def go_on(self) -> None:
        """Do what can be done now."""
        if self._going or self.closed:
            return
        self._going = True
        try:
            while self._step():
                pass
            for stream in [*self._streams.values()]:
                self._flush(stream)
            self._write()
            if self._leaving and not self._streams:
                self.close("the client's last request was answered")
        finally:
            self._going = False

    def leave(self, reason: str) -> None:
        """The client is gone, or must be."""
        for exchange in self.exchanges:
            exchange.leave(reason)
        self.close(reason)

    def terminate(self, reason: str) -> None:
        """Tell a client that waits for answers why there will be none, and end the connection."""
        for exchange in self.exchanges:
            exchange.stop(503, reason)
        for stream in [*self._streams.values()]:
            self._flush(stream)
        self._frames.close_connection()
        self._write()
        self.close(reason)

    def close(self, reason: str) -> None:
        """End the connection."""
        if not self.closed:
            self.closed = True
            self._talk.out.append(Close(reason))

    # ── frames ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _happened(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            pairs = [(bytes(name), bytes(value)) for name, value in event.headers or []]
            self._request(event.stream_id or 0, pairs, empty=event.stream_ended is not None)
        elif isinstance(event, DataReceived):
            stream = self._streams.get(event.stream_id or 0)
            if stream is None:
                self._frames.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
            else:
                stream.unread += event.data or b""
                stream.owed += event.flow_controlled_length or 0
        elif isinstance(event, StreamEnded):
            stream = self._streams.get(event.stream_id or 0)
            if stream is not None:
                stream.ended = True
        elif isinstance(event, StreamReset):
            self._was_reset(event.stream_id or 0)
        elif isinstance(event, RemoteSettingsChanged):
            self._remember_little()
        elif isinstance(event, ConnectionTerminated):
            self._leaving = True
            self._answer_on()

    def _answer_on(self) -> None:
        """Have the library send on: a client that begins nothing more gets its answers (RFC 9113, section 6.8)."""
        self._frames.state_machine.state = ConnectionState.SERVER_OPEN

    def _remember_little(self) -> None:
        """Keep few header fields for the client's sake, however many it offers to (RFC 7541, section 4.2)."""
        if self._frames.remote_settings.header_table_size > _TABLE:
            self._frames.encoder.header_table_size = _TABLE

    def _was_reset(self, number: int) -> None:
        stream = self._streams.pop(number, None)
        if stream is None:
            return
        stream.over = True
        if stream in self._queue:
            self._queue.remove(stream)
        if stream.exchange is not None:
            stream.exchange.take_back("the client took its request back")
            self._taken_back = stream.exchange if stream.exchange.proving else self._taken_back
        self._resets += 1
        if self._resets > _MOST_RESETS:
            self._frames.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
            self._write()
            self.leave("the client took too many requests back")

    def _request(self, number: int, pairs: list[tuple[bytes, bytes]], *, empty: bool) -> None:
        stream = self._streams[number] = StreamReply(self, number)
        try:
            stream.arrived = self._read(pairs, empty=empty)
        except Unreadable as fault:
            refusal = Refusal(fault.status, f"the request has {fault}")
            stream.respond(self._talk.flavour.refusal(None, self._talk.resource, refusal), close=False)
        else:
            self._queue.append(stream)

    def _read(self, pairs: list[tuple[bytes, bytes]], *, empty: bool) -> Arrived:
        """Read a request; `empty` says that no body follows."""
        pseudo = {name: value for name, value in pairs if name.startswith(b":")}
        method, target = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
        if len(pairs) > MOST_FIELDS or len(target) > MOST_TARGET:
            raise Unreadable("too many header fields, or a target that is too long", 431)
        if pseudo.get(b":scheme") != b"https" or not _METHOD.match(method) or not _TARGET.match(target):
            raise Unreadable("a method, scheme or path that is none")
        headers = read_fields([(name, value) for name, value in pairs if not name.startswith(b":")], pseudo)
        check_request(headers)
        declared = request_body(headers)
        if empty and declared.framing is Framing.LENGTH:
            raise Unreadable("a body of another length than its Content-Length")
        told = declared.told or declared.framing is Framing.LENGTH
        body = declared if empty else Body.frames(declared.length if told else None)
        talk = self._talk
        return arrived(method.decode(), target.decode(), headers, body, b"", talk.flavour.path, secure=talk.secure)

    # ── one step ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _step(self) -> bool:
        """Begin a request, or take a frame; return whether there may be more to do."""
        if self._taken_back is not None and not self._taken_back.proving:
            self._taken_back = None
        proving = any(exchange.proving for exchange in self.exchanges)
        if self._queue and not proving:
            self._begin(self._queue.popleft())
            return True
        taken = [self._take(stream) for stream in [*self._streams.values()]]
        return any(taken)

    def _begin(self, stream: StreamReply) -> None:
        found = stream.arrived
        if found is None:
            return
        where = self._reached(host_of_authority(found.request.authority))
        if where != self._talk.resource.name:
            self.misdirect(stream)
            return
        exchange = stream.exchange = self._opens.open(stream, found)
        if self._talk.opening.full:
            exchange.stop(503, self._talk.opening.full)
        else:
            exchange.begin()

    def _take(self, stream: StreamReply) -> bool:
        """Give an exchange what has come of its body, and the client leave to send as much again."""
        exchange = stream.exchange
        if exchange is None or exchange.body.done or not exchange.takes:
            return False
        if not stream.owed and not stream.ended:
            return False
        data, size = bytes(stream.unread), stream.owed
        stream.unread.clear()
        stream.owed = 0
        try:
            pieces = exchange.body.take(data, last=stream.ended)
        except Unreadable as fault:
            exchange.stop(400, f"the request has {fault}")
            return False
        exchange.feed(pieces)
        if size and not stream.ended and not stream.over:
            self._frames.acknowledge_received_data(size, stream.number)
        elif size:
            self._frames.increment_flow_control_window(size)
        return True

    def misdirect(self, stream: StreamReply) -> None:
        """Have a client open another connection (RFC 9110, section 15.5.20)."""
        told = "this connection is another's, or leads to another resource: the request needs one of its own"
        refusal = self._talk.flavour.refusal(None, self._talk.resource, Refusal(421, told))
        stream.respond(refusal, close=False)

    def head(self, stream: StreamReply, fields: list[tuple[bytes, bytes]]) -> None:
        """Send header fields, unless the client wants no more of it."""
        if not stream.over:
            self._frames.send_headers(stream.number, fields)

    def reset(self, stream: StreamReply, code: ErrorCodes) -> None:
        """End a request without the rest of its answer."""
        if not stream.over:
            stream.over = True
            self._frames.reset_stream(stream.number, code)
        self._forget(stream)

    def _flush(self, stream: StreamReply) -> None:
        """Send what flow control lets through; a request that is answered is over, whatever the client still sends."""
        frames, waiting = self._frames, stream.waiting
        while waiting and not stream.over:
            size = min(len(waiting), frames.local_flow_control_window(stream.number), frames.max_outbound_frame_size)
            if size <= 0:
                return
            frames.send_data(stream.number, bytes(waiting[:size]))
            del waiting[:size]
        if stream.ending and not stream.over:
            stream.over = True
            frames.end_stream(stream.number)
            if not stream.ended:
                frames.reset_stream(stream.number, ErrorCodes.NO_ERROR)
        if stream.over and stream.ending:
            self._forget(stream)

    def _forget(self, stream: StreamReply) -> None:
        self._streams.pop(stream.number, None)
        stream.unread.clear()
        if stream.owed:
            self._frames.increment_flow_control_window(stream.owed)
            stream.owed = 0

    def _write(self) -> None:
        data = self._frames.data_to_send()
        if data and not self.closed:
            self._talk.out.append(Send(CLIENT, data))
