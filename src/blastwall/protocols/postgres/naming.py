"""What names mean in a session: prepared statements, portals, and the state that classification depends on.

A name's meaning is settled by the server's answers. Between a request and its answer it is pending; within a segment
the pending meaning holds (a failure makes the server ignore the rest of the segment), across segments the client's
next request waits until it is settled. Without that, `Close s; Parse s; Sync; Bind s` behind a failing statement would
bind the old `s` under the ruling for the new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from blastwall.protocols.postgres.pipeline import Portal, Prepared, Running
from blastwall.sql.postgres import Classified, NameState, before, settled

_ROLLED_BACK = Classified(start=0, end=0, operation="ROLLBACK", effects=(), transaction="rollback")


class Names:
    """The names of one session."""

    def __init__(self, user: str, search_path: tuple[str, ...]) -> None:
        self._prepared: dict[str, Prepared] = {}
        self._portals: dict[str, Portal] = {}
        self._pending_prepared: dict[str, Prepared] = {}
        self._pending_portals: dict[str, Portal] = {}
        self._settled = NameState((search_path,), user, default=search_path)
        self._ahead = self._settled

    @property
    def state(self) -> NameState:
        """What a statement sent now may be run under."""
        return self._ahead

    def prepared(self, name: str) -> Prepared | None:
        return self._pending_prepared.get(name) or self._prepared.get(name)

    def portal(self, name: str) -> Portal | None:
        return self._pending_portals.get(name) or self._portals.get(name)

    def portals(self) -> tuple[Portal, ...]:
        return (*self._portals.values(), *self._pending_portals.values())

    def sent_parse(self, prepared: Prepared) -> None:
        self._pending_prepared[prepared.name] = prepared
        self._ahead = replace(self._ahead, prepared={**self._ahead.prepared, prepared.name: (prepared.classified,)})

    def parsed(self, prepared: Prepared) -> None:
        """The server has prepared it."""
        self._prepared[prepared.name] = prepared
        if self._pending_prepared.get(prepared.name) is prepared:
            del self._pending_prepared[prepared.name]
        self._settled = replace(
            self._settled, prepared={**self._settled.prepared, prepared.name: (prepared.classified,)}
        )

    def sent_bind(self, portal: Portal) -> None:
        self._pending_portals[portal.name] = portal

    def bound(self, portal: Portal) -> None:
        self._portals[portal.name] = portal
        if self._pending_portals.get(portal.name) is portal:
            del self._pending_portals[portal.name]

    def closed(self, named: str) -> None:
        """The server closed "S…" or "P…"."""
        kind, name = named[0], named[1:]
        if kind == "P":
            self._portals.pop(name, None)
        elif self._prepared.pop(name, None) is not None:
            remaining = {key: value for key, value in self._settled.prepared.items() if key != name}
            self._settled = replace(self._settled, prepared=remaining)

    def ran(self, statements: Sequence[Running], *, transaction_open: bool, failed: bool) -> None:
        """These succeeded up to a ReadyForQuery: what they change holds, unless a failure among them undid it."""
        for position, running in enumerate(statements):
            classified = running.classified
            inside = transaction_open or failed or position + 1 < len(statements)
            self._settled = settled(self._settled, classified, inside)
            if classified.prepares is not None:
                name, prepared = classified.prepares
                inner = replace(prepared[0], start=classified.start, end=classified.end)
                self._prepared[name] = Prepared(name, running.text, inner)
            if classified.deallocates is not None:
                self._forget(classified.deallocates)
        if failed and not transaction_open:
            self._settled = settled(self._settled, _ROLLED_BACK, in_transaction=False)

    def sent(self, classified: Classified) -> None:
        """A statement was sent: what it changes may hold for the next one."""
        self._ahead = before(self._ahead, classified)

    def settle(self, *, transaction_open: bool) -> None:
        """The server is ready and owes nothing: nothing is pending any more."""
        self._pending_prepared.clear()
        self._pending_portals.clear()
        self._ahead = self._settled
        if not transaction_open:
            self._portals.clear()

    def follow_search_path(self, path: tuple[str, ...]) -> None:
        """The server itself reports what is in force (PostgreSQL 18 and later)."""
        self._settled = replace(self._settled, search_paths=(path,))

    def forget_unnamed(self) -> None:
        """A simple query destroys the unnamed statement and portal."""
        self._prepared.pop("", None)
        self._portals.pop("", None)

    def _forget(self, name: str) -> None:
        if name:
            self._prepared.pop(name, None)
        else:
            self._prepared.clear()
