"""Reading recordings: lists, searches, one session's events. Proves nothing (`verify` does); no content raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from blastwall.model.events import (
    BudgetSpent,
    Event,
    LoginAsked,
    LoginRefused,
    StatementAsked,
    StatementFinished,
    StatementInjected,
    StatementLimited,
    StatementRefused,
    StatementRepeated,
    StatementRows,
    StatementRuled,
)
from blastwall.model.ids import segment as escaped
from blastwall.recording.chain import Chain, read_chain
from blastwall.recording.encryption import NO_KEYS, Keyring, NoKey, SegmentCipher, SegmentCiphers
from blastwall.recording.events import UnreadableEvent, decode_record
from blastwall.recording.frames import Broken, Record, read
from blastwall.recording.layout import Folder, folders
from blastwall.recording.segments import content_of, index_of, scan
from blastwall.recording.summary import Portion, Summary, pair_of, summarise


class NoRecordings(Exception):
    """There is nothing to read, or no such session, or several; the text says which."""


@dataclass(frozen=True, slots=True)
class Query:
    """What sessions to find; every condition that is given must hold.

    `effect` is an action ("delete"). `object` is a name, or the last parts of one joined by `.` or `/`
    ("orders", "public.orders"); with `effect` as well, that action on that object. `text` is searched, regardless of
    case, in statements, their values and what the client was told. Times are seconds since the epoch.
    """

    principal: str | None = None
    resource: str | None = None
    effect: str | None = None
    object: str | None = None
    text: str | None = None
    since: float | None = None
    until: float | None = None
    open: bool | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """One record of a session: its event, or why it cannot be read. `after` is the seconds since the one before."""

    number: int
    event: Event | None
    problem: str = ""
    after: float = 0.0


class Reader:
    """The recordings of every node under one folder, as they are when it is made."""

    def __init__(self, recordings: Path, keyring: Keyring = NO_KEYS) -> None:
        """Take the folder, and the keys that open what is encrypted there.

        Raises:
            NoRecordings: it holds none, or cannot be read.
        """
        try:
            found = tuple(folders(recordings))
        except FileNotFoundError:
            found = ()
        except OSError as error:
            raise NoRecordings(f"the recordings in {recordings} cannot be read: {error.strerror}") from error
        if not found:
            raise NoRecordings(f"no recordings in {recordings}: no gateway has recorded there, or it is another folder")
        self._nodes = {folder.node: _Node(folder, keyring) for folder in found}

    def sessions(self, query: Query = Query()) -> list[Summary]:
        """Return the sessions that match, newest first; one that cannot be decrypted matches whatever is asked.

        Raises:
            NoRecordings: nothing here can be decrypted.
        """
        found: list[Summary] = []
        for node in self._nodes.values():
            found += node.sessions(query)
        if found and not any(node.opens for node in self._nodes.values()):
            raise _locked(found)
        found.sort(key=lambda summary: (summary.started, summary.stream), reverse=True)
        return found[: query.limit]

    def session(self, session: str) -> Summary:
        """Return the session with this id, or with the only id that starts so.

        Raises:
            NoRecordings: there is none, or there are several.
        """
        every = self.sessions()
        found = [each for each in every if each.session == session]
        found = found or [each for each in every if session and each.session.startswith(session)]
        if not found:
            raise NoRecordings(f"no session {session!r} is recorded here; `blastwall sessions list` shows all")
        if len(found) > 1:
            raise NoRecordings(f"{len(found)} sessions start with {session!r}; give more of the id")
        if found[0].locked:
            raise _locked(found)
        return found[0]

    def replay(self, summary: Summary) -> Iterator[Recorded]:
        """Yield a session's records in their order, with the seconds between them."""
        before: float | None = None
        for recorded in self._nodes[summary.node].records(summary.stream):
            if recorded.event is None:
                yield recorded
                continue
            at = recorded.event.at
            after = max(0.0, at - before) if before is not None else 0.0
            before = at
            yield Recorded(recorded.number, recorded.event, after=after)


def node_of(folder: Folder, chain: Chain) -> str:
    """The node that recorded, whatever the folder of a copy is called."""
    return chain.started[0].node if chain.started else folder.node


def _locked(summaries: Iterable[Summary]) -> NoRecordings:
    keys = sorted({key for each in summaries for key in each.locked})
    which = "the key " + keys[0] if len(keys) == 1 else "the keys " + ", ".join(keys)
    return NoRecordings(
        f"these recordings are encrypted with {which}, which is not at hand: name it under `recordings.encrypt` of the "
        "configuration, or give it with --unlock FILE"
    )


class _Node:
    """One node's recordings at one moment."""

    def __init__(self, folder: Folder, keyring: Keyring) -> None:
        self._folder = folder
        try:
            self._chain = read_chain(folder.chain)
        except OSError:
            self._chain = Chain()
        self.opens = False
        """Whether any session could be read without a key that is not at hand."""
        self._names = {stream: opened.session for stream, opened in self._chain.opened.items()}
        self._ciphers = SegmentCiphers(keyring, node_of(folder, self._chain), self._chain.wrapped)
        self._locked: set[int] = set()
        self._damaged: set[int] = set()
        self._indexes: dict[int, list[Portion]] = {}

    def sessions(self, query: Query) -> list[Summary]:
        """Return the sessions that match; where an index cannot say, the records are read."""
        found: list[Summary] = []
        unsure: dict[int, Summary] = {}
        for summary in self._summaries():
            if summary.locked:
                found.append(summary)
                continue
            if not matches(summary, query):
                continue
            if query.text is not None or (summary.partial and _asks_effects(query)):
                unsure[summary.stream] = summary
            else:
                found.append(summary)
        return found + ([] if not unsure else self._confirmed(unsure, query))

    def records(self, stream: int) -> Iterator[Recorded]:
        """Yield one session's records; a gap or an unreadable place is a record without an event."""
        expected = 0
        for segment in self._segments(stream):
            if not self._may_hold(segment, stream):
                continue
            for (_, number), event, problem in self._events(segment, lambda each: each == stream):
                if number > expected:
                    yield Recorded(expected, None, f"records {expected} to {number - 1} are not here")
                expected = number + 1
                yield Recorded(number, event, problem)
            if segment in self._damaged:
                yield Recorded(expected, None, f"segment {segment} cannot be read to its end; run `audit verify`")

    def _may_hold(self, segment: int, stream: int) -> bool:
        portions = self._index(segment)
        return not portions or any(portion.stream == stream for portion in portions)

    def _index(self, segment: int) -> list[Portion]:
        """A closed segment's index; empty where there is none (yet)."""
        if not self._indexes.get(segment):
            self._indexes[segment] = index_of(self._folder, segment, self._cipher(segment))
        return self._indexes[segment]

    def _cipher(self, segment: int) -> SegmentCipher | None:
        try:
            return self._ciphers.of(segment)
        except NoKey:
            self._locked.add(segment)
            return None

    def _summaries(self) -> Iterator[Summary]:
        portions: dict[int, list[Portion]] = {}
        locked: dict[int, set[str]] = {}
        for segment in sorted(self._folder.segments()):
            for portion in self._portions(segment):
                portions.setdefault(portion.stream, []).append(portion)
                if segment in self._locked:
                    locked.setdefault(portion.stream, set()).add(self._ciphers.key_of(segment))
        for stream, held in portions.items():
            summary = summarise(self._folder.node, held)
            self._complete(summary)
            if stream in locked:
                self._lock(summary, locked[stream])
            else:
                self.opens = True
            yield summary

    def _complete(self, summary: Summary) -> None:
        """Say what the chain knows of a session."""
        stream = summary.stream
        closed = self._chain.closed.get(stream)
        summary.open = closed is None
        summary.why = closed.why if closed is not None else ""
        summary.shortened = summary.first > 0 or (closed is not None and summary.last + 1 < closed.count)
        summary.damaged = bool(self._damaged & set(self._segments(stream)))

    def _lock(self, summary: Summary, keys: set[str]) -> None:
        """Say which keys a session needs; its times are those of the chain."""
        opened, closed = self._chain.opened.get(summary.stream), self._chain.closed.get(summary.stream)
        summary.locked = tuple(sorted(keys))
        summary.started = opened.at if opened is not None else summary.started
        summary.ended = closed.at if closed is not None else max(summary.started, summary.ended)

    def _portions(self, segment: int) -> Sequence[Portion]:
        if portions := self._index(segment):
            return portions
        try:
            portions, broken = scan(self._folder, segment, self._names, self._cipher(segment))
        except OSError:
            self._damaged.add(segment)
            return []
        if broken is not None and not broken.torn:
            self._damaged.add(segment)
        return portions

    def _segments(self, stream: int) -> list[int]:
        opened = self._chain.opened.get(stream)
        return sorted(each for each in self._folder.segments() if opened is None or each >= opened.segment)

    def _events(
        self, segment: int, wanted: Callable[[int], bool]
    ) -> Iterator[tuple[tuple[int, int], Event | None, str]]:
        sealed, end, cipher = self._chain.sealed.get(segment), 0, self._cipher(segment)
        try:
            with content_of(self._folder, segment) as source:
                for item in read(source):
                    if isinstance(item, Broken):
                        if not item.torn:
                            self._damaged.add(segment)
                        break
                    end = item.end
                    if wanted(item.stream):
                        yield (item.stream, item.number), *_decoded(item, cipher)
        except OSError:
            self._damaged.add(segment)
        if sealed is not None and end != sealed.size:
            self._damaged.add(segment)

    def _confirmed(self, unsure: dict[int, Summary], query: Query) -> list[Summary]:
        """Search the records of the sessions in `unsure`."""
        texts: set[int] = set()
        effects: set[int] = set()
        for segment in sorted(self._folder.segments()):
            for (stream, _), event, _ in self._events(segment, unsure.__contains__):
                if event is None:
                    continue
                if query.text is not None and says(event, query.text.casefold()):
                    texts.add(stream)
                if isinstance(event, StatementAsked) and _asks_effects(query):
                    pairs = (pair_of(each) for each in event.effects)
                    if _touches(pairs, query):
                        effects.add(stream)
        return [
            summary
            for stream, summary in unsure.items()
            if (query.text is None or stream in texts) and (not _asks_effects(query) or stream in effects)
        ]


def _decoded(record: Record, cipher: SegmentCipher | None) -> tuple[Event | None, str]:
    try:
        return decode_record(record, cipher), ""
    except UnreadableEvent as error:
        return None, str(error)


def matches(summary: Summary, query: Query) -> bool:
    """Whether a session meets the conditions that its summary can decide; the others count as met."""
    return (
        (query.principal is None or summary.principal == query.principal)
        and (query.resource is None or summary.resource == query.resource)
        and (query.since is None or summary.ended >= query.since)
        and (query.until is None or summary.started <= query.until)
        and (query.open is None or summary.open == query.open)
        and (not _asks_effects(query) or summary.partial or _touches(summary.effects, query))
    )


def _asks_effects(query: Query) -> bool:
    return query.effect is not None or query.object is not None


def _touches(effects: Iterable[tuple[str, str]], query: Query) -> bool:
    return any(
        (query.effect is None or action == query.effect) and (query.object is None or is_object(ident, query.object))
        for action, ident in effects
    )


def is_object(ident: str, wanted: str) -> bool:
    """Whether an object's id ends with the parts of `wanted`, which is written with `.` or `/` between them."""
    parts = [escaped(part) for part in wanted.removesuffix("()").split("/" if "/" in wanted else ".")]
    return ident.removesuffix("()").split("/")[-len(parts) :] == parts


def says(event: Event, folded: str) -> bool:
    """Whether the case-folded text occurs in what the event says in words."""
    return any(folded in text.casefold() for text in _words(event))


def _words(event: Event) -> Iterator[str]:
    match event:
        case StatementAsked():
            yield event.text
            yield from (value for value in event.parameters if value is not None)
        case StatementRepeated():
            yield event.text or ""
            yield from (value for value in event.parameters if value is not None)
        case StatementInjected():
            yield event.text
        case StatementRows():
            yield from (value for row in event.rows for value in row if value is not None)
        case StatementRefused() | StatementLimited() | BudgetSpent():
            yield event.told
        case StatementRuled():
            yield event.ruling.reason
        case StatementFinished():
            yield event.error or ""
        case LoginAsked():
            yield from (event.user, event.database, event.application)
        case LoginRefused():
            yield from (event.reason, event.told)
        case _:
            return
