"""Runs regression scripts against a real server and compares each statement's effects with what it did."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
from tests.classification.compare import Happened, Verdict, compare
from tests.classification.observer import Account, account, since
from tests.classification.script import Script
from tests.sql.postgres.real import read_snapshot

from blastwall.model.effects import Action
from blastwall.sql.postgres import Catalog, Classified, NameState, classify, settled

_ALONE = ("vacuum", "create database", "drop database", "alter database", "create tablespace", "drop tablespace",
          "alter system", "reindex database", "reindex system", "create subscription", "drop subscription",
          "checkpoint",
          "cluster;", "discard all", "reindex schema")  # fmt: skip
"""What cannot run in a transaction block, so that nothing tells what it did."""
_LOOKS = re.compile(
    r"pg_get_\w+def|pg_\w*size|pg_partition_|pg_sequence_last_value|pg_relation_|information_schema|pg_rules|pg_\w*views|"
    r"pg_indexes|pg_policies",
    re.IGNORECASE,
)
"""Functions that take a lock to tell of a relation, and read none of its rows."""
_RENAMES = re.compile(r"\brename\s+to\b|\bset\s+schema\b", re.IGNORECASE)
_OF_THE_PLANNER = re.compile(r"drop\s+statistics\b", re.IGNORECASE)
"""What locks a table and changes nothing of it but how its queries are planned."""
_ATTACHES = re.compile(r"\battach\s+partition\b", re.IGNORECASE)
_CONSTRAINT_TRIGGERS = b"""
SELECT 'read', n.nspname, c.relname FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgconstrrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal
"""
"""The tables in FROM of constraint triggers: a new partition gets its parent's triggers, for which they are locked."""
_ROWS = frozenset({"create", "update", "delete"})
_DEFINING = frozenset({Action.DEFINE, Action.DROP, Action.ENTITLE, Action.EXECUTE, Action.UNCLASSIFIED})


@dataclass(slots=True)
class Tally:
    """How many statements of each class got which verdict, and what was missed."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    missed: list[tuple[str, str, list[str]]] = field(default_factory=list)
    refused: int = 0
    unobserved: int = 0

    def add(self, operation: str, verdict: Verdict) -> None:
        self.counts.setdefault(operation, Counter())[verdict.value] += 1


class Runner:
    """One connection that runs one script after another."""

    def __init__(self, connection: psycopg.Connection, side: psycopg.Connection, folder: Path, tally: Tally) -> None:
        self._side = side
        self._connection = connection
        self._variables = {"abs_srcdir": str(folder), "abs_builddir": str(folder), "libdir": "/x", "dlsuffix": ".so"}
        self._tally = tally
        self._catalog = self._read()
        self._stale = False
        self._state = self._fresh()

    def _fresh(self) -> NameState:
        return NameState((("$user", "public"),), "postgres")

    def _read(self) -> Catalog:
        """The catalog without the observer's own event triggers."""
        catalog = read_snapshot(self._side).catalog
        known = {oid: catalog.function(oid) for oid in catalog.attachments.event_triggers}
        others = tuple(oid for oid, one in known.items() if one is None or one.schema != "blastwall_observer")
        catalog.attachments = replace(catalog.attachments, event_triggers=others)
        return catalog

    def script(self, path: Path) -> None:
        """Run one script in a session as new."""
        self._state = self._fresh()
        self._script = Script(path.read_text(errors="replace"), self._variables)
        for text in self._script:
            self._piece(text, path.stem)
        for command in (b"ROLLBACK", b"RESET SESSION AUTHORIZATION", b"DISCARD ALL"):
            self._connection.pgconn.exec_(command)

    def _in_block(self) -> bool:
        return self._connection.pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE

    def _failed(self) -> bool:
        return self._connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.INERROR

    def _piece(self, text: str, script: str) -> None:
        if self._stale and not self._in_block():
            self._catalog, self._stale = self._read(), False
            self._state = replace(self._state, lost=frozenset())
        found = classify(text, self._catalog, self._state)
        if not found:
            return
        if len(found) > 1 or found[0].transaction or text.lower().startswith(_ALONE) or self._failed():
            self._plainly(text, found)
            return
        self._observed(text, found[0], script)

    def _plainly(self, text: str, found: Iterable[Classified]) -> None:
        self._tally.unobserved += 1
        if self._send(text):
            for one in found:
                self._settle(one)

    def _settle(self, one: Classified) -> None:
        self._state = settled(self._state, one, self._in_block())
        self._stale = self._stale or any(effect.action in _DEFINING for effect in one.effects)

    def _observed(self, text: str, one: Classified, script: str) -> None:
        own = not self._in_block()
        if own:
            self._connection.pgconn.exec_(b"BEGIN")
        before = self._asked()
        if before is None or not self._send(text):
            self._tally.refused += 1
        else:
            after = self._asked()
            if after is not None:
                happened = self._counted(text, since(before, after), own=own)
                verdict, missed = compare(one.effects, happened, self._catalog)
                self._tally.add(one.operation, verdict)
                if missed:
                    self._tally.missed.append((script, text, sorted(map(str, missed))))
            self._settle(one)
        if own:
            self._connection.pgconn.exec_(b"ROLLBACK" if self._failed() else b"COMMIT")
            self._state = settled(self._state, one, False) if not self._failed() else self._state

    def _counted(self, text: str, happened: set[Happened], *, own: bool) -> set[Happened]:
        """Return what is to be seen: without locks that tell nothing, and what the transaction made itself."""
        if _RENAMES.search(text):
            happened = {one for one in happened if one[0] not in _ROWS}  # counted under the new name
        if _OF_THE_PLANNER.match(text):
            happened = {one for one in happened if one[0] != "define"}
        if _LOOKS.search(text):
            happened = {one for one in happened if one[0] != "read"}
        if _ATTACHES.search(text):
            happened = happened - {
                (what, schema, name) for what, schema, name in self._side.execute(_CONSTRAINT_TRIGGERS)
            }
        return happened if own else {one for one in happened if self._was_there(one)}

    def _was_there(self, what: tuple[str, str, str]) -> bool:
        """What a transaction has defined is known to the gateway once it commits; until then it is the client's own."""
        _, schema, name = what
        if schema == "pg_temp":
            return bool(self._catalog.temporary(name))
        return "|" in name or self._catalog.relation(schema, name) is not None

    def _asked(self) -> Account | None:
        """An account under the rights that the script may have given up."""
        try:
            return account(self._connection)
        except psycopg.Error:
            return None

    def _send(self, text: str) -> bool:
        server = self._connection.pgconn
        result: psycopg.pq.abc.PGresult | None = server.exec_(text.encode())
        if result is not None and result.status == psycopg.pq.ExecStatus.COPY_IN:
            server.put_copy_data(self._script.data().encode())
            server.put_copy_end()
            result = server.get_result()
        while result is not None and result.status == psycopg.pq.ExecStatus.COPY_OUT:
            while server.get_copy_data(0)[0] > 0:
                pass
            result = server.get_result()
        while server.transaction_status == psycopg.pq.TransactionStatus.ACTIVE and server.get_result():
            pass
        return result is None or result.status not in {
            psycopg.pq.ExecStatus.FATAL_ERROR,
            psycopg.pq.ExecStatus.BAD_RESPONSE,
        }
