"""The node's chain: what happened to the recordings themselves, so that a session or segment that is gone is missed.

It is the record stream 0 of `frames`, in a file of its own that retention never touches. A checkpoint or a removal is
a signed statement; everything before a checkpoint, the open segment's content included, is covered by its signature.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from blastwall.recording.encryption import Wrapped
from blastwall.recording.files import AppendFile
from blastwall.recording.frames import NOT_JSON, Broken, Record, build, read, seed
from blastwall.recording.keys import Signed

FORMAT = 1
STREAM = 0


class Started(msgspec.Struct, frozen=True, tag_field="entry", tag="started"):
    """A gateway began to write; `key` is the fingerprint of its signing key.

    `workers` is how many chains the node has, so that one that is gone is missed.
    """

    at: float
    node: str
    key: str
    format: int = FORMAT
    workers: int = 1


class Begun(msgspec.Struct, frozen=True, tag_field="entry", tag="segment_begun"):
    """A segment's file was made; where it is encrypted, `wrapped` is its key."""

    at: float
    segment: int
    wrapped: Wrapped | None = None


class Opened(msgspec.Struct, frozen=True, tag_field="entry", tag="session_opened"):
    """A session got its stream; its first record is in `segment` or a later one."""

    at: float
    stream: int
    session: str
    segment: int


class Closed(msgspec.Struct, frozen=True, tag_field="entry", tag="session_closed"):
    """A session's head: it has `count` records, the last with hash `head`. `why` is empty where it ended itself."""

    at: float
    stream: int
    session: str
    count: int
    head: str
    why: str = ""


class Ended(msgspec.Struct, frozen=True, tag_field="entry", tag="segment_ended"):
    """Nothing is appended to a segment any more; this is its content."""

    at: float
    segment: int
    size: int
    digest: str


class Sealed(msgspec.Struct, frozen=True, tag_field="entry", tag="segment_sealed"):
    """An ended segment's content (`size`, `digest`), and the files that hold it compressed and in short."""

    at: float
    segment: int
    size: int
    digest: str
    stored: int
    stored_digest: str
    index_digest: str
    last_at: float


class Checkpointed(msgspec.Struct, frozen=True, tag_field="entry", tag="checkpoint"):
    """`signed` holds a `Checkpoint`; the same text is what anchors get."""

    at: float
    signed: Signed


class Removed(msgspec.Struct, frozen=True, tag_field="entry", tag="segment_removed"):
    """`signed` holds a `Removal`."""

    at: float
    signed: Signed


class Recovered(msgspec.Struct, frozen=True, tag_field="entry", tag="recovered"):
    """The gateway before was killed: how many torn bytes were cut off, how many sessions were closed."""

    at: float
    sessions: int
    torn_segment: int
    torn_chain: int


class Stopped(msgspec.Struct, frozen=True, tag_field="entry", tag="stopped"):
    """The gateway stopped by itself, with nothing left open."""

    at: float


Entry = Started | Begun | Opened | Closed | Ended | Sealed | Checkpointed | Removed | Recovered | Stopped


class Checkpoint(msgspec.Struct, frozen=True, tag_field="statement", tag="checkpoint"):
    """Signed: the chain has `entries` entries, the last with hash `head`; the open segment begins with these bytes.

    `segment` is 0 where none is open.
    """

    node: str
    sequence: int
    at: float
    entries: int
    head: str
    segment: int
    size: int
    digest: str


class Removal(msgspec.Struct, frozen=True, tag_field="statement", tag="removal"):
    """Signed: retention deleted `segment`, whose content had this digest. It stands as entry number `entry`.

    `continues` holds, for each stream that may go on in a later segment, its last number and hash in this one.
    """

    node: str
    at: float
    entry: int
    segment: int
    digest: str
    why: str
    continues: dict[str, tuple[int, str]]


_encode = msgspec.json.Encoder().encode
_entry = msgspec.json.Decoder(Entry)
_statement = msgspec.json.Decoder(Checkpoint | Removal)


def statement_text(statement: Checkpoint | Removal) -> str:
    """The exact text that is signed."""
    return _encode(statement).decode()


def statement_of(signed: Signed) -> Checkpoint | Removal | None:
    """Read a signed statement, None where it is none; its signature is not looked at."""
    try:
        statement: Checkpoint | Removal = _statement.decode(signed.statement)
    except NOT_JSON:
        return None
    return statement


class ChainWriter:
    """Appends entries to a node's chain."""

    def __init__(self, path: Path, number: int = 0, head: bytes | None = None) -> None:
        """Open the chain, which has `number` entries and ends with the hash `head`.

        Raises:
            OSError: it cannot be opened.
        """
        self.file = AppendFile(path)
        self.number = number
        self.head = seed(STREAM) if head is None else head

    def append(self, entry: Entry) -> None:
        """Append one entry.

        Raises:
            OSError: it cannot be written; the chain is as before.
        """
        data, head = build(STREAM, self.number, self.head, _encode(entry))
        self.file.append(data)
        self.number, self.head = self.number + 1, head


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the chain that its writer never writes."""

    offset: int
    number: int | None
    detail: str


@dataclass(slots=True)
class Chain:
    """A chain as read: entries by what they are about, and what is wrong with it.

    `begun` holds the number of each segment's first entry, `wrapped` the keys of those that are encrypted.
    """

    number: int = 0
    head: bytes = field(default_factory=lambda: seed(STREAM))
    size: int = 0
    hashes: list[bytes] = field(default_factory=list)
    started: list[Started] = field(default_factory=list)
    begun: dict[int, int] = field(default_factory=dict)
    wrapped: dict[int, Wrapped] = field(default_factory=dict)
    ended: dict[int, Ended] = field(default_factory=dict)
    opened: dict[int, Opened] = field(default_factory=dict)
    closed: dict[int, Closed] = field(default_factory=dict)
    sealed: dict[int, Sealed] = field(default_factory=dict)
    checkpoints: list[tuple[int, Signed, Checkpoint]] = field(default_factory=list)
    removals: dict[int, tuple[int, Signed, Removal]] = field(default_factory=dict)
    recovered: list[Recovered] = field(default_factory=list)
    broken: Broken | None = None
    faults: list[Fault] = field(default_factory=list)

    @property
    def open(self) -> list[Opened]:
        """The sessions without a head yet."""
        return [opened for stream, opened in self.opened.items() if stream not in self.closed]


def read_chain(path: Path) -> Chain:
    """Read a chain. Never raises for what is in it: `faults` and `broken` say what is wrong.

    Raises:
        OSError: it cannot be read.
    """
    chain = Chain()
    with path.open("rb") as file:
        for number, entry in _entries(read(file), chain):
            _take(chain, number, entry)
    return chain


def _entries(items: Iterator[Record | Broken], chain: Chain) -> Iterator[tuple[int, Entry]]:
    for item in items:
        if isinstance(item, Broken):
            chain.broken = item
            return
        if item.stream != STREAM or item.number != chain.number:
            detail = f"entry {item.number} stands where entry {chain.number} belongs"
            chain.faults.append(Fault(item.offset, item.number, detail))
        elif not item.follows(chain.head):
            chain.faults.append(Fault(item.offset, item.number, "the entry was changed, or the one before replaced"))
        chain.number, chain.head, chain.size = item.number + 1, item.hash, item.end
        chain.hashes.append(item.hash)
        try:
            yield item.number, _entry.decode(item.payload)
        except NOT_JSON:
            chain.faults.append(Fault(item.offset, item.number, "holds no entry that this version knows"))


def _take(chain: Chain, number: int, entry: Entry) -> None:
    match entry:
        case Started():
            chain.started.append(entry)
        case Begun():
            _take_begun(chain, number, entry)
        case Ended():
            chain.ended[entry.segment] = entry
        case Opened():
            chain.opened[entry.stream] = entry
        case Closed():
            chain.closed[entry.stream] = entry
        case Sealed():
            chain.sealed[entry.segment] = entry
        case Recovered():
            chain.recovered.append(entry)
        case Checkpointed() | Removed():
            _take_signed(chain, number, entry)
        case Stopped():
            pass


def _take_begun(chain: Chain, number: int, entry: Begun) -> None:
    chain.begun[entry.segment] = number
    if entry.wrapped is not None:
        chain.wrapped[entry.segment] = entry.wrapped


def _take_signed(chain: Chain, number: int, entry: Checkpointed | Removed) -> None:
    statement = statement_of(entry.signed)
    if isinstance(statement, Checkpoint) and isinstance(entry, Checkpointed):
        chain.checkpoints.append((number, entry.signed, statement))
    elif isinstance(statement, Removal) and isinstance(entry, Removed):
        chain.removals[statement.segment] = (number, entry.signed, statement)
    else:
        chain.faults.append(Fault(chain.size, number, "the signed statement cannot be read"))
