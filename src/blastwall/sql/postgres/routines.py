"""Bodies of code: DO, CREATE FUNCTION and PROCEDURE, CALL, in SQL and PL/pgSQL."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace

from blastwall.model.effects import Action
from blastwall.sql.postgres.copying import Copying
from blastwall.sql.postgres.guard import refusal
from blastwall.sql.postgres.parse import UnparsedError, lexemes, parse, parse_plpgsql
from blastwall.sql.postgres.scope import Range, Scope
from blastwall.sql.postgres.statement import NO_CHANGES, Changes, Classified
from blastwall.sql.postgres.tree import Node, body, flag, items, options, scalar, sub, text, unwrap, words

_PLAIN = frozenset(
    """
    function block assign if if_elsif case case_when loop while fori fors forc foreach_a exit return return_next
    return_query raise raise_option assert execsql perform call getdiag diag_item open fetch close commit rollback null
    var rec row recfield expr type exception_block exception condition variable arrayelem
    """.split()  # noqa: SIM905 - a word list reads better as words
)
_DYNAMIC = frozenset({"dynexecute", "dynfors"})
_EXPRESSION, _ASSIGNMENT = 2, 3
_Named = tuple[str, tuple[Classified, ...]] | None
MAX_BODIES = 8


class Routines(Copying):
    """Reads bodies; what is in them is an effect of what defines or runs them."""

    data = b""
    bodies = 0
    prepares: _Named = None
    declares: _Named = None
    executes: str | None = None
    deallocates: str | None = None
    closes: str | None = None
    fetches: str | None = None

    @abstractmethod
    def pend_definition(self, places: Iterable[tuple[str, str]], definition: str, given: Mapping[str, Node]) -> None:
        """Note a function's text until the catalog has it; the reader of definitions overrides it."""

    @abstractmethod
    def statement(self, tag: str, node: Node) -> None:
        """Read any statement; the classifier overrides it."""

    def do_statement(self, node: Node) -> None:
        """Read DO."""
        given = dict(options(items(node, "args")))
        language = scalar(given.get("language", {})) or "plpgsql"
        self.effect(Action.EXECUTE, self.pseudo("languages", language, "language"))
        self.body_of(language, scalar(given.get("as", {})) or "")

    def call_statement(self, node: Node) -> None:
        """Read CALL: always `execute`, for a procedure is code."""
        call = sub(node, "funccall")
        scope = Scope()
        given = self.expr(call.get("args"), scope)
        self.send_on(given.sources)
        parts = words(items(call, "funcname"))
        self.call(parts, items(call, "args"))

    def create_function(self, node: Node) -> None:
        """Read CREATE FUNCTION: `define`, `entitle` where it runs as its owner, and the effects of its body."""
        given = list(options(items(node, "options")))
        by_name = dict(given)
        parts = words(items(node, "funcname"))
        for created in self.created(parts, "function"):
            self.effect(Action.DEFINE, created)
            if scalar(by_name.get("security", {})) == "true" or self.stands_in(parts[-1]):
                self.effect(Action.ENTITLE, created)
        self.function_made(parts[-1])
        made = [(one.path[1], one.path[2]) for one in self.created(parts, "function")]
        for place in made if flag(node, "replace") else ():
            self.keeps_of_code(place)
        self.pend_definition(made, self.data.decode(), by_name)
        self.function_body(node)

    def function_body(self, node: Node) -> None:
        """Read what calling the function of a CREATE FUNCTION does."""
        given = list(options(items(node, "options")))
        for parameter in items(node, "parameters"):
            self.expr(sub(body(parameter, "FunctionParameter"), "defexpr"), Scope())
        before = self.state
        for name, argument in given:
            if name == "set":
                self._function_setting(body(argument, "VariableSetStmt"))
        self._function_body(node, dict(given))
        self.state = before

    def function_made(self, name: str) -> None:
        """Note a name by which a function may be called from now on."""
        self.changes = replace(self.changes, functions=self.changes.functions | {name})

    def _function_setting(self, node: Node) -> None:
        kept, self.changes = self.changes, NO_CHANGES
        self.set_statement(node) if text(node, "kind") != "VAR_SET_CURRENT" else self.connect()
        if self.changes.paths is not None:
            self.state = replace(self.state, search_paths=self.changes.paths)
        self.changes = kept

    def _function_body(self, node: Node, given: dict[str, Node]) -> None:
        if "sql_body" in node:
            self._atomic(sub(node, "sql_body"))
            return
        language = (scalar(given.get("language", {})) or "").lower()
        source = words([given.get("as", {})])
        if language == "plpgsql":
            self._plpgsql(self.data, source[0] if source else "")
        else:
            self.body_of(language, source[0] if source else "")

    def _atomic(self, node: Node) -> None:
        tag, inner = unwrap(node)
        if tag == "ReturnStmt":
            self.expr(inner.get("returnval"), _variables())
            self.send_on(None if self.reads else frozenset())
        elif tag == "List":
            for item in items(inner, "items"):
                self._atomic(item)
        elif tag:
            self._inner(tag, inner)

    def body_of(self, language: str, source: str) -> None:
        """Read a body given as text."""
        match language.lower():
            case "sql":
                self._sql(source)
            case "plpgsql":
                quoted = source.replace("'", "''").replace("\\", "\\\\")
                self._plpgsql(f"DO E'{quoted}'".encode(), source)
            case _:
                self.concede(f"it holds code in a language that Blastwall does not read ({language or 'unnamed'})")

    # ── statements inside ────────────────────────────────────────────────────────────────────────────────────────────

    def _enter(self, source: str) -> str:
        self.bodies += 1
        if self.bodies > MAX_BODIES:
            return "bodies of code are nested too deeply"
        try:
            return refusal(source, source.encode(), self.limits)
        except UnicodeEncodeError:
            return "the body is not valid Unicode text"

    def _sql(self, source: str) -> None:
        reason = self._enter(source)
        if reason:
            self.concede(reason)
            return
        try:
            trees = parse(source.encode())
        except UnparsedError as error:
            self.concede(f"its body cannot be read: {error}")
            return
        outer, self.data = self.data, source.encode()
        for tree in trees:
            self._inner(*unwrap(sub(tree, "stmt")))
        self.data = outer
        self.bodies -= 1

    def _inner(self, tag: str, node: Node) -> None:
        """Read a statement of a body. Its literals are offsets in another text, so they are dropped."""
        kept = (dict(self.literals), set(self.secrets), dict(self.parameters), self.transaction, self.changes)
        copy, self.changes = self.copy, NO_CHANGES
        self._unnamed(tag, node)
        inside: Changes = self.changes
        self.literals, self.secrets, self.parameters, self.transaction, self.changes = kept
        self.copy = copy
        if inside.paths is not None or inside.reset:
            self.concede("code changes the search_path, so the names after it cannot be known: qualify them instead")
            self.changes = replace(self.changes, paths=())
        if inside.user or inside.temp or inside.functions:
            self.changes = replace(
                self.changes, user=inside.user, temp=self.changes.temp | inside.temp,
                functions=self.changes.functions | inside.functions,
            )  # fmt: skip
        if self.reads:
            self.send_on(None)

    def _unnamed(self, tag: str, node: Node) -> None:
        """Read a statement of a body, which gives and takes no names: nobody knows when, and whether, it is run."""
        kept = self._names()
        self.prepares = self.declares = self.executes = self.deallocates = self.closes = self.fetches = None
        self.statement(tag, node)
        if any(one is not None for one in self._names()):
            self.concede("code prepares statements, or opens cursors, by names: nobody could say what those mean then")
        self.prepares, self.declares, self.executes, self.deallocates, self.closes, self.fetches = kept

    def _names(self) -> tuple[_Named, _Named, str | None, str | None, str | None, str | None]:
        return (self.prepares, self.declares, self.executes, self.deallocates, self.closes, self.fetches)

    def _plpgsql(self, data: bytes, source: str) -> None:
        reason = self._enter(source)
        if reason:
            self.concede(reason)
            return
        try:
            functions = parse_plpgsql(data)
        except UnparsedError as error:
            self.concede(f"its body cannot be read as PL/pgSQL: {error}")
            return
        found = [sub(function, "PLpgSQL_function") for function in functions]
        if len(found) != 1 or "action" not in found[0]:
            self.concede("its body cannot be read as PL/pgSQL")
            return
        self._block(found[0])
        self._types_named(source)
        self.bodies -= 1

    def _types_named(self, source: str) -> None:
        """Variables are of types whose checks run when they are set; the parser leaves out what it does not know."""
        known = self.catalog.attachments.types
        data = source.encode() if known else b""
        for token in lexemes(data) if data else ():
            word = data[token.start : token.end].decode()
            quoted = word[1:-1].replace('""', '"') if word.startswith('"') else word.lower()
            if quoted in known:
                self.cast_to((quoted,))

    def _block(self, root: Node) -> None:
        stack: list[object] = [root]
        while stack:
            current = stack.pop()
            if isinstance(current, list):
                stack.extend(reversed(current))
            elif isinstance(current, dict):
                for key, value in current.items():
                    if key.startswith("PLpgSQL_"):
                        self._plpgsql_node(key.removeprefix("PLpgSQL_").removeprefix("stmt_"), value)
                    elif key == "dynquery":
                        self._dynamic()
                stack.extend(reversed(list(current.values())))

    def _plpgsql_node(self, kind: str, value: object) -> None:
        if kind in _DYNAMIC:
            self._dynamic()
        elif kind == "open":
            self.follow(self.follower.unknown_cursors())
        elif kind not in _PLAIN:
            self.concede(f"its body holds a PL/pgSQL statement that Blastwall cannot place ({kind})")
        if kind == "expr" and isinstance(value, dict):
            self._expression(text(value, "query"), value.get("parseMode"))

    def _dynamic(self) -> None:
        self.concede("its body runs dynamic SQL (EXECUTE), which cannot be known before it runs: write the SQL out")

    def _expression(self, query: str, mode: object) -> None:
        if isinstance(mode, int) and mode >= _ASSIGNMENT:
            query = _right_side(query)
            mode = _EXPRESSION
        if mode == _EXPRESSION:
            query = "SELECT " + query
        try:
            trees = parse(query.encode())
        except UnparsedError as error:
            self.concede(f"its body holds SQL that cannot be read: {error}")
            return
        outer, self.data = self.data, query.encode()
        for tree in trees:
            self._inner(*unwrap(sub(tree, "stmt")))
        self.data = outer


def _right_side(query: str) -> str:
    """Return what `target := value` assigns, with the subscripts of its target."""
    data, depth = query.encode(), 0
    for token in lexemes(data):
        depth += (token.name in {"ASCII_40", "ASCII_91"}) - (token.name in {"ASCII_41", "ASCII_93"})
        if depth == 0 and token.name in {"COLON_EQUALS", "ASCII_61"}:
            target = data[: token.start].decode().strip()
            subscripts = "," + target if "[" in target else ""
            return "(" + data[token.end :].decode() + ")" + subscripts
    return query


def _variables() -> Scope:
    return Scope(None, [Range("", None)])
