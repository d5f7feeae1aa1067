"""What the server still owes: one entry for each message that was sent to it, in order.

The server answers in the order of the requests, so the entry at the head says what an answer belongs to. After an error
in the extended protocol the server ignores everything up to Sync (PostgreSQL documentation, "Extended Query"): the
entries up to the next SYNC are dropped then. A `segment` is what lies between two Syncs (or is one simple Query).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from blastwall.masking.plan import MaskPlan
from blastwall.model.masks import NO_MASKS, MaskRules
from blastwall.protocols.postgres.copy_rows import CopyMask
from blastwall.protocols.postgres.kept import Kept
from blastwall.protocols.postgres.messages import Field
from blastwall.protocols.postgres.portions import Store
from blastwall.protocols.standing import Standing
from blastwall.sql.postgres import Classified, NameState
from blastwall.wire.native import Flag, Whole


class Moment(NamedTuple):
    """What a classification and its ruling depend on besides the text: the catalog, the names, the transaction.

    `mark` is that of the catalog's reading (`Snapshot`), which may be gone by now.
    """

    mark: object
    facts: tuple[object, ...]
    inside: bool


class Known:
    """A statement whose answer stands, the moment that it was asked in, and how its result was described."""

    __slots__ = (
        "classified",
        "commits",
        "described",
        "ends",
        "facts",
        "fields",
        "gives",
        "guarded",
        "inside",
        "mark",
        "plan",
        "ruled",
        "rules",
        "standing",
        "types",
    )

    def __init__(self, standing: Standing, running: Running, moment: Moment) -> None:
        self.standing = standing
        self.classified: Classified = running.classified
        self.rules: MaskRules = running.rules
        self.guarded: Flag = running.guarded
        self.ruled: Flag = bool(running.rules)
        """Whether there are rules that may hide anything of its result."""
        self.gives: Flag = running.classified.returns_rows
        self.ends: Flag = bool(running.classified.transaction)
        """Whether a transaction begins or ends with it."""
        self.commits: Flag = running.classified.transaction == "commit"
        self.mark, self.facts = moment.mark, moment.facts
        self.inside: Flag = moment.inside
        self.types: tuple[int, ...] = ()
        self.described: bytes | None = None
        self.fields: tuple[Field, ...] = ()
        self.plan: MaskPlan | None = None


class Running:
    """A statement that was allowed: what its `Finished` will say, and how its results are masked.

    `text` is the whole text that `classified` has its offsets in. `limit_rows` and `limit_affected` bound the rows that
    it may give and change; `given` is how many of them an earlier asking of the same portal has given. `standing` is an
    answer that stands, and `moment` the state in which it was asked for. `said` is how many bytes were last
    reported as streamed. `looked` is whether the catalog was looked at since the server has read it. `kept` are its
    rows for the recording.
    """

    __slots__ = (
        "bytes",
        "classified",
        "copy",
        "done",
        "given",
        "guarded",
        "kept",
        "limit_affected",
        "limit_rows",
        "looked",
        "moment",
        "number",
        "plan",
        "planned",
        "rows",
        "rules",
        "said",
        "standing",
        "text",
        "width",
    )

    def __init__(self, number: Whole, classified: Classified, text: str = "", moment: Moment | None = None) -> None:
        self.number: Whole = number
        self.classified = classified
        self.text = text
        self.moment = moment
        self.rules = NO_MASKS
        self.guarded: Flag = False
        self.rows: Whole = 0
        self.bytes: Whole = 0
        self.said: Whole = 0
        self.width: Whole = 0
        self.given: Whole = 0
        self.plan: MaskPlan | None = None
        self.planned: Flag = False
        self.copy: CopyMask | None = None
        self.kept: Kept | None = None
        self.done: Flag = False
        self.looked: Flag = False
        self.limit_rows: int | None = None
        self.limit_affected: int | None = None
        self.standing: Standing | None = None

    @property
    def limited(self) -> bool:
        """Whether a row limit is to be kept."""
        return self.limit_rows is not None or self.limit_affected is not None


class Prepared:
    """A prepared statement. `fields` is its described result: None while unknown, empty where it has none.

    `state` is what names meant when it was last judged, None for one of SQL's own PREPARE; `catalog` is the mark of the
    reading that it was judged by; where names or the catalog
    have changed since, it is judged anew, and `version` counts how often. `gone` marks a name that was deallocated.
    `message` is the Parse that it came by, where that is short, and `known` what the fast lane knows of its execution.
    """

    __slots__ = (
        "catalog",
        "classified",
        "fields",
        "gone",
        "known",
        "message",
        "name",
        "state",
        "text",
        "types",
        "version",
    )

    def __init__(  # noqa: PLR0917 - one for each
        self,
        name: str,
        text: str,
        classified: Classified,
        types: tuple[int, ...] = (),
        state: NameState | None = None,
        catalog: object = None,
        *,
        gone: bool = False,
    ) -> None:
        self.name = name
        self.text = text
        self.classified = classified
        self.types = types
        self.state = state
        self.catalog = catalog
        self.fields: tuple[Field, ...] | None = None
        self.version = 0
        self.gone: Flag = gone
        self.message = b""
        self.known: Known | None = None


@dataclass(slots=True, eq=False)
class Portal:
    """A bound statement. `described` is set once a Describe of it was sent, `gone` once SQL closed or replaced it.

    `doubted` is whether code may have put a cursor of its own in its place: then it is described before each Execute,
    and `judged` is what its statement was known to do before. `store` holds the rows that were counted and not yet
    taken, where its statement is under a limit.
    """

    name: str
    prepared: Prepared
    running: Running
    values: tuple[bytes | None, ...] = ()
    formats: tuple[int, ...] = ()
    results: tuple[int, ...] = ()
    fields: tuple[Field, ...] | None = None
    described: bool = False
    stale: bool = False
    gone: bool = False
    doubted: bool = False
    judged: Classified | None = None
    store: Store | None = None


class Owed(Enum):
    """The message that the server owes an answer to."""

    QUERY = auto()
    PARSE = auto()
    BIND = auto()
    DESCRIBE = auto()
    EXECUTE = auto()
    CLOSE = auto()
    COPY_END = auto()
    SYNC = auto()


@dataclass(slots=True, eq=False)
class Entry:
    """One owed answer.

    `refusal` is the error to put in the place of the server's for a statement of the gateway's own; `own` marks a
    Describe that the client did not ask for, `stepped` one of the messages that a simple Query was turned into;
    `running` are the statements of a Query, in order; `version` is that of the prepared statement when its Describe was
    sent; `function` marks a FunctionCall, answered like a Query. `copies` and `begins` are the pipeline's own notes of
    what its statements do.
    """

    owed: Owed
    segment: int
    running: list[Running] = field(default_factory=list)
    prepared: Prepared | None = None
    portal: Portal | None = None
    refusal: bytes = b""
    own: bool = False
    stepped: bool = False
    closes: str = ""
    version: int = 0
    function: bool = False
    copies: bool = False
    begins: bool = False


class Pipeline:
    """The entries in order, oldest first.

    Thousands may be owed, and a question is asked of them before each message: what they do is counted, not looked for.
    """

    __slots__ = ("_begin", "_copy", "_entries", "segment")

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._begin = self._copy = 0
        self.segment = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    @property
    def head(self) -> Entry | None:
        return self._entries[0] if self._entries else None

    def owes_anything(self) -> Flag:
        """Whether there is any."""
        return len(self._entries) > 0

    def push(self, entry: Entry) -> None:
        self._entries.append(entry)
        for one in entry.running:
            if one.classified.transaction == "begin":
                entry.begins = True
            if one.classified.copy is not None and entry.owed in (Owed.QUERY, Owed.EXECUTE):
                entry.copies = True
        self._begin += entry.begins
        self._copy += entry.copies
        if entry.owed in (Owed.QUERY, Owed.SYNC):
            self.segment += 1

    def pop(self) -> Entry:
        entry = self._entries.popleft()
        self._begin -= entry.begins
        self._copy -= entry.copies
        return entry

    def drop_to_sync(self) -> tuple[list[Entry], bool]:
        """Drop what the server ignores after an error; also say whether a Sync was found that ends the ignoring."""
        dropped: list[Entry] = []
        while self._entries:
            if self._entries[0].owed is Owed.SYNC:
                return dropped, True
            dropped.append(self.pop())
        return dropped, False

    def swallow_syncs(self) -> None:
        """Drop the Syncs that a server in copy-in mode ignores: those sent before the copy's end."""
        kept: deque[Entry] = deque()
        entries = self._entries
        while entries and entries[0].owed is not Owed.COPY_END:
            entry = entries.popleft()
            if entry.owed is not Owed.SYNC:
                kept.append(entry)
        kept.extend(entries)
        self._entries = kept

    def copied(self) -> None:
        """Drop the mark of a copy's end in the Query at the head, once it was answered: another may follow in it."""
        if len(self._entries) > 1 and self._entries[1].owed is Owed.COPY_END:
            del self._entries[1]

    def drop_copy_end(self) -> None:
        """Drop the mark of a copy's end, once the copy was answered."""
        if self._entries and self._entries[0].owed is Owed.COPY_END:
            self._entries.popleft()

    @property
    def copies_in(self) -> bool:
        """Whether a COPY FROM STDIN is under way: its data may follow, other requests must wait."""
        return self._copy > 0 and any(
            one.classified.copy is not None and one.classified.copy.direction == "in" and not one.done
            for entry in self._entries
            if entry.copies
            for one in entry.running
        )

    @property
    def begins(self) -> bool:
        """Whether a statement that opens a transaction is under way."""
        return self._begin > 0

    @property
    def copy_is_open(self) -> bool:
        """Whether the server waits for data of a COPY whose end was not sent yet."""
        entry = self.head
        if entry is None or entry.owed not in (Owed.QUERY, Owed.EXECUTE):
            return False
        one = next((one for one in entry.running if not one.done), None)
        copy = one.classified.copy if one is not None and one.planned else None
        return copy is not None and copy.direction == "in" and all(e.owed is not Owed.COPY_END for e in self._entries)

    def unsettled(self) -> bool:
        """Whether the outcome of an earlier segment is open that may change what names mean."""
        oldest = next((entry for entry in self._entries if entry.owed is not Owed.SYNC), None)
        return oldest is not None and oldest.segment < self.segment

    def owes(self, portal: Portal) -> bool:
        """Whether an answer of a portal's is owed; the one that was bound last is found at once."""
        return any(entry.portal is portal for entry in reversed(self._entries))
