"""Rows of the side connection to what hangs on relations, types and operators."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from blastwall.protocols.slices import Sliced, parts
from blastwall.sql.postgres import Attached, Attachments, Cascade, Operator, Rule, Trigger, Types


@dataclass(slots=True)
class _Hanging:
    """What was read for one relation so far."""

    numbers: dict[str, list[int]] = field(default_factory=dict)
    triggers: list[Trigger] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    cascades: list[Cascade] = field(default_factory=list)
    server: str = ""

    def take(self, what: str, detail: str) -> None:
        match what:
            case "trigger":
                events, function = json.loads(detail)
                self.triggers.append(Trigger(events, function))
            case "rule":
                event, definition = json.loads(detail)
                self.rules.append(Rule(event, definition))
            case "cascade":
                self.cascades.append(Cascade(*json.loads(detail)))
            case "server":
                self.server = detail
            case _:
                self.numbers.setdefault(what, []).append(int(detail))

    def attached(self) -> Attached:
        listed = {name: tuple(found) for name, found in self.numbers.items()}
        return Attached(
            tuple(self.triggers), tuple(self.rules), tuple(self.cascades), listed.get("written", ()),
            listed.get("seen", ()), listed.get("consulted", ()), listed.get("sequence", ()), self.server,
            listed.get("child", ()), "checked" in listed, listed.get("analyzed", ()),
        )  # fmt: skip


@dataclass(slots=True)
class _Kinds:
    """What was read of types so far."""

    named: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    others: dict[str, dict[int, list[int]]] = field(default_factory=lambda: {"within": {}, "rows": {}})

    def take(self, oid: int, what: str, detail: str) -> bool:
        """Take a row, or return False where it is not about a type."""
        if what == "named":
            schema, name = json.loads(detail)
            self.named.setdefault(name, []).append((schema, oid))
        elif what in self.others:
            self.others[what].setdefault(oid, []).append(int(detail))
        else:
            return False
        return True

    def types(self) -> Types:
        within, rows = ({oid: tuple(found) for oid, found in self.others[what].items()} for what in ("within", "rows"))
        return Types({name: tuple(found) for name, found in self.named.items()}, within, rows)


@dataclass(slots=True)
class _Reading:
    """What was read so far of everything."""

    relations: dict[int, _Hanging] = field(default_factory=dict)
    operators: dict[str, list[Operator]] = field(default_factory=dict)
    types: dict[str, list[int]] = field(default_factory=dict)
    type_code: dict[int, list[int]] = field(default_factory=dict)
    implied: dict[int, list[int]] = field(default_factory=dict)
    events: list[int] = field(default_factory=list)
    kinds: _Kinds = field(default_factory=_Kinds)

    def take(self, oid: int, what: str, given: str) -> None:
        match what:
            case "event":
                self.events.append(int(given))
            case "operator":
                schema, sign, function = json.loads(given)
                self.operators.setdefault(sign, []).append(Operator(schema, function))
            case "type":
                name, function = json.loads(given)
                self.types.setdefault(name, []).append(function)
                self.type_code.setdefault(oid, []).append(function)
            case "implied":
                self.implied.setdefault(oid, []).append(int(given))
            case _ if not self.kinds.take(oid, what, given):
                self.relations.setdefault(oid, _Hanging()).take(what, given)

    def together(self, relations: Mapping[int, Attached]) -> Attachments:
        return Attachments(
            relations,
            {sign: tuple(found) for sign, found in self.operators.items()},
            {name: tuple(found) for name, found in self.types.items()},
            {oid: tuple(found) for oid, found in self.type_code.items()},
            tuple(self.events),
            self.kinds.types(),
            {oid: tuple(found) for oid, found in self.implied.items()},
        )


def attachments_in_slices(rows: Sequence[Sequence[str | None]]) -> Sliced[Attachments]:
    """Put together what `CODE` and `ATTACHED` returned: rows of (OID, what, detail).

    Raises:
        ValueError: a detail is not what the queries give.
    """
    read = _Reading()
    for part in parts(rows):
        for owner, what, detail in part:
            read.take(int(owner or 0), what or "", detail or "")
        yield
    relations: dict[int, Attached] = {}
    for some in parts(list(read.relations.items())):
        relations.update((oid, found.attached()) for oid, found in some)
        yield
    return read.together(relations)
