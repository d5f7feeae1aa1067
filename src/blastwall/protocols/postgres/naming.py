"""What names mean in a session: prepared statements, portals, and the state that classification depends on.

A name's meaning is settled by the server's answers, each at its own: PREPARE, DECLARE and their ends in SQL share their
names with Parse, Bind and Close, and are not undone by a rollback. Between a request and its answer a name is pending;
within a segment the pending meaning holds (a failure makes the server ignore the rest of the segment), across segments
the client's next request waits until it is settled, and a failed request leaves nothing pending. Without that,
`Close s; Parse s; Sync; Bind s` behind a failing statement would bind the old `s` under the ruling for the new one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from blastwall.protocols.postgres.changing import NO_PLACES, Places
from blastwall.protocols.postgres.pipeline import Portal, Prepared, Running
from blastwall.protocols.postgres.present import Present
from blastwall.sql.postgres import Classified, NameState, Source, before, losing, named, settled
from blastwall.wire.native import Flag

_ROLLED_BACK = Classified(start=0, end=0, operation="ROLLBACK", effects=(), transaction="rollback")
_NAMELESS = Classified(start=0, end=0, operation="", effects=())
_EACH = 4096
"""Bytes that a name takes besides its text and values: what the text is known to do, its ruling, dictionaries."""
_MOST = 32 << 20
"""Bytes that one session may keep under names. PostgreSQL itself, which takes more for each, has no limit."""


class Names:
    """The names of one session."""

    def __init__(self, user: str, search_path: tuple[str, ...], *, alone: bool = True) -> None:
        self._present = Present()
        self._beside: Callable[[], Places] = _nothing
        self._doubted: tuple[NameState, Places, NameState] | None = None
        self._prepared: dict[str, Prepared] = {}
        self._portals: dict[str, Portal] = {}
        self._pending_prepared: dict[str, Prepared] = {}
        self._pending_portals: dict[str, Portal] = {}
        self._pending_by: dict[int, list[Prepared]] = {}
        self._settled = NameState((search_path,), user, default=search_path, alone=alone)
        self._ahead = self._settled
        self._weight = 0

    def join(self, present: Present, beside: Callable[[], Places]) -> None:
        """Heed the other sessions of the database: while they are not quiet, `beside` says what they are changing."""
        self._present, self._beside = present, beside

    @property
    def full(self) -> bool:
        """Whether nothing more may get a name. What was added is summed up; where that is much, what is left is."""
        if self._weight > _MOST:
            named_ = {**self._prepared, **self._pending_prepared}
            texts = sum(len(one.text) for one in named_.values() if one.name)
            values = sum(_size(one) for one in self.portals() if one.name)
            self._weight = texts + values + _EACH * (len(self._ahead.prepared) + len(self._ahead.cursors))
        return self._weight > _MOST

    def let_go(self) -> None:
        """The session is over: keep nothing for longer."""
        self._prepared.clear()
        self._portals.clear()
        self._pending_prepared.clear()
        self._pending_portals.clear()
        self._pending_by.clear()
        self._ahead = self._settled = replace(self._settled, prepared={}, cursors={})
        self._doubted = None

    def meaning(self) -> NameState:
        """What a statement sent now may be run under: asked with each, while nearly always nobody changes anything."""
        if self._present.quiet:
            return self._ahead
        beside = self._beside()
        if not beside:
            return self._ahead
        known = self._doubted
        if known is None or known[0] is not self._ahead or known[1] != beside:
            known = self._doubted = (self._ahead, beside, losing(self._ahead, beside))
        return known[2]

    def recover(self) -> None:
        """The catalog was read after all that this session has dropped, renamed or moved."""
        if self._settled.lost:
            self._settled = replace(self._settled, lost=NO_PLACES)
        if self._ahead.lost:
            self._ahead = replace(self._ahead, lost=NO_PLACES)

    def prepared_as(self, name: str) -> Prepared | None:
        """What is prepared by this name, as far as the client may know."""
        found: Prepared | None = self._pending_prepared.get(name) if self._pending_prepared else None
        if found is None:
            found = self._prepared.get(name)
        return None if found is None or found.gone else found

    def portal(self, name: str) -> Portal | None:
        found = self._pending_portals.get(name) or self._portals.get(name)
        return None if found is None or found.gone else found

    def portals(self) -> tuple[Portal, ...]:
        return (*self._portals.values(), *self._pending_portals.values())

    def any_portals(self) -> Flag:
        """Whether a portal is open, or may be."""
        return len(self._portals) > 0 or len(self._pending_portals) > 0

    def sent_parse(self, prepared: Prepared) -> None:
        self._pending_prepared[prepared.name] = prepared
        self._weight += _EACH + len(prepared.text) if prepared.name else 0
        self._ahead = before(self._ahead, _prepares(prepared))

    def parsed(self, prepared: Prepared) -> None:
        """The server has prepared it."""
        self._prepared[prepared.name] = prepared
        self._settled = named(self._settled, _prepares(prepared))
        self.failed_parse(prepared)

    def failed_parse(self, prepared: Prepared) -> None:
        """Nothing is pending of this Parse any more."""
        if self._pending_prepared.get(prepared.name) is prepared:
            del self._pending_prepared[prepared.name]

    def sent_bind(self, portal: Portal) -> None:
        self._pending_portals[portal.name] = portal
        self._weight += _EACH + _size(portal) if portal.name else 0
        self._ahead = before(self._ahead, _declares(portal))

    def bound(self, portal: Portal) -> Portal | None:
        """The server has bound it; return the portal that it replaced."""
        replaced = self._portals.get(portal.name)
        self._portals[portal.name] = portal
        self._settled = named(self._settled, _declares(portal))
        self.failed_bind(portal)
        return replaced

    def failed_bind(self, portal: Portal) -> None:
        """Nothing is pending of this Bind any more."""
        if self._pending_portals.get(portal.name) is portal:
            del self._pending_portals[portal.name]

    def closed(self, named_: str) -> Portal | None:
        """The server closed "S…" or "P…"; return the portal that it was."""
        kind, name = named_[0], named_[1:]
        if kind == "P":
            return self._portals.pop(name, None)
        if self._prepared.pop(name, None) is not None and name:
            self._settled = named(self._settled, _deallocates(name))
        return None

    def completed(self, running: Running) -> None:
        """This statement succeeded: what it prepared, declared, deallocated or closed holds, whatever comes after."""
        classified = running.classified
        self._settled = named(self._settled, classified)
        if classified.prepares is not None:
            one = _of_sql(running)
            self._prepared[one.name] = one
        if classified.deallocates:
            self._prepared.pop(classified.deallocates, None)
        elif classified.deallocates is not None:
            self._prepared.clear()

    def ran(self, statements: Sequence[Running], *, transaction_open: bool, failed: bool) -> None:
        """These succeeded up to a ReadyForQuery: what they change holds, unless a failure among them undid it."""
        for position, running in enumerate(statements):
            inside = transaction_open or failed or position + 1 < len(statements)
            self._settled = settled(self._settled, _nameless(running.classified), inside)
        if failed and not transaction_open:
            self._settled = settled(self._settled, _ROLLED_BACK, in_transaction=False)

    def sent(self, running: Running) -> None:
        """A statement was sent: what it changes may hold for the next one."""
        classified = running.classified
        self._ahead = before(self._ahead, classified)
        if gives_name(classified):
            self._weight += _EACH + len(running.text)
        pending = [_of_sql(running)] if classified.prepares is not None else []
        if classified.deallocates is not None:
            names = [classified.deallocates] if classified.deallocates else {*self._prepared, *self._pending_prepared}
            pending = [Prepared(name, "", classified, gone=True) for name in names]
        self._pending_prepared.update((one.name, one) for one in pending)
        if pending:
            self._pending_by[running.number] = pending
        ended = classified.closes if classified.declares is None else classified.declares[0]
        if ended is not None:
            for portal in self.portals():
                portal.gone = portal.gone or ended in ("", portal.name)
        if classified.opens:
            for portal in self.portals():
                portal.doubted = portal.doubted or portal.name != ""

    def answered(self, running: Running) -> None:
        """The server has answered this statement, well or not: nothing is pending of it any more."""
        for one in self._pending_by.pop(running.number, ()):
            self.failed_parse(one)

    def settle(self, *, transaction_open: bool) -> None:
        """The server is ready and owes nothing: nothing is pending any more."""
        self._pending_prepared.clear()
        self._pending_portals.clear()
        self._pending_by.clear()
        if not transaction_open:
            ended = {portal.name for portal in self._portals.values() if not portal.gone}
            kept = {name: one for name, one in self._settled.cursors.items() if name not in ended}
            if len(kept) != len(self._settled.cursors):
                self._settled = replace(self._settled, cursors=kept)
            self._portals.clear()
        self._ahead = self._settled

    def follow_search_path(self, path: tuple[str, ...]) -> None:
        """The server itself reports what is in force (PostgreSQL 18 and later)."""
        self._settled = replace(self._settled, search_paths=(path,))

    def forget_unnamed(self, *, failed: bool) -> Portal | None:
        """A simple query destroys the unnamed statement and portal; return that. One that failed may have left it.

        Then only the server knows: it says that there is none, or that the transaction has failed.
        """
        self.forget_unnamed_statement()
        return None if failed else self._portals.pop("", None)

    def forget_unnamed_statement(self) -> None:
        """The unnamed statement is destroyed, if there is one."""
        if "" in self._prepared:
            del self._prepared[""]


def _nothing() -> Places:
    return NO_PLACES


def gives_name(classified: Classified) -> bool:
    """Whether a statement of SQL's prepares another, or opens a cursor."""
    return classified.prepares is not None or classified.declares is not None


def _size(portal: Portal) -> int:
    return sum(len(value) for value in portal.values if value is not None)


def _prepares(prepared: Prepared) -> Classified:
    """A Parse as the PREPARE that it amounts to. The unnamed statement has no name in SQL."""
    if not prepared.name:
        return _NAMELESS
    return replace(_NAMELESS, prepares=(prepared.name, (_with_source(prepared.classified, prepared.text),)))


def _declares(portal: Portal) -> Classified:
    """A Bind as the DECLARE that it amounts to."""
    if not portal.name:
        return _NAMELESS
    inside = _with_source(portal.running.classified, portal.prepared.text)
    return replace(_NAMELESS, declares=(portal.name, (inside,)))


def _with_source(classified: Classified, text: str) -> Classified:
    """What has a name may be read again under other names, for which its text is needed."""
    return replace(classified, tree=Source(text)) if classified.tree is None else classified


def _deallocates(name: str) -> Classified:
    return replace(_NAMELESS, deallocates=name)


def _nameless(classified: Classified) -> Classified:
    named_ = (classified.prepares, classified.declares, classified.deallocates, classified.closes)
    if not classified.opens and all(one is None for one in named_):
        return classified
    return replace(classified, prepares=None, declares=None, deallocates=None, closes=None, opens=False)


def _of_sql(running: Running) -> Prepared:
    """What a PREPARE of SQL's prepared."""
    classified = running.classified
    name, inside = classified.prepares or ("", (classified,))
    return Prepared(name, running.text, replace(inside[0], start=classified.start, end=classified.end))
