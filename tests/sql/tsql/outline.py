"""A batch's statements in one line: what is nested follows what holds it."""

from __future__ import annotations

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.parse import parse


def outline(text: str, *, quoted_identifier: bool = True) -> str:
    """Return `If, Drop TABLE, Execute xp_cmdshell`. Raises UnparsedError."""
    batch = parse(text, quoted_identifier=quoted_identifier)
    return ", ".join(_said(node) for node in nodes.walk(batch) if isinstance(node, nodes.Statement))


def _said(node: nodes.Statement) -> str:
    name = type(node).__name__.removesuffix("Statement")
    match node:
        case nodes.Execute(procedure=nodes.ObjectName() as procedure):
            return f"{name} {procedure.last}"
        case nodes.Drop(kind=kind) | nodes.CreateTable(kind=kind):
            return f"{name} {kind}"
        case nodes.Definition() | nodes.CreateModule():
            return f"{node.verb} {node.kind}"
        case nodes.Utility():
            return f"{node.verb} {node.kind}".strip()
        case nodes.Transaction() | nodes.Message() | nodes.Jump() | nodes.CursorCommand() | nodes.Entitlement():
            return node.verb
        case nodes.TriggerSwitch() | nodes.TextAccess():
            return f"{name} {node.verb}"
        case _:
            return name
