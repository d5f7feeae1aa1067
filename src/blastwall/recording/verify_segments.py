"""The second half of a verification: segments against the chain's digests, records against their sessions' heads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import file_digest, sha256

from zstandard import ZstdError

from blastwall.model.events import SessionOpened
from blastwall.recording.chain import Chain, Checkpoint
from blastwall.recording.encryption import NoKey, SegmentCipher, SegmentCiphers
from blastwall.recording.events import UnreadableEvent, decode_record
from blastwall.recording.frames import Broken, Record, Source, read, seed
from blastwall.recording.layout import Folder
from blastwall.recording.report import Finding, Kind, NodeReport, Torn
from blastwall.recording.segments import content_of


def verify_segments(
    folder: Folder,
    chain: Chain,
    ciphers: SegmentCiphers,
    report: NodeReport,
    *,
    seen: Mapping[int, int],
    anchored: Checkpoint | None,
) -> None:
    """Verify all segments that the chain names, and their sessions.

    `seen` are the segments that had files before the chain was read, with the size of a raw one: what is newer may be
    newer than the chain.
    """
    _check_presence(folder, chain, seen, report)
    sessions = _Sessions(chain, report)
    for segment in sorted(chain.begun.keys() - chain.removals.keys()):
        _Segment(folder, chain, ciphers, report, segment=segment, seen=seen.get(segment, 0)).check(sessions, anchored)
    sessions.check_heads()
    _note_encrypted(chain, ciphers, report)


def _note_encrypted(chain: Chain, ciphers: SegmentCiphers, report: NodeReport) -> None:
    """Say of how many segments only the hashes were checked."""
    closed: Counter[str] = Counter()
    opened = 0
    for segment in chain.wrapped.keys() - chain.removals.keys():
        try:
            ciphers.of(segment)
            opened += 1
        except NoKey:
            closed[ciphers.key_of(segment)] += 1
    if opened:
        report.notes.append(f"{opened} segments are encrypted; every record of theirs was decrypted")
    for key, count in sorted(closed.items()):
        report.notes.append(
            f"{count} segments are encrypted with the key {key}, which is not at hand: their hashes were checked, what "
            "they say was not read"
        )


def _check_presence(folder: Folder, chain: Chain, seen: Mapping[int, int], report: NodeReport) -> None:
    for segment in sorted(seen.keys() - chain.begun.keys()):
        if seen[segment] or folder.sealed(segment).exists():
            detail = f"the chain knows no segment {segment}: it was added, or the chain's end was removed"
            report.findings.append(Finding(Kind.INSERTED, _file(folder, segment), detail))
    for segment in sorted(seen.keys() & chain.removals.keys()):
        report.notes.append(f"segment {segment} is deleted by the chain's word, but its files are still there")


def _file(folder: Folder, segment: int) -> str:
    raw = folder.raw(segment)
    return raw.name if raw.exists() and not folder.sealed(segment).exists() else folder.sealed(segment).name


class _Segment:
    """One segment: its files' digests, its content's digests, its records."""

    def __init__(
        self, folder: Folder, chain: Chain, ciphers: SegmentCiphers, report: NodeReport, *, segment: int, seen: int
    ) -> None:
        self._folder = folder
        self._chain = chain
        self._number = segment
        self._seen = seen
        self._report = report
        self._file = _file(folder, segment)
        self._sealed = chain.sealed.get(segment)
        self._ended = chain.ended.get(segment)
        self._cipher: SegmentCipher | None = None
        with suppress(NoKey):
            self._cipher = ciphers.of(segment)
        self._readable = self._cipher is not None or segment not in chain.wrapped

    def check(self, sessions: _Sessions, anchored: Checkpoint | None) -> None:
        """Check everything about the segment; its records are passed on to `sessions`."""
        self._check_files()
        checkpoints = [each for _, _, each in self._chain.checkpoints if each.segment == self._number]
        fresh = self._fresh_from(anchored)
        try:
            with content_of(self._folder, self._number) as source:
                hashed = _Hashed(source, [each.size for each in checkpoints])
                for item in read(hashed):
                    if isinstance(item, Broken):
                        self._broken(item)
                        break
                    late = self._sealed is None and item.offset >= self._seen
                    sessions.take(item, self._file, self._number, fresh=item.offset >= fresh, late=late)
                    if self._readable:
                        sessions.read(item, self._file, self._cipher)
                hashed.finish()
        except OSError:
            self._find(Kind.MISSING, f"segment {self._number} is gone or cannot be read")
            return
        self._check_content(hashed, checkpoints)

    def _fresh_from(self, anchored: Checkpoint | None) -> float:
        """The offset from which on no anchored checkpoint covers the content."""
        if anchored is None or self._chain.begun[self._number] >= anchored.entries:
            return 0
        return anchored.size if anchored.segment == self._number else float("inf")

    def _check_files(self) -> None:
        if self._sealed is None or self._file.endswith(".log"):
            return
        self._check_file(self._file, self._sealed.stored_digest)
        self._check_file(self._folder.index(self._number).name, self._sealed.index_digest)

    def _check_file(self, name: str, digest: str) -> None:
        try:
            with (self._folder.path / name).open("rb") as file:
                if file_digest(file, "sha256").hexdigest() != digest:
                    detail = "is not the file that the chain names"
                    self._report.findings.append(Finding(Kind.CHANGED, name, detail))
        except OSError:
            self._report.findings.append(Finding(Kind.MISSING, name, "is gone or cannot be read"))

    def _check_content(self, hashed: _Hashed, checkpoints: Sequence[Checkpoint]) -> None:
        for known in (self._sealed, self._ended):
            if known is not None and (hashed.size, hashed.digest.hexdigest()) != (known.size, known.digest):
                self._find(Kind.CHANGED, f"the content of segment {self._number} is not what the chain says it was")
        for checkpoint in checkpoints:
            if hashed.size < checkpoint.size:
                detail = f"ends at byte {hashed.size}, but checkpoint {checkpoint.sequence} covers {checkpoint.size}"
                self._find(Kind.MISSING, detail)
            elif hashed.at.get(checkpoint.size) != checkpoint.digest:
                detail = f"its first {checkpoint.size} bytes are not what checkpoint {checkpoint.sequence} covers"
                self._find(Kind.CHANGED, detail)

    def _broken(self, broken: Broken) -> None:
        opened = None if broken.stream is None else self._chain.opened.get(broken.stream)
        session = opened.session if opened is not None else None
        last = self._number == max(self._chain.begun)
        if broken.torn and last and self._sealed is None and self._ended is None:
            self._report.torn.append(Torn(self._file, broken.offset, broken.left, session, broken.number))
            return
        detail = "no record can be read from here on: the file was changed or cut off"
        finding = Finding(Kind.CHANGED, self._file, detail, broken.offset, session, broken.number)
        self._report.findings.append(finding)

    def _find(self, kind: Kind, detail: str) -> None:
        self._report.findings.append(Finding(kind, self._file, detail))


class _Hashed:
    """A source that hashes what is read, and remembers the digests of the prefixes that checkpoints cover."""

    def __init__(self, source: Source, sizes: Sequence[int]) -> None:
        self._source = source
        self._sizes = sorted(set(sizes), reverse=True)
        self.digest = sha256()
        self.size = 0
        self.at: dict[int, str] = {}

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        start = 0
        while self._sizes and self._sizes[-1] <= self.size + len(data) - start:
            wanted = self._sizes.pop()
            take = wanted - self.size
            self.digest.update(data[start : start + take])
            self.size, start = wanted, start + take
            self.at[wanted] = self.digest.hexdigest()
        self.digest.update(data[start:])
        self.size += len(data) - start
        return data

    def finish(self) -> None:
        """Hash what the reader of records did not get to."""
        with suppress(ZstdError, OSError, MemoryError):  # `read` of frames has reported it
            while self.read(1 << 20):
                pass


@dataclass(slots=True)
class _Place:
    """Where a session's chain of records stands."""

    number: int
    head: bytes
    segment: int = 0


class _Sessions:
    """All sessions' chains, followed record by record."""

    def __init__(self, chain: Chain, report: NodeReport) -> None:
        self._chain = chain
        self._report = report
        self._places: dict[int, _Place] = {}
        self._continues = {
            (int(stream), last): bytes.fromhex(head)
            for _, _, removal in chain.removals.values()
            for stream, (last, head) in removal.continues.items()
        }

    def take(self, record: Record, file: str, segment: int, *, fresh: bool, late: bool) -> None:
        """Check that a record follows its session's last one. `late` ones may be newer than the chain that was read."""
        opened = self._chain.opened.get(record.stream)
        if opened is None:
            if not late:
                self._find(Kind.INSERTED, record, file, "the chain knows no such session")
            return
        self._report.records += 1
        if fresh:
            self._report.unanchored[opened.session] = self._report.unanchored.get(opened.session, 0) + 1
        place = self._places.setdefault(record.stream, _Place(0, seed(record.stream)))
        self._check_place(record, place, file)
        place.number, place.head, place.segment = record.number + 1, record.hash, segment

    def _check_place(self, record: Record, place: _Place, file: str) -> None:
        closed = self._chain.closed.get(record.stream)
        if closed is not None and record.number >= closed.count:
            self._find(Kind.INSERTED, record, file, f"the session ended with {closed.count} records")
        elif record.number > place.number:
            before = self._continues.get((record.stream, record.number - 1))
            if before is None:
                detail = f"records {place.number} to {record.number - 1} of the session are missing before it"
                self._find(Kind.MISSING, record, file, detail)
            elif not record.follows(before):
                self._find(Kind.CHANGED, record, file, "the record was changed")
        elif record.number < place.number:
            self._find(Kind.REORDERED, record, file, f"record {place.number} of the session belongs here")
        elif not record.follows(place.head):
            self._find(Kind.CHANGED, record, file, "the record was changed, or the one before replaced")

    def read(self, record: Record, file: str, cipher: SegmentCipher | None) -> None:
        """Check what a record says: an encrypted one can be decrypted, a session's first one names that session."""
        opened = self._chain.opened.get(record.stream)
        if opened is None or (record.number > 0 and cipher is None):
            return
        session = opened.session
        try:
            event = decode_record(record, cipher)
        except UnreadableEvent as error:
            self._find(Kind.CHANGED, record, file, str(error))
            return
        if isinstance(event, SessionOpened) and event.session != session:
            self._find(Kind.REORDERED, record, file, f"the record is of another session, {event.session!r}")

    def check_heads(self) -> None:
        """Compare each session's last record with its head in the chain."""
        for stream, closed in self._chain.closed.items():
            opened = self._chain.opened.get(stream)
            if opened is None or opened.session != closed.session:
                detail = "the chain has an end of the session, but not its beginning"
                self._report.findings.append(Finding(Kind.MISSING, "chain", detail, session=closed.session))
                continue
            place = self._places.get(stream, _Place(0, seed(stream), opened.segment - 1))
            removed_later = any(segment > place.segment for segment in self._chain.removals)
            if place.number < closed.count and not removed_later:
                detail = f"records {place.number} to {closed.count - 1} are missing at the session's end"
                self._report.findings.append(
                    Finding(Kind.MISSING, "chain", detail, session=closed.session, number=place.number)
                )
            elif place.number == closed.count and place.head.hex() != closed.head:
                detail = "the session's last record is not the one that the chain names"
                self._report.findings.append(Finding(Kind.CHANGED, "chain", detail, session=closed.session))

    def _find(self, kind: Kind, record: Record, file: str, detail: str) -> None:
        opened = self._chain.opened.get(record.stream)
        session = opened.session if opened is not None else None
        self._report.findings.append(Finding(kind, file, detail, record.offset, session, record.number))
