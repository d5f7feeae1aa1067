"""The figures of a comparison, as a table by class of statement."""

from __future__ import annotations

from collections import Counter

from tests.classification.run import Tally

_CLASSES = (
    ("queries", {"SELECT", "VALUES", "SELECT INTO", "FETCH", "MOVE", "DECLARE", "CLOSE"}),
    ("row changes", {"INSERT", "UPDATE", "DELETE", "MERGE", "COPY"}),
    ("EXPLAIN", {"EXPLAIN"}),
    ("prepared statements", {"PREPARE", "EXECUTE", "DEALLOCATE"}),
    ("tables, views, indexes", {"TABLE", "VIEW", "INDEX", "SEQUENCE", "TRIGGER", "RULE", "POLICY"}),
    ("session and settings", {"SET", "RESET", "SHOW", "DISCARD", "LISTEN", "NOTIFY", "UNLISTEN", "SET CONSTRAINTS"}),
    ("code", {"DO", "CALL", "CREATE FUNCTION", "CREATE PROCEDURE"}),
)
_REST = "other definitions, privileges, maintenance"


def figures(tally: Tally) -> str:
    """Return a Markdown table: a row a class, a column a verdict, shares of the class in per cent."""
    rows: dict[str, Counter[str]] = {name: Counter() for name in (*(name for name, _ in _CLASSES), _REST)}
    for operation, counts in tally.counts.items():
        rows[_class(operation)] += counts
    rows["**all**"] = sum(rows.values(), Counter())
    lines = ["| statements | number | equal | more | conceded | missed |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for name, counts in rows.items():
        total = counts.total()
        if total:
            shares = " | ".join(f"{100 * counts[verdict] / total:.1f} %" for verdict in ("equal", "more", "conceded"))
            lines.append(f"| {name} | {total:,} | {shares} | {counts['missed']} |")
    return "\n".join(lines)


def _class(operation: str) -> str:
    for name, members in _CLASSES:
        if operation in members or (
            operation.rsplit(maxsplit=1)[-1] in members
            and operation.split(maxsplit=1)[0] in {"CREATE", "ALTER", "DROP"}
        ):
            return name
    return _REST
