"""The verb of a batch, as policies and recordings name it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from blastwall.sql.tsql import nodes as n

BATCH, EMPTY = "BATCH", "EMPTY"
_WORDS: dict[type[n.Node], str] = {
    n.Insert: "INSERT", n.Update: "UPDATE", n.Delete: "DELETE", n.Merge: "MERGE", n.Truncate: "TRUNCATE TABLE",
    n.Declare: "DECLARE", n.SetVariable: "SET", n.SetCursor: "SET", n.SetOption: "SET",
    n.WaitFor: "WAITFOR", n.Execute: "EXEC", n.ExecuteText: "EXEC", n.ExecuteAs: "EXECUTE AS", n.Revert: "REVERT",
    n.DeclareCursor: "DECLARE CURSOR", n.CreateTable: "CREATE TABLE", n.AlterTable: "ALTER TABLE",
    n.CreateIndex: "CREATE INDEX", n.CreateSynonym: "CREATE SYNONYM", n.SchemaElements: "CREATE SCHEMA", n.Use: "USE",
    n.Return: "RETURN", n.Jump: "GOTO",
}  # fmt: skip
_QUIET = (n.Declare, n.SetVariable, n.SetCursor, n.SetOption, n.Message, n.Return, n.Jump, n.Transaction,
          n.CursorCommand, n.DeclareCursor, n.WaitFor)  # fmt: skip
"""Statements beside which another one's verb says more."""


def operation_of(batch: n.Batch) -> str:
    """Return the verb that all statements which matter share, else BATCH."""
    every = list(flat(batch.statements))
    if not every:
        return EMPTY
    verbs = {_verb(one) for one in every if not isinstance(one, _QUIET)} or {_verb(one) for one in every}
    return verbs.pop() if len(verbs) == 1 else BATCH


def flat(statements: Sequence[n.Statement]) -> Iterator[n.Statement]:
    """Yield the statements of a text in order, those inside of blocks, branches and loops too."""
    todo = list(reversed(statements))
    while todo:
        one = todo.pop()
        match one:
            case n.Block():
                todo.extend(reversed(one.statements))
            case n.If():
                todo.extend(part for part in (one.otherwise, one.then) if part is not None)
            case n.While():
                todo.append(one.body)
            case n.TryCatch():
                todo.extend((*one.catch, *one.attempt))
            case _:
                yield one


def _verb(node: n.Statement) -> str:
    if isinstance(node, n.BulkInsert):
        return "INSERT BULK" if node.file is None else "BULK INSERT"
    return _other_verb(node)


def _other_verb(node: n.Statement) -> str:
    match node:
        case n.SelectStatement():
            into = isinstance(node.query.body, n.Select) and node.query.body.into is not None
            return "SELECT INTO" if into else "SELECT"
        case n.CreateView():
            return f"{node.verb} VIEW"
        case n.CreateModule():
            return f"{node.verb} {node.kind}"
        case n.Drop():
            return f"DROP {node.kind}"
        case n.Definition():
            return f"{node.verb} {node.kind}"
        case n.TriggerSwitch():
            return f"{node.verb} TRIGGER"
        case n.Transaction():
            return f"{node.verb} TRANSACTION"
        case n.Entitlement() | n.Message() | n.CursorCommand() | n.TextAccess():
            return node.verb
        case n.Utility():
            return f"{node.verb} {node.kind}".strip() if not node.kind.startswith(node.verb) else node.kind
        case _:
            return _WORDS.get(type(node), BATCH)
