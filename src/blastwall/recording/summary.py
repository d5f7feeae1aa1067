"""Sessions in short: what a segment holds of a session, and the sum over segments, which lists and searches read."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import msgspec
import zstandard

from blastwall.model.effects import Effect
from blastwall.model.events import (
    Event,
    HoldStarted,
    LoginAdmitted,
    LoginAsked,
    LoginRefused,
    SessionClosed,
    SessionOpened,
    StatementAsked,
    StatementFinished,
    StatementRefused,
    StatementRepeated,
)
from blastwall.recording.encryption import SegmentCipher
from blastwall.recording.frames import NOT_JSON

MAX_EFFECTS = 512
"""Distinct effects kept of a session in one segment; beyond it `partial` is set and a search reads the records."""


MAX_INDEX = 1 << 30
"""Bytes of an index, decompressed; far more than any segment's sessions need."""


_UNREADABLE = (*NOT_JSON, zstandard.ZstdError)


@lru_cache(maxsize=4096)
def pair_of(effect: Effect) -> tuple[str, str]:
    """An effect as an index keeps it: its action and its object's id below the resource."""
    return effect.action.value, effect.object.id_below("")[1:]


class Portion(msgspec.Struct, omit_defaults=True):
    """What one segment holds of one session; `last` and `head` are its last record's number and hash there.

    `effects` are (action, object id) pairs; counts are of this segment alone. `sent`
    is bytes of answers; indexes that were written before it was counted say 0.
    """

    stream: int
    session: str
    first: int
    last: int = -1
    head: str = ""
    started: float = 0.0
    ended: float = 0.0
    resource: str = ""
    kind: str = ""
    source: str = ""
    principal: str = ""
    principal_kind: str = ""
    user: str = ""
    database: str = ""
    application: str = ""
    statements: int = 0
    refused: int = 0
    held: int = 0
    failed: int = 0
    rows: int = 0
    masked: int = 0
    effects: set[tuple[str, str]] = msgspec.field(default_factory=set)
    partial: bool = False
    reason: str = ""
    closed: bool = False
    sent: int = 0

    def add(self, event: Event) -> None:
        """Count one event in."""
        if not self.started:
            self.started = event.at
        self.ended = event.at
        if type(event) is StatementRepeated:
            self.statements += 1
        elif type(event) is StatementFinished:
            self.rows += event.rows
            self.sent += event.bytes
            self.failed += event.error is not None
            if event.masked:
                self.masked += sum(event.masked.values())
        else:
            self._add_rare(event)

    def repeat(self, began: float, ended: float, statements: int, rows: int, sent: int) -> None:
        """Count statements that were repeated, and answers that hid nothing and did not fail."""
        if not self.started:
            self.started = began
        self.ended = ended
        self.statements += statements
        self.rows += rows
        self.sent += sent

    def _add_rare(self, event: Event) -> None:
        match event:
            case StatementAsked():
                self.statements += 1
                self._take_effects(event)
            case StatementRefused():
                self.refused += 1
            case HoldStarted():
                self.held += 1
            case SessionClosed():
                self.reason, self.closed = event.reason, True
            case SessionOpened() | LoginAsked() | LoginAdmitted() | LoginRefused():
                self._take_login(event)
            case _:
                pass

    def _take_effects(self, event: StatementAsked) -> None:
        for effect in event.effects:
            pair = pair_of(effect)
            if pair not in self.effects:
                if len(self.effects) >= MAX_EFFECTS:
                    self.partial = True
                else:
                    self.effects.add(pair)

    def _take_login(self, event: SessionOpened | LoginAsked | LoginAdmitted | LoginRefused) -> None:
        match event:
            case SessionOpened():
                self.resource, self.kind, self.source = event.resource, event.kind, event.source
            case LoginAsked():
                self.user, self.database, self.application = event.user, event.database, event.application
            case LoginAdmitted():
                self.principal, self.principal_kind = event.principal, event.principal_kind
            case LoginRefused():
                self.principal = self.principal or event.principal
                self.refused += 1


class Summary(Portion, omit_defaults=False, kw_only=True):
    """A whole session in short, from all portions that are still there.

    `open` while it runs; `why` is who closed it where it did not end itself; `shortened` where retention deleted a
    part of it; `damaged` where a part cannot be read; `locked` names the keys that are not at hand and without which
    all or a part of it cannot be decrypted.
    """

    node: str
    open: bool = False
    why: str = ""
    shortened: bool = False
    damaged: bool = False
    locked: tuple[str, ...] = ()


_TEXTS = ("resource", "kind", "source", "principal", "principal_kind", "user", "database", "application", "reason")
_COUNTS = ("statements", "refused", "held", "failed", "rows", "masked", "sent")


def summarise(node: str, portions: Iterable[Portion]) -> Summary:
    """Add up a session's portions, oldest first; there is at least one."""
    ordered = list(portions)
    first, last = ordered[0], ordered[-1]
    summary = Summary(stream=first.stream, session=first.session, first=first.first, node=node)
    summary.last, summary.head, summary.started, summary.ended = last.last, last.head, first.started, last.ended
    for portion in ordered:
        for name in _TEXTS:
            setattr(summary, name, getattr(portion, name) or getattr(summary, name))
        for name in _COUNTS:
            setattr(summary, name, getattr(summary, name) + getattr(portion, name))
        summary.effects |= portion.effects
        summary.partial |= portion.partial
        summary.closed |= portion.closed
    return summary


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(list[Portion])


def encode_index(portions: Iterable[Portion], cipher: SegmentCipher | None) -> bytes:
    """A segment's index: zstd over JSON, encrypted where the segment is."""
    index = zstandard.ZstdCompressor(level=1).compress(_encoder.encode(list(portions)))
    return index if cipher is None else cipher.encrypt_index(index)


def decode_index(data: bytes, cipher: SegmentCipher | None) -> list[Portion]:
    """Read a segment's index.

    Raises:
        ValueError: it is none.
    """
    if cipher is not None:
        data = cipher.decrypt_index(data)
    try:
        with zstandard.ZstdDecompressor().stream_reader(data) as reader:
            return _decoder.decode(reader.read(MAX_INDEX))
    except _UNREADABLE as error:
        raise ValueError(f"not an index: {error}") from error
