"""The request that was sent to the resource and is owed an answer; TDS without MARS has one at a time.

A request holds one statement (a batch, a procedure's call, a transaction request, a bulk load) or several (calls in one
RPC message); each is asked for by its own number. The server's half (`responses.py`) fills in what the answer says.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from weakref import ref

from blastwall.model.masks import NO_MASKS, MaskRules, ResultRecord
from blastwall.model.statement import Stage, Statement
from blastwall.protocols.contract import Output
from blastwall.protocols.standing import Standing
from blastwall.protocols.tds.handles import Source
from blastwall.protocols.tds.packets import Kind
from blastwall.protocols.tds.plain_answers import Shown
from blastwall.protocols.tds.tokens import Done, ReturnValue
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.state import NameState
from blastwall.sql.tsql.statement import Classified

CHANGES = frozenset({0xC3, 0xC4, 0xC5, 0x117, 0xF0})
"""What DONE's CurCmd is for INSERT, DELETE, UPDATE, MERGE and bulk loads."""
INSERT_BULK = "INSERT BULK"
"""The classifier's word for the batch that announces a bulk load."""

Returned = Callable[[ReturnValue], None]
"""Takes a RETURNVALUE of a call's."""
After = Callable[[str | None, list[Output]], None]
"""What is done when the answer to a request of the gateway's own has ended; takes the error in it, if any."""


class Audience(Enum):
    """Who gets the answer: the client; the client, but later, if it is within its limits; nobody (our own request)."""

    CLIENT = auto()
    LATER = auto()
    NOBODY = auto()


class Asked:
    """One statement of a request: what its `Finished` will say, and how its results are masked.

    `rules` and `record` came with its `Allow`. `limit_rows` and `limit_affected` bound the rows that it may give and
    change; `cursor` is the one whose rows it gives, `given` how many of them earlier fetches gave. `stale`: policy has
    changed since it was allowed. `standing` is the answer that it was allowed by, where that is good for its like.

    The server's half counts `rows`, `bytes`, `masked` and `error`. `affected` is None as long as no count was told;
    `counts` and `uncounted` are the changes whose count was told, and was not. `declared` are the names of the call's
    parameters by ordinal (lower-case); `returned` wants its RETURNVALUEs, where it gives a handle. `shown` is the
    description of the last result whose rows passed as they were. `again` reads the text anew, as names are by now;
    `catalog` is what they were when it was read, which is not kept for this.
    """

    __slots__ = (
        "affected",
        "again",
        "bytes",
        "catalog",
        "classified",
        "counts",
        "cursor",
        "declared",
        "error",
        "finished",
        "given",
        "limit_affected",
        "limit_rows",
        "masked",
        "number",
        "record",
        "returned",
        "rows",
        "rules",
        "said",
        "shown",
        "stale",
        "standing",
        "statement",
        "uncounted",
    )

    def __init__(self, number: int, statement: Statement, classified: Classified) -> None:
        self.number = number
        self.statement = statement
        self.classified = classified
        self.rules: MaskRules = NO_MASKS
        self.record: ResultRecord | None = None
        self.limit_rows: int | None = None
        self.limit_affected: int | None = None
        self.rows = self.bytes = self.said = self.given = 0
        self.affected: int | None = None
        self.counts = self.uncounted = 0
        self.masked: dict[str, int] = {}
        self.error: str | None = None
        self.finished = self.stale = False
        self.standing: Standing | None = None
        self.shown: Shown | None = None
        self.returned: Returned | None = None
        self.declared: tuple[str, ...] = ()
        self.cursor: Source | None = None
        self.again: Callable[[], Classified] | None = None
        self.catalog: ref[Catalog] | None = None

    def read_under(self, catalog: Catalog) -> bool:
        """Whether it was read as names are in this reading of the catalog."""
        return self.catalog is not None and self.catalog() is catalog

    def count(self, done: Done) -> None:
        """Take a DONE, DONEPROC or DONEINPROC: how many rows a change has changed, where it says so."""
        if done.command not in CHANGES or done.cancelled:
            return
        if done.counted:
            self.affected = (self.affected or 0) + done.rows
            self.counts += 1
        elif not done.failed:
            self.uncounted += 1


class Running:
    """A request that was sent. `kind` is the type of its packets, `calls` whether its answers end with DONEPROC.

    `own` is the text of a request of the gateway's own, empty for the client's: nothing of its answer is delivered,
    `outcome` is the error that the resource answered with, if any, and `after` is called at its end. `replied` says
    that a whole message of its answer has come, `cancelled` that an attention was acknowledged, `committed` that a
    transaction was committed meanwhile. In a `private`
    transaction, which is the gateway's own, the client must hear nothing of transactions. A request that `loads` is an
    INSERT BULK: the rows come in a message of their own.

    Where the answer is for later, `kept` are its packets, as the client would get them; `spilt` says that they were
    more than may be kept, and are gone.
    """

    __slots__ = (
        "after",
        "asks",
        "audience",
        "calls",
        "cancelled",
        "committed",
        "kept",
        "kind",
        "loads",
        "outcome",
        "own",
        "position",
        "private",
        "replied",
        "spilt",
    )

    def __init__(
        self, kind: Kind, asks: tuple[Asked, ...], *, own: str = "", after: After | None = None, calls: bool = False
    ) -> None:
        self.kind = kind
        self.asks = asks
        self.own = own
        self.after = after
        self.calls = calls
        self.audience = Audience.NOBODY if own else Audience.CLIENT
        self.position = 0
        self.outcome: str | None = None
        self.private = self.replied = self.cancelled = self.spilt = self.loads = self.committed = False
        self.kept: list[bytes] = []

    @property
    def current(self) -> Asked | None:
        """The statement that the answer has come to; None for a request of the gateway's own."""
        return self.asks[self.position] if self.asks else None

    def call_ended(self) -> None:
        """A DONEPROC came: the answer goes on to the next call.

        Procedures that a call runs may end with DONEPROC too, so the last call may be come to early: what must not
        depend on that (masking above all) goes by every call of the request.
        """
        self.position = min(self.position + 1, max(len(self.asks) - 1, 0))


_UNRUN = ("noexec", "parseonly", "fmtonly", "showplan_xml", "showplan_all", "showplan_text")


def surely_ran(one: Asked, running: Running, state: NameState) -> bool:
    """Whether every statement of a text has run, once, and none was undone; `state` is the session's after it.

    A call counts where it is the only one of its request: in sp_executesql the text stands for itself.
    """
    classified = one.classified
    told = one.error is None and not running.cancelled and len(running.asks) == 1
    runs = one.statement.stage is Stage.EXECUTE and one.cursor is None and one.returned is None
    ran = not any(state.may_be(name, "on", "off") for name in _UNRUN)
    undone = "rollback" in classified.transaction or one.limit_affected is not None
    return told and runs and ran and classified.straight and not undone
