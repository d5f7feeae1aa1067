"""COPY in its forms."""

from __future__ import annotations

from dataclasses import replace

from blastwall.model.effects import Action, Effect
from blastwall.sql.lineage import Columns, OutputColumn
from blastwall.sql.postgres.scope import Scope
from blastwall.sql.postgres.settings import Settings
from blastwall.sql.postgres.statement import Copy
from blastwall.sql.postgres.tree import Node, body, flag, items, options, scalar, sub, text, words

_KNOWN = frozenset(
    """
    format delimiter null header quote escape encoding force_quote force_not_null force_null freeze default on_error
    log_verbosity reject_limit
    """.split()  # noqa: SIM905 - a word list reads better as words
)


class Copying(Settings):
    """Reads COPY."""

    copy: Copy | None = None

    def copy_statement(self, node: Node) -> None:
        """Read a COPY: its relation or query, its other end, and its format."""
        coming = flag(node, "is_from")
        columns = self._in(node) if coming else self._out(node)
        self.decide(node.get("whereClause"), Scope(None, [self.table(sub(node, "relation"), None, reading=False)]))
        if "filename" in node or flag(node, "is_program"):
            self._server_side(node, columns)
        else:
            self.copy = self._format(node, "in" if coming else "out", columns)

    def _in(self, node: Node) -> Columns | None:
        for target in self.targets(sub(node, "relation")):
            self.effect(Action.CREATE, self.object(target))
            self.touch(target, Action.CREATE)
        self.probe(node, words(items(node, "attlist")) or None, new=True)
        return self._picked(node, self.table(sub(node, "relation"), None, reading=False).columns)

    def _out(self, node: Node) -> Columns | None:
        if "query" in node:
            columns = self.expr_query(sub(node, "query"), None)
        else:
            columns = self._stored_columns(node, self.table(sub(node, "relation"), None).columns)
        for effect in (*self.effects, *self.followed):
            if effect.action in {Action.READ, Action.REVEAL}:
                held = self.followed if effect.marks else self.effects
                held[Effect(Action.EXPORT, effect.object, effect.marks)] = None
        if not self.effects:
            self.connect()
        return columns

    def _stored_columns(self, node: Node, columns: Columns | None) -> Columns | None:
        """COPY of a table leaves out its generated columns, unless they are named."""
        targets = self.targets(sub(node, "relation"))
        relation = targets[0].relation if len(targets) == 1 else None
        if columns is not None and relation is not None and not words(items(node, "attlist")):
            made = {name for name, _ in relation.generated}
            columns = tuple(column for column in columns if column.name not in made)
        return self._picked(node, columns)

    def _picked(self, node: Node, columns: Columns | None) -> Columns | None:
        names = words(items(node, "attlist"))
        if columns is None or not names:
            return columns
        by_name = {column.name: column for column in columns}
        return tuple(replace(by_name.get(name, OutputColumn(name, None)), beside=None) for name in names)

    def _server_side(self, node: Node, columns: Columns | None) -> None:
        name = text(node, "filename")
        if flag(node, "is_program"):
            self.effect(Action.EXECUTE, self.pseudo("programs", name, "program"))
        else:
            self.effect(Action.EXECUTE, self.pseudo("files", name, "file"))
        if not flag(node, "is_from"):
            for column in columns or ():
                self.send_on(column.sources)
            if columns is None:
                self.send_on(None)

    def _format(self, node: Node, direction: str, columns: Columns | None) -> Copy:
        given = {}
        quoted: tuple[str, ...] = ()
        for name, argument in options(items(node, "options")):
            if name not in _KNOWN:
                self.concede(f"COPY has an option that Blastwall does not know ({name})")
            if name == "force_quote":
                quoted = words(items(body(argument, "List"), "items")) or ("*",)
            given[name] = scalar(argument)
        form = (given.get("format") or "text").lower()
        csv = form == "csv"
        header = (given.get("header") or "on") if "header" in given else "off"
        quote = given.get("quote") or '"'
        return Copy(
            direction, form, columns, given.get("delimiter") or ("," if csv else "\t"),
            ("" if csv else "\\N") if given.get("null") is None else str(given["null"]),
            header.lower() not in {"off", "false", "0"}, quote, given.get("escape") or quote,
            given.get("encoding") or "", quoted,
            not {"on_error", "reject_limit", "encoding"} & given.keys() and "whereClause" not in node,
        )  # fmt: skip
