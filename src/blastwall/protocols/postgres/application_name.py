"""The client's own `application_name` beside the gateway's label, which names agent and session in the resource's logs.

A `SET application_name` is replaced by one of the gateway's own that puts the label before the client's name; what the
server then reports is shown to the client without the label.
"""

from __future__ import annotations

from collections.abc import Sequence

from blastwall.sql.postgres import Classified

_LONGEST = 63
"""Bytes of an application_name that PostgreSQL keeps (NAMEDATALEN - 1); of a longer one it would complain."""


def with_label(text: str, statements: Sequence[Classified], label: str) -> str | None:
    """Return `text` with the label put into each SET application_name; None where there is none."""
    parts: list[str] = []
    position = 0
    for one in statements:
        if one.changes.application is not None and label:
            parts += [text[position : one.start], labelled(text, one, label)]
            position = one.end
    return "".join([*parts, text[position:]]) if parts else None


def labelled(text: str, one: Classified, label: str) -> str:
    """One statement of a text, with the label put into it where it is a SET application_name."""
    if one.changes.application is None or not label:
        return text[one.start : one.end]
    value = f"{label} {one.changes.application}".encode("ascii", "replace").decode()[:_LONGEST]
    quoted = value.strip().replace("'", "''")
    return f"SET {'LOCAL ' if one.changes.local else ''}application_name TO '{quoted}'"


def without_label(value: str, label: str, at_start: str) -> str:
    """What the client is told of a reported `value`; `at_start` is what it called itself when it connected."""
    if value == label:
        return at_start
    return value.removeprefix(f"{label} ") if label else value
