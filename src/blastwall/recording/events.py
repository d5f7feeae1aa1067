"""Events to JSON and back. The bytes are what is hashed, so nothing depends on encoding an event the same way twice."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from blastwall.model import events
from blastwall.model.events import Event
from blastwall.recording.encryption import SegmentCipher, Undecryptable
from blastwall.recording.frames import NOT_JSON, Record

_TYPES: Mapping[str, type[Event]] = {
    "session_opened": events.SessionOpened,
    "login_asked": events.LoginAsked,
    "login_admitted": events.LoginAdmitted,
    "login_refused": events.LoginRefused,
    "statement_asked": events.StatementAsked,
    "statement_repeated": events.StatementRepeated,
    "statement_ruled": events.StatementRuled,
    "hold_started": events.HoldStarted,
    "hold_ended": events.HoldEnded,
    "statement_refused": events.StatementRefused,
    "statement_withdrawn": events.StatementWithdrawn,
    "statement_injected": events.StatementInjected,
    "statement_limited": events.StatementLimited,
    "budget_spent": events.BudgetSpent,
    "statement_rows": events.StatementRows,
    "statement_finished": events.StatementFinished,
    "session_closed": events.SessionClosed,
}
"""The name of each event in a recording. A name is never reused; a new field of an event has a default."""

_START = b'{"event":"'
_OPENINGS: Mapping[type[Event], bytes] = {
    kind: _START + name.encode() + b'",' for name, kind in _TYPES.items()
}  # fmt: skip
_NAMES: Mapping[type[Event], str] = {kind: name for name, kind in _TYPES.items()}
_DECODERS: Mapping[bytes, msgspec.json.Decoder[Event]] = {
    name.encode(): msgspec.json.Decoder(kind) for name, kind in _TYPES.items()
}


def _plain(value: object) -> object:
    """A read-only mapping is a mapping too."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"an event cannot hold a {type(value).__name__}")


_encode = msgspec.json.Encoder(enc_hook=_plain).encode


class UnreadableEvent(ValueError):
    """A record holds no event that this version knows; the text says which and why."""


def name_of(event: Event) -> str:
    """The event's name in a recording."""
    return _NAMES[type(event)]


def encode(event: Event) -> bytes:
    """Return the event as one JSON object that starts with its name.

    Text that is not Unicode (a lone surrogate) is kept visibly, as a backslash escape.
    """
    opening = _OPENINGS[type(event)]
    try:
        return opening + _encode(event)[1:]
    except UnicodeEncodeError:
        return opening + _encode(_printable(msgspec.to_builtins(event, enc_hook=_plain)))[1:]


def decode(payload: bytes) -> Event:
    """Read one event.

    Raises:
        UnreadableEvent: the payload is not the JSON of a known event.
    """
    end = payload.find(b'"', len(_START))
    decoder = _DECODERS.get(payload[len(_START) : end])
    if decoder is None or not payload.startswith(_START):
        raise UnreadableEvent("no event of a kind that this version of Blastwall knows")
    try:
        return decoder.decode(payload)
    except NOT_JSON as error:
        raise UnreadableEvent(f"its JSON does not hold a {payload[len(_START) : end].decode()}: {error}") from error


def decode_record(record: Record, cipher: SegmentCipher | None) -> Event:
    """Read the event of a record as a file holds it; `cipher` opens an encrypted segment's.

    Raises:
        UnreadableEvent: the payload cannot be decrypted, or is not the JSON of a known event.
    """
    if cipher is None:
        return decode(record.payload)
    try:
        return decode(cipher.decrypt(record.payload, record.header))
    except Undecryptable as error:
        raise UnreadableEvent(str(error)) from error


def _printable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_printable(name): _printable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(inner) for inner in value]
    return value
