"""What calling a function does: nothing, something known, or code that only its owner knows."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable

from blastwall.model.effects import Action, Mark, Object
from blastwall.sql.lineage import CONSTANT, UNKNOWN, Lineage, Sources, union
from blastwall.sql.postgres.builtin_names import HARMLESS_FUNCTIONS, OPERATORS
from blastwall.sql.postgres.dangers import danger
from blastwall.sql.postgres.findings import CALL_STEPS
from blastwall.sql.postgres.hanging import OPERATORS as _SIGNS
from blastwall.sql.postgres.names import Names
from blastwall.sql.postgres.tree import Node, body, items, scalar, words

_SECRET_ARGUMENTS = re.compile(
    r"(pgp_\w+|crypt|gen_salt|hmac|digest|encrypt(_iv)?|decrypt(_iv)?|dblink(_connect\w*|_exec|_send_query)?|http\w*)"
)
SECRET_NAME = re.compile(
    r"passw|secret|token|credential|private|api_?key|access_?key|conninfo|passphrase", re.IGNORECASE
)
_DERIVING = re.compile(
    r"pgp_sym_(en|de)crypt\w*|pgp_pub_(en|de)crypt\w*|crypt|hmac|digest|gen_salt|encrypt|decrypt|gen_random_bytes|"
    r"uuid_generate_v\w+|similarity|word_similarity|levenshtein|soundex|unaccent|citext|metaphone|dmetaphone|hstore"
)


_COMPILED = frozenset({"c", "internal"})
"""Languages of functions that compute; those in others may read any table."""

_KEYWORD_FUNCTIONS = frozenset(
    {"json_array", "json_arrayagg", "json_exists", "json_objectagg", "json_query", "json_serialize", "json_table",
     "json_value", "set_config", "current_setting", "nextval", "setval", "xmltable"}
)  # fmt: skip
"""Names that the newest grammar takes for its own, and an older server for a function's."""

_REPLACING = 3
"""Arguments of the ts_rewrite that replaces one query by another; the one of two runs a query that is given as text."""

_TRYING = frozenset({"pg_input_is_valid", "pg_input_error_info"})


def takes_secrets(name: str) -> bool:
    """Whether a function's arguments may be keys, passwords or connection strings."""
    return _SECRET_ARGUMENTS.fullmatch(name) is not None


class Functions(Names, ABC):
    """Adds the effects of calls."""

    def call(self, parts: tuple[str, ...], arguments: list[Node]) -> Lineage | None:
        """Add what a call does; return what its result tells of besides its arguments.

        None is for a result that depends on more than can be told.
        """
        self.spend(CALL_STEPS)
        self.cast_to(parts)  # name(value) is a cast where a type has that name
        users = self.functions(parts)
        for schema, called in users:
            self._execute(schema, called)
            self.code_runs += self.made(schema, called) or any(
                one.language not in _COMPILED for one in self.catalog.functions(schema, called)
            )
        told = self._told_by(parts, users)
        self._tell(told)
        return told if self._depends_on_arguments(parts, users, arguments) else None

    def _depends_on_arguments(
        self, parts: tuple[str, ...], users: list[tuple[str, str]], arguments: list[Node]
    ) -> bool:
        """Add what the functions do that are known by name; return whether the result depends on arguments alone."""
        name = parts[-1] if parts else ""
        if name in _TRYING:
            self._tried(arguments)
        if users and len(parts) > 1:
            self._dangerous(name, users[0][0], arguments)
            return self._pure(users)
        if name in {"set_config", "current_setting", "nextval", "setval"}:
            return self._special(name, arguments)
        if name == "ts_rewrite" and len(arguments) == _REPLACING:
            return not users or self._pure(users)
        if name in HARMLESS_FUNCTIONS:
            return name != "setseed" and (not users or self._pure(users))
        if self._dangerous(name, "pg_catalog", arguments):
            return False
        if not users:
            self._unknown(parts)
        return self._pure(users)

    def _tried(self, arguments: list[Node]) -> None:
        """Add what trying a text as a value of a type runs, whose name is given as text."""
        named = scalar(arguments[1]) if len(arguments) > 1 else None
        words_of = None if named is None else set(re.findall(r'[^\s".,()\[\]]+', f"{named} {named.lower()}"))
        for known in self.catalog.attachments.types:
            if words_of is None or known in words_of:
                self.cast_to((known,))

    def _pure(self, users: list[tuple[str, str]]) -> bool:
        found = [function for user in users for function in self.catalog.functions(*user)]
        known = bool(found) and all(function.volatility == "i" for function in found)
        return known and not any(self.made(*user) for user in users)

    def _told_by(self, parts: tuple[str, ...], users: list[tuple[str, str]]) -> Lineage:
        """Return what a call tells of besides its arguments: a function's body may read any table."""
        called = [one.oid for user in users for one in self.catalog.functions(*user)]
        casts = self.catalog.attachments.types.get(parts[-1], ()) if parts else ()
        return union([Lineage(self.follower.told(oid)) for oid in (*called, *casts)])

    def _run(self, functions: Iterable[int]) -> Lineage:
        """Add what functions do that the statement does not name; return what they tell of besides their arguments."""
        found = CONSTANT
        for oid in functions:
            self.follow(self.follower.run(oid))
            found = union([found, Lineage(self.follower.told(oid))])
        self._tell(found)
        self.code_runs += found.sources is None
        if found.sources:
            self.met.append(found.sources)
        return found

    def _tell(self, found: Lineage) -> None:
        self.told = union([Lineage(self.told), found]).sources

    def _execute(self, schema: str, name: str) -> None:
        """Add `execute`, and what the body of each function of that name does, where it can be known."""
        found = self.catalog.functions(schema, name) if schema != "pg_catalog" else ()
        marks = frozenset({Mark.DEFINER} if any(one.security_definer for one in found) else ())
        self.effect(Action.EXECUTE, Object((self.catalog.database, schema, name), "function"), marks)
        for function in found:
            body = self.follower.function(function)
            self.follow(self.follower.unread(function) if body is None else body)
            self.follow(self.follower.implied(function.oid))
        if schema != "pg_catalog":
            self.called.add((schema, name))
            self.follow(self.follower.made(schema, name))

    def _unknown(self, parts: tuple[str, ...]) -> None:
        if len(parts) > 1 or (
            parts[-1:] and (parts[-1].startswith("pg_") or self.catalog.functions("pg_catalog", parts[-1]))
        ):
            self._execute("pg_catalog", parts[-1])
            return
        self.code_runs += 1
        for created in self.created(parts, "function"):
            self.effect(Action.EXECUTE, created)
            self.called.add((created.path[1], created.path[2]))

    def _dangerous(self, name: str, schema: str, arguments: list[Node]) -> bool:
        known = danger(name.lower())
        if known is None:
            return False
        target = Object((self.catalog.database, schema, name), "function")
        for action in known.actions:
            self.effect(action, target)
        if known.runs_text:
            self.concede(f"{name} runs a query or reaches a server that is given as text: send that query by itself")
        return True

    def _special(self, name: str, arguments: list[Node]) -> bool:
        first = scalar(arguments[0]) if arguments else None
        if name in {"nextval", "setval"}:
            self._sequence(name, first if first is not None or not arguments else _serial(arguments[0]))
            return name == "nextval"
        if first is None:
            self.concede(f"{name} names its setting by an expression: write the setting's name as a constant")
        elif name == "current_setting":
            self.show(first)
        else:
            self.set_config(first, arguments)
        return name == "current_setting"

    def _sequence(self, name: str, sequence: str | None) -> None:
        if sequence is None:
            self.concede(f"{name} names its sequence by an expression: write the sequence's name as a constant")
            return
        if re.fullmatch("[0-9]+", sequence):
            self._sequence_by_oid(name, int(sequence))
            return
        parts = split_name(sequence)
        for target in self.relations(parts) if parts else []:
            self.effect(Action.UPDATE, self.object(target, "sequence"))

    def _sequence_by_oid(self, name: str, oid: int) -> None:
        """A number is taken for an OID (`regclassin`), and cast to one without being asked."""
        relation = self.catalog.by_oid(oid)
        if relation is None:
            self.concede(f"{name} names its sequence by a number that is not known: write its name")
        else:
            self.effect(Action.UPDATE, self.catalog.object(relation))

    def show(self, name: str) -> None:
        """Add the effect of showing a setting."""
        lowered = name.lower()
        if (SECRET_NAME.search(lowered) and lowered != "password_encryption") or lowered.endswith("_command"):
            self.effect(Action.REVEAL, self.pseudo("settings", lowered, "setting"))
        elif "." in lowered:
            self.effect(Action.READ, self.pseudo("settings", lowered, "setting"))
        else:
            self.connect()

    @abstractmethod
    def set_config(self, name: str, arguments: list[Node]) -> None:
        """Add the effect of set_config; the reader of settings overrides it."""

    def attribute(self, name: str, given: Sources) -> Lineage:
        """Add what `value.name` does where `name` is no column: PostgreSQL calls the function of that name.

        Return what that tells of besides the value.
        """
        self.cast_to((name,))
        if not self.is_called(name):
            return CONSTANT
        told = self.call((name,), [])
        if told is None:
            self.send_on(given)
            return UNKNOWN
        return told

    def is_called(self, name: str) -> bool:
        """Whether there is, or may be, a function that `value.name` calls."""
        return name in self.state.functions or danger(name.lower()) is not None or bool(self.functions((name,)))

    def stands_in(self, name: str) -> bool:
        """Whether a function of this name would be called by statements that are judged as calling a harmless one."""
        return name in HARMLESS_FUNCTIONS or name in _KEYWORD_FUNCTIONS

    def cast_to(self, parts: tuple[str, ...]) -> Lineage:
        """Add what casting to a type runs: its casts, a domain's checks, those of types inside too.

        Return what that tells of besides the value.
        """
        known = self.catalog.attachments.types.get(parts[-1], ()) if parts else ()
        return self._run(known) if known else CONSTANT

    def operator(self, parts: tuple[str, ...]) -> Lineage:
        """Add what an operator does; return what its result tells of besides its operands."""
        if not parts:
            return CONSTANT
        known = self.catalog.attachments.operators.get(parts[-1], ())
        meant = [operator.function for operator in known if self._is_meant(operator.schema, parts)] if known else ()
        found = self._run(meant) if meant else CONSTANT
        if self.state.lost:
            hung = self.follower.hung((_SIGNS, parts[-1]), Action.UPDATE)
            self.follow(hung)
            self.code_runs += bool(hung)
            found = UNKNOWN if hung else found
        if (len(parts) == 1 and parts[0] in OPERATORS) or (len(parts) > 1 and parts[-2] == "pg_catalog"):
            return found
        schemas = [parts[-2]] if len(parts) > 1 else ["public"]
        self._execute(schemas[0], parts[-1])
        return found if meant else UNKNOWN

    def _is_meant(self, schema: str, parts: tuple[str, ...]) -> bool:
        """Whether an operator of that schema may be the one that is written."""
        return schema == parts[-2] if len(parts) > 1 else any(schema in path for path in self.paths())


def _serial(node: Node) -> str | None:
    """The table in `pg_get_serial_sequence('table', …)`: its sequence is the table's own."""
    call = body(node, "FuncCall")
    arguments = items(call, "args")
    named = words(items(call, "funcname"))[-1:] == ("pg_get_serial_sequence",)
    return scalar(arguments[0]) if named and arguments else None


def split_name(name: str) -> tuple[str, ...]:
    """Split the text form of a qualified name ('"My schema".orders') as PostgreSQL does; () where it is malformed."""
    parts: list[str] = []
    position = 0
    for match in re.finditer(r'\s*(?:"((?:[^"]|"")*)"|([^\s".]+))\s*(\.|$)', name):
        if match.start() != position:
            return ()
        position = match.end()
        parts.append(match[1].replace('""', '"') if match[1] is not None else match[2].lower())
        if not match[3]:
            return tuple(parts) if position == len(name) else ()
    return ()
