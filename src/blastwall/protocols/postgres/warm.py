"""Warm connections: reset at a clean end so that a later session may have them, and taken over at its start.

    end of a session    DISCARD ALL, then one query that proves what it did ─▶ Park, or the connection is closed
    start of a session  Adopt ─▶ the new session's label is set, which also shows that the connection lives ─▶ ready
                              └▶ nothing is parked, or it does not answer as it must: log in anew

A session may leave its connection only if it was idle, said goodbye, was never cancelled, and every statement that it
asked for had effects of `REUSABLE` alone. DISCARD ALL does not undo everything: dblink's connections, loaded libraries,
the variables of procedural languages and replication origins stay. All of these need `execute`, `export` or more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blastwall.model.effects import Action
from blastwall.model.resource import Address
from blastwall.protocols.contract import Adopt, Injected, Output, Park, Send, Side
from blastwall.protocols.postgres.hosts import ServerLogin
from blastwall.protocols.postgres.messages import (
    SYNC,
    TERMINATE,
    Bind,
    Execute,
    Named,
    Parse,
    decode_command_tag,
    decode_data_row,
    decode_ready,
    encode_bind,
    encode_close,
    encode_execute,
    encode_parse,
    encode_query,
)
from blastwall.protocols.postgres.startup import CancelKey
from blastwall.sql.postgres import Classified
from blastwall.wire.inbox import HEADER
from blastwall.wire.reader import Malformed

REUSABLE = frozenset({Action.CONNECT, Action.READ, Action.CREATE, Action.UPDATE, Action.DELETE})
"""Actions after which DISCARD ALL leaves nothing behind that a later session could meet."""

DISCARD = "DISCARD ALL"
LABEL = "SELECT pg_catalog.set_config('application_name', $1, false)"
_KEPT = "the connection is kept for this principal's next session"
_TAKEN = "the connection is warm: an earlier session of this principal's opened it"
_MOST = 64 * 1024
"""Bytes of an answer to the gateway's own few questions, by far."""
_SETTING = re.compile(r"[A-Za-z_]+")

_NOTHING_LEFT = """SELECT CASE WHEN pg_catalog.current_setting('role') OPERATOR(pg_catalog.=) 'none'
 AND current_user OPERATOR(pg_catalog.=) session_user
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_listening_channels())
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_prepared_statement())
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_cursor() c WHERE c.is_holdable)
 AND NOT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) AS one(text)
  WHERE (pg_catalog.starts_with(one.text, 'role=') OR pg_catalog.starts_with(one.text, 'session_authorization='))
  AND (s.setrole OPERATOR(pg_catalog.=) 0::pg_catalog.oid
   OR pg_catalog.pg_get_userbyid(s.setrole) OPERATOR(pg_catalog.=) session_user))
 THEN 'clean' ELSE 'used' END"""
"""Whether the session is as after a login. A default `role` of the role's own is not restored: it counts as used."""

Likeness = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Warm:
    """What is known of a parked connection: what the server said at its login, and where it is."""

    status: Mapping[str, str]
    key: CancelKey | None
    host: int
    address: Address


def likeness(parameters: Mapping[str, str]) -> Likeness:
    """Return what two sessions' startup packets must have in common: everything but the label."""
    return tuple(sorted((name, value) for name, value in parameters.items() if name != "application_name"))


def spoils(classified: Classified) -> bool:
    """Whether a session that asked for this leaves its connection to nobody."""
    return bool(classified.doubt) or any(effect.action not in REUSABLE for effect in classified.effects)


class _Answers:
    """Messages of the server's, one after the other."""

    def __init__(self) -> None:
        self._buffer = b""

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """Return the messages that are whole now.

        Raises:
            Malformed: one is unreadable or longer than any that was asked for.
        """
        self._buffer += data
        found = []
        while len(self._buffer) >= HEADER:
            length = int.from_bytes(self._buffer[1:HEADER], "big")
            if not 4 <= length <= _MOST:
                raise Malformed(f"a message of {length} bytes that nobody asked for")
            if len(self._buffer) < 1 + length:
                break
            found.append((self._buffer[:1], self._buffer[HEADER : 1 + length]))
            self._buffer = self._buffer[1 + length :]
        return found


class Reset:
    """The end of a session that leaves its connection behind: reset it, prove it, then `done` or `failed`."""

    _EXPECTED = (b"C", b"Z", b"T", b"D", b"C", b"Z")

    def __init__(self, side: Side, number: int, alike: Likeness, warm: Warm) -> None:
        self._side = side
        self._number = number
        self._alike = alike
        self._warm = warm
        self._names = sorted(warm.status)
        self._answers = _Answers()
        self._position = 0
        self.done = False
        self.failed = not all(_SETTING.fullmatch(name) for name in self._names)

    def start(self) -> list[Output]:
        """Send both texts at once: the second one is looked at only if the first one did what it must."""
        shown = "".join(f", pg_catalog.current_setting('{name}')" for name in self._names)
        check = _NOTHING_LEFT + shown
        return [
            Injected(self._number, DISCARD, _KEPT),
            Injected(self._number, check, _KEPT),
            Send(self._side, encode_query(DISCARD) + encode_query(check)),
        ]

    def receive(self, data: bytes) -> None:
        """Take the answers; anything that was not owed is a failure."""
        try:
            for kind, body in self._answers.feed(data):
                self._take(kind, body)
        except Malformed:
            self.failed = True
        if self._position == len(self._EXPECTED) and not self.failed:
            self.done = not len(self._answers)
            self.failed = not self.done

    def _take(self, kind: bytes, body: bytes) -> None:
        if kind == b"S" and self._position <= 1:
            return  # reported with the command, or since PostgreSQL 14 before ReadyForQuery
        if self._position == len(self._EXPECTED) or kind != self._EXPECTED[self._position]:
            raise Malformed(f"a message {kind!r} that was not owed")
        if kind == b"Z" and decode_ready(body) != b"I":
            raise Malformed("a transaction is open")
        if kind == b"C" and self._position == 0 and decode_command_tag(body) != DISCARD:
            raise Malformed("something else was discarded")
        if kind == b"D" and decode_data_row(body) != self._as_at_login():
            raise Malformed("the session is not as it was at its login")
        self._position += 1

    def _as_at_login(self) -> list[bytes | None]:
        return [b"clean", *(self._warm.status[name].encode() for name in self._names)]

    def park(self) -> Park:
        """Return what leaves the connection to a later session."""
        return Park(self._side, self._alike, self._warm, TERMINATE, dict(self._alike)["database"])


class _Relabelling:
    """The start of a session on a warm connection: its own label, by parameters, so that nothing is ever quoted."""

    _EXPECTED = (b"1", b"2", b"D", b"C", b"3", b"Z")

    def __init__(self, side: Side, label: str) -> None:
        self._side = side
        self._label = label
        self._answers = _Answers()
        self._position = 0

    @property
    def done(self) -> bool:
        return self._position == len(self._EXPECTED) and not len(self._answers)

    def start(self) -> Send:
        return Send(
            self._side,
            encode_parse(Parse("", LABEL))
            + encode_bind(Bind("", "", (), (self._label.encode(),), ()))
            + encode_execute(Execute("", 0))
            + encode_close(Named("S", ""))
            + SYNC,
        )

    def receive(self, data: bytes) -> None:
        """Take the answers.

        Raises:
            Malformed: the connection does not answer as one that was just reset.
        """
        for kind, body in self._answers.feed(data):
            if kind == b"S" and body.startswith(b"application_name\0"):
                continue
            if self._position == len(self._EXPECTED) or kind != self._EXPECTED[self._position]:
                raise Malformed(f"a message {kind!r} that was not owed")
            if kind == b"Z" and decode_ready(body) != b"I":
                raise Malformed("a transaction is open")
            self._position += 1


class WarmLogin:
    """Like `ServerLogin`, which it falls back to: first a connection of this likeness is asked for that is warm."""

    def __init__(self, cold: ServerLogin, side: Side, number: int, parameters: Mapping[str, str]) -> None:
        self._cold = cold
        self._side = side
        self._number = number
        self._label = parameters["application_name"]
        self.likeness = likeness(parameters)
        self._warm: Warm | None = None
        self._relabelling: _Relabelling | None = None

    @property
    def host(self) -> int:
        return self._cold.host if self._warm is None else self._warm.host

    @property
    def address(self) -> Address:
        return self._cold.address if self._warm is None else self._warm.address

    @property
    def ready(self) -> bool:
        return self._cold.ready if self._relabelling is None else self._relabelling.done

    @property
    def buffered(self) -> bytes:
        return self._cold.buffered if self._relabelling is None else b""

    @property
    def status(self) -> Mapping[str, str]:
        return self._cold.status if self._warm is None else self._warm.status

    @property
    def key(self) -> CancelKey | None:
        return self._cold.key if self._warm is None else self._warm.key

    @property
    def notices(self) -> Sequence[bytes]:
        return self._cold.notices if self._warm is None else ()

    def start(self) -> list[Output]:
        return [Adopt(self._side, self.likeness)]

    def adopted(self, state: object) -> list[Output]:
        """Take over what was parked; `state` is what `Reset.park` gave, None where there is nothing."""
        if not isinstance(state, Warm):
            return self._cold.start()
        self._warm, self._relabelling = state, _Relabelling(self._side, self._label)
        return [Injected(self._number, LABEL, _TAKEN), self._relabelling.start()]

    def tls_started(self, certificate: bytes) -> list[Output]:
        return self._cold.tls_started(certificate)

    def receive(self, data: bytes) -> list[Output]:
        if self._relabelling is None:
            return self._cold.receive(data)
        try:
            self._relabelling.receive(data)
        except Malformed:
            return self._log_in_anew()
        return []

    def failed(self, reason: str) -> list[Output]:
        """The connection is lost before it was ready: a warm one may have been closed by the server long ago."""
        return self._cold.failed(reason) if self._relabelling is None else self._log_in_anew()

    def _log_in_anew(self) -> list[Output]:
        self._warm = self._relabelling = None
        return self._cold.start()

    def reset(self) -> Reset:
        """Begin to leave the connection behind."""
        return Reset(self._side, self._number, self.likeness, Warm(self.status, self.key, self.host, self.address))
