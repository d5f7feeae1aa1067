"""Segments: the open one that records are appended to, closing it, and reading one back in whatever form it is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import zstandard

from blastwall.model.events import Event
from blastwall.recording.chain import Sealed
from blastwall.recording.encryption import SegmentCipher
from blastwall.recording.events import UnreadableEvent, decode_record
from blastwall.recording.files import AppendFile, create_private, sync_folder, write_whole
from blastwall.recording.frames import Broken, Record, Source, read
from blastwall.recording.layout import Folder
from blastwall.recording.streams import Stream
from blastwall.recording.summary import Portion, decode_index, encode_index
from blastwall.wire.native import Octets, Whole

if TYPE_CHECKING:
    from hashlib import _Hash as HASH

_CHUNK = 1 << 20


class OpenSegment:
    """The segment that is written now: its file, its digest so far, and what it holds of each session."""

    def __init__(self, folder: Folder, number: int, at: float, cipher: SegmentCipher | None = None) -> None:
        """Begin segment `number`.

        Raises:
            OSError: its file cannot be made.
        """
        self.number: Whole = number
        self.began = at
        self.last_at = at
        self.file: AppendFile = AppendFile(folder.raw(number), new=True)
        self.size: Whole = self.file.size
        self.cipher = cipher
        self.digest = sha256()
        self._portions: dict[int, Portion] = {}
        self._kept: dict[int, Stream] = {}

    def append(self, data: Octets) -> None:
        """Append whole records.

        Raises:
            OSError: they cannot be written; the segment is as before.
        """
        self.file.append(data)
        self.digest.update(data)
        self.size = self.file.size

    def note(self, stream: Stream, first: Whole, events: Iterable[Event]) -> None:
        """Count what was appended for one session, from its record `first` to all that it has by now."""
        self._take(stream)
        portion = self._portion(stream, first)
        portion.last, portion.head = stream.number - 1, stream.head.hex()
        for event in events:
            portion.add(event)
        self.last_at = max(self.last_at, portion.ended)

    def add_quick(self, stream: Stream) -> None:
        """Count what was appended of quick records; see `Stream`."""
        if not stream.kept:
            self._kept[stream.ordinal] = stream
            stream.segments.add(self.number)
        stream.add_quick()

    def settle(self) -> None:
        """Put into the portions what is kept elsewhere: nothing more is appended, or somebody looks at them."""
        for stream in tuple(self._kept.values()):
            self._take(stream)

    def _take(self, stream: Stream) -> None:
        if self._kept.pop(stream.ordinal, None) is None:
            return
        portion = self._portion(stream, stream.kept_first)
        portion.last, portion.head = stream.kept_last, stream.kept_head.hex()
        portion.repeat(stream.kept_began, stream.kept_ended, stream.kept_statements, stream.kept_rows, stream.kept_sent)
        self.last_at = max(self.last_at, portion.ended)
        stream.forget()

    def _portion(self, stream: Stream, first: int) -> Portion:
        portion = self._portions.get(stream.ordinal)
        if portion is None:
            portion = Portion(stream=stream.ordinal, session=stream.session, first=first)
            self._portions[stream.ordinal] = portion
            stream.segments.add(self.number)
        return portion

    def content(self) -> Content:
        """What its sealing needs, once nothing is appended any more."""
        self.settle()
        portions = list(self._portions.values())
        return Content(self.number, self.file.size, self.digest.hexdigest(), self.last_at, portions, self.cipher)


@dataclass(frozen=True, slots=True)
class Content:
    """What a closed segment holds: its raw size and digest, its sessions, and what its index is encrypted with."""

    number: int
    size: int
    digest: str
    last_at: float
    portions: list[Portion]
    cipher: SegmentCipher | None


def compress(folder: Folder, content: Content, at: float) -> Sealed:
    """Write the segment's compressed file and index as drafts beside it, and return the chain's entry for both.

    Runs in a thread: most of it is done without the interpreter's lock.

    Raises:
        OSError: they cannot be written.
    """
    stored, stored_digest = _compress_file(folder.raw(content.number), _draft(folder.sealed(content.number)))
    index = encode_index(content.portions, content.cipher)
    write_whole(_draft(folder.index(content.number)), index, private=True)
    return Sealed(
        at=at,
        segment=content.number,
        size=content.size,
        digest=content.digest,
        stored=stored,
        stored_digest=stored_digest,
        index_digest=sha256(index).hexdigest(),
        last_at=content.last_at,
    )


def publish(folder: Folder, sealed: Sealed) -> None:
    """Once the chain has the entry: give the drafts their names and delete the raw file. Can be done again.

    Raises:
        OSError: a file cannot be renamed or deleted; `publish` again later.
    """
    for path in (folder.index(sealed.segment), folder.sealed(sealed.segment)):
        if _draft(path).exists():
            _draft(path).replace(path)
    sync_folder(folder.path)
    if folder.sealed(sealed.segment).exists() and folder.index(sealed.segment).exists():
        folder.raw(sealed.segment).unlink(missing_ok=True)


def discard_drafts(folder: Folder) -> None:
    """Delete what an interrupted `compress` left.

    Raises:
        OSError: the folder cannot be changed.
    """
    for path in folder.path.glob("segment-*.draft*"):
        path.unlink()


def index_of(folder: Folder, segment: int, cipher: SegmentCipher | None) -> list[Portion]:
    """A closed segment's index, unproven; empty where it cannot be read."""
    try:
        return decode_index(folder.index(segment).read_bytes(), cipher)
    except (OSError, ValueError):
        return []


def _draft(path: Path) -> Path:
    return path.with_name(path.name + ".draft")


def _compress_file(source: Path, target: Path) -> tuple[int, str]:
    compressor = zstandard.ZstdCompressor(level=1, write_checksum=True).compressobj()
    digest = sha256()
    with source.open("rb") as raw, create_private(target) as file:
        while chunk := raw.read(_CHUNK):
            _write(file, digest, compressor.compress(chunk))
        _write(file, digest, compressor.flush())
        file.flush()
        os.fsync(file.fileno())
        return file.tell(), digest.hexdigest()


def _write(file: BinaryIO, digest: HASH, data: bytes) -> None:
    file.write(data)
    digest.update(data)


@contextmanager
def content_of(folder: Folder, segment: int) -> Iterator[Source]:
    """Open a segment's raw content, from the raw file or the compressed one.

    Raises:
        FileNotFoundError: it has neither.
        OSError: it cannot be read.
    """
    with _either(folder, segment) as file:
        if file.name.endswith(".zst"):
            with zstandard.ZstdDecompressor().stream_reader(file, read_size=_CHUNK) as reader:
                yield reader
        else:
            yield file


def _either(folder: Folder, segment: int) -> BinaryIO:
    try:
        return folder.sealed(segment).open("rb")
    except FileNotFoundError:
        try:
            return folder.raw(segment).open("rb")
        except FileNotFoundError:
            return folder.sealed(segment).open("rb")  # it was closed between the two


def scan(
    folder: Folder, segment: int, names: dict[int, str], cipher: SegmentCipher | None
) -> tuple[list[Portion], Broken | None]:
    """Read a segment through and return what it holds of each session, and where it stops being readable.

    `names` gives the streams' session ids. Without the `cipher` of an encrypted one, records are only counted.

    Raises:
        OSError: it cannot be read.
    """
    portions: dict[int, Portion] = {}
    with content_of(folder, segment) as source:
        for item in read(source):
            if isinstance(item, Broken):
                return list(portions.values()), item
            count(portions, item, names, cipher)
    return list(portions.values()), None


def count(portions: dict[int, Portion], record: Record, names: dict[int, str], cipher: SegmentCipher | None) -> None:
    """Count one record into its session's portion; an unreadable event counts as a record only."""
    portion = portions.get(record.stream)
    if portion is None:
        name = names.get(record.stream, f"unknown-{record.stream}")
        portion = portions[record.stream] = Portion(stream=record.stream, session=name, first=record.number)
    portion.last, portion.head = record.number, record.hash.hex()
    try:
        portion.add(decode_record(record, cipher))
    except UnreadableEvent:
        return
