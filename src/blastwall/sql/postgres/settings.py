"""SET, RESET, SHOW, set_config and transaction control: what changes the session."""

from __future__ import annotations

from dataclasses import replace

from blastwall.model.effects import Action
from blastwall.sql.lineage import OutputColumn
from blastwall.sql.postgres.builtin_names import HARMLESS_SETTINGS
from blastwall.sql.postgres.functions import SECRET_NAME, split_name
from blastwall.sql.postgres.scope import Scope
from blastwall.sql.postgres.state import Path
from blastwall.sql.postgres.statement import NO_CHANGES
from blastwall.sql.postgres.tree import Node, flag, items, options, scalar, sub, text
from blastwall.sql.postgres.writes import Writes

_ENCODINGS = frozenset({"utf8", "unicode", "sqlascii"})
_TRUE = frozenset({"on", "true", "yes", "1", "t", "y", "tr", "tru", "ye"})
_TRANSACTIONS = {
    "BEGIN": "begin", "START": "begin", "COMMIT": "commit", "ROLLBACK": "rollback", "SAVEPOINT": "savepoint",
    "RELEASE": "release", "ROLLBACK_TO": "rollback to", "PREPARE": "prepare transaction",
    "COMMIT_PREPARED": "commit prepared", "ROLLBACK_PREPARED": "rollback prepared",
}  # fmt: skip


class Settings(Writes):
    """Reads what changes the session, and notes what it does to the meaning of later names."""

    changes = NO_CHANGES
    transaction = ""

    def temporary(self, name: str) -> None:
        """Note a name that may mean a temporary relation from now on."""
        self.changes = replace(self.changes, temp=self.changes.temp | {name})

    def names_unknown(self) -> None:
        """Note that the search_path may be anything from now on."""
        self.changes = replace(self.changes, paths=(), certain=False)

    def transaction_statement(self, node: Node) -> None:
        """Read BEGIN, COMMIT and their kin."""
        kind = text(node, "kind").removeprefix("TRANS_STMT_")
        self.transaction = _TRANSACTIONS.get(kind, "")
        if not self.transaction:
            self.concede("it is a transaction command that Blastwall does not know")
        elif kind.endswith("PREPARED") or kind == "PREPARE":
            self.effect(Action.ADMIN, self.pseudo("transactions", text(node, "gid"), "pseudo"))
        else:
            self.connect()

    def set_statement(self, node: Node) -> None:
        """Read SET and RESET."""
        name, local = text(node, "name"), flag(node, "is_local")
        match text(node, "kind"):
            case "VAR_SET_VALUE":
                values = [scalar(value) for value in items(node, "args")]
                if SECRET_NAME.search(name):
                    self.secret(True)
                self.expr(node.get("args"), Scope())
                if SECRET_NAME.search(name):
                    self.secret(False)
                known = [value for value in values if value is not None]
                self.assign(name, known, local)
                if name.lower() == "application_name" and len(known) == len(values) == 1:
                    self.changes = replace(self.changes, application=known[0], local=local)
            case "VAR_SET_DEFAULT" | "VAR_RESET":
                self.assign(name, None, local)
            case "VAR_RESET_ALL":
                self.reset_all()
            case "VAR_SET_MULTI":
                self._set_multi(name, node)
            case _:
                self.concede("it sets something in a way that Blastwall does not know")

    def _set_multi(self, name: str, node: Node) -> None:
        if name == "TRANSACTION SNAPSHOT":
            self.effect(Action.ADMIN, self.pseudo("settings", "transaction_snapshot", "setting"))
            return
        for option, _ in options(items(node, "args")):
            self.assign(option, [""], False)

    def reset_all(self) -> None:
        """Add RESET ALL: every setting, the search_path too, goes back to the session's start."""
        self.connect()
        self.changes = replace(self.changes, reset=True)

    def assign(self, name: str, values: list[str] | None, local: bool) -> None:
        """Add the effect of giving a setting a value; None is its default."""
        lowered = name.lower()
        match lowered:
            case "search_path":
                self.connect()
                self._search_path(values, local)
            case "role" | "session_authorization":
                self._become(values)
            case "standard_conforming_strings":
                self._only(values is None or (values[:1] and values[0].lower() in _TRUE), lowered, "on")
            case "client_encoding":
                wanted = (values or ["utf8"])[0].lower().replace("-", "").replace("_", "").replace(" ", "")
                self._only(wanted in _ENCODINGS, lowered, "UTF8")
            case _ if lowered in HARMLESS_SETTINGS:
                self.connect()
            case _:
                self.effect(Action.ADMIN, self.pseudo("settings", lowered, "setting"))

    def _only(self, allowed: object, name: str, value: str) -> None:
        if allowed:
            self.connect()
        else:
            reason = f"Blastwall reads statements with {name} = {value} only: leave {name} as it is"
            self.concede(reason)
            self.changes = replace(self.changes, forbidden=reason)

    def _search_path(self, values: list[str] | None, local: bool) -> None:
        if values is None:
            self.changes = replace(self.changes, reset=True, local=local)
        else:
            self.changes = replace(self.changes, paths=(tuple(values),), local=local)

    def _become(self, values: list[str] | None) -> None:
        if not values or values[0].lower() in {"none", "default"}:
            self.connect()
            return
        self.effect(Action.ENTITLE, self.pseudo("roles", values[0], "role"))
        self.changes = replace(self.changes, user=values[0])

    def set_config(self, name: str, arguments: list[Node]) -> None:
        """Add what set_config does; whether it is reached at all, nobody knows."""
        value = scalar(arguments[1]) if len(arguments) > 1 else None
        if name.lower() == "search_path":
            path = search_path(value) if value is not None else None
            self.connect()
            self.changes = replace(self.changes, paths=(path,) if path is not None else (), certain=False)
            return
        if name.lower() == "application_name":
            reason = "set_config would hide the name that the resource knows this agent by: use SET application_name"
            self.concede(reason)
            self.changes = replace(self.changes, forbidden=reason)
            return
        if value is None and name.lower() in {"role", "session_authorization", "client_encoding"}:
            self.concede(f"set_config sets {name} to what an expression gives: write the value as a constant")
            return
        self.assign(name, [value or ""], False)

    def show_statement(self, node: Node) -> tuple[OutputColumn, ...]:
        """Read SHOW."""
        name = text(node, "name")
        if name.lower() == "all":
            self.connect()
            return tuple(OutputColumn(column, frozenset()) for column in ("name", "setting", "description"))
        self.show(name)
        return (OutputColumn(name, frozenset()),)

    def alter_system(self, node: Node) -> None:
        """Read ALTER SYSTEM."""
        name = text(sub(node, "setstmt"), "name").lower() or "all"
        self.effect(Action.ADMIN, self.pseudo("settings", name, "setting"))


def search_path(value: str) -> Path | None:
    """Split a search_path given as text; None where it is malformed."""
    found = []
    for part in _commas(value):
        names = split_name(part)
        if len(names) != 1:
            return None
        found.append(names[0])
    return tuple(found)


def _commas(value: str) -> list[str]:
    parts, quoted = [""], False
    for character in value:
        quoted ^= character == '"'
        if character == "," and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts] if value.strip() else []
