"""EXECUTE: procedures followed to what they do, constant texts read, the server's own procedures known by name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from blastwall.model.effects import Action, Mark, Object
from blastwall.sql.lineage import Lineage, OutputColumn, Sources, union
from blastwall.sql.tsql import nodes as n
from blastwall.sql.tsql.effects.constants import Known, Texts, folded
from blastwall.sql.tsql.effects.findings import Flow, Offsets, substituted
from blastwall.sql.tsql.effects.following import Summary
from blastwall.sql.tsql.effects.names import Target, split_name
from blastwall.sql.tsql.effects.procedural import Procedural
from blastwall.sql.tsql.effects.scope import merged
from blastwall.sql.tsql.effects.system_procedures import Procedure, is_system, known_procedure
from blastwall.sql.tsql.operations import flat
from blastwall.sql.tsql.parse import parse
from blastwall.sql.tsql.state import NameState
from blastwall.sql.tsql.statement import RETURN_STATUS, ResultSet
from blastwall.sql.tsql.unparsed import UnparsedError

_NOTHING: Sources = frozenset()
_OTHERS = frozenset({"master", "msdb", "tempdb", "model"})
_CHARACTERS_A_STEP = 20


class Executing(Procedural):
    """Reads EXECUTE."""

    def execute(self, node: n.Statement) -> list[ResultSet] | None:
        """Read EXEC as the source of an INSERT; return the result sets that it may give, None where unknown."""
        kept, opened = self.results, self.results_open
        self.results, self.results_open = [], False
        self.statement(node)
        found = None if self.results_open else self.results
        self.results, self.results_open = kept, opened
        return found

    # ── procedures ───────────────────────────────────────────────────────────────────────────────────────────────────

    def call(self, node: n.Execute) -> None:
        """Read the call of a procedure."""
        self.straight = False
        before = len(self.results)
        for parts in self._procedures(node.procedure):
            self._call_procedure(parts, node)
        self._renamed(before, node.options)
        if node.status is not None:
            self.constants[node.status.name.lower()] = None

    def _renamed(self, before: int, options: Sequence[str]) -> None:
        """Forget how the columns of the newest results are called, where WITH RESULT SETS calls them otherwise."""
        if "RESULT SETS" not in options:
            return
        for at in range(before, len(self.results)):
            columns = self.results[at].columns
            if columns is not None:
                self.results[at] = ResultSet(tuple(replace(column, name="", exact=False) for column in columns))

    def _procedures(self, procedure: n.ObjectName | n.Variable) -> Sequence[tuple[str, ...]]:
        if isinstance(procedure, n.ObjectName):
            return (procedure.texts,)
        texts = self.constants.get(procedure.name.lower())
        names = [split_name(one.text) for one in texts] if texts is not None else [()]
        if not names or not all(names):
            self._unknown_code(f"it calls a procedure whose name is in {procedure.name}: write the name itself")
            return ()
        return names

    def _unknown_code(self, reason: str) -> None:
        self.concede(reason)
        self.send_on(None)
        self.say(None)
        self.results_open = True
        self.uncounted = True
        self.blur()

    def _call_procedure(self, parts: tuple[str, ...], node: n.Execute) -> None:
        lowered = parts[-1].lower()
        padded = ("",) * (4 - len(parts)) + parts
        if padded[0]:
            self._remote(padded[0], node.arguments)
            return
        own = self.catalog.fold(padded[1]) in {"", self.catalog.fold(self.catalog.database)}
        if is_system(lowered) and (own or padded[1].lower() in _OTHERS):
            self._system_procedure(lowered, node)
            schema = padded[2] or self._schema_of(parts[-1])
            if own and self.catalog.module(schema, parts[-1]) is not None:
                self._user_procedure(self.resolved(parts, "procedure"), node)  # where the server has none of that name
            return
        if not own or padded[2].lower() == "sys":
            self._unknown_code(f"it calls {'.'.join(part for part in parts if part)}, of which Blastwall knows nothing")
            self._argument_sources(node.arguments)
            self.effect(Action.EXECUTE, Object((self.catalog.database, "sys", lowered), "procedure"))
            return
        self._user_procedure(self.resolved(parts, "procedure"), node)

    def _remote(self, server: str, arguments: Sequence[n.Argument]) -> None:
        self.effect(Action.EXECUTE, self.server(server))
        self._argument_sources(arguments)
        self._unknown_code(f"it runs something on the server {server}, which Blastwall cannot judge")

    def _argument_sources(self, arguments: Sequence[n.Argument]) -> list[Sources]:
        """Read arguments; return what each may hold, a table variable's all that is in it."""
        found: list[Sources] = []
        for one in arguments:
            lineage = self.expr(one.value, self.scope())
            if isinstance(one.value, n.Variable):
                table = self.temporaries.tables.get(one.value.name.lower())
                if table is not None:
                    self.temporaries.seen.add(one.value.name.lower())
                    lineage = union([lineage, merged(table.columns)])
                if one.output:
                    self.constants[one.value.name.lower()] = None
            found.append(lineage.sources)
        return found

    def _user_procedure(self, target: Target, node: n.Execute) -> None:
        sources = self._argument_sources(node.arguments)
        module = target.module
        if self.chain.making and self.key(target.schema, target.name) == self.chain.making:
            self.effect(Action.EXECUTE, target.object)  # it calls itself: what it does is being read
            self._given_out(node, None)
            self.results_open = True
            return
        if target.elsewhere or module is None or target.object.kind not in {"procedure", "function"}:
            self.effect(Action.EXECUTE, target.object)
            self._given_out(node, None)
            self._unknown_code(f"the catalog does not know the procedure {target.schema}.{target.name}")
            return
        found = self.summary(module)
        marks = frozenset({Mark.DEFINER} if self._runs_as_owner(found) else ())
        self.effect(Action.EXECUTE, target.object, marks)
        given = self._by_parameter(node.arguments, sources, found)
        for name, one in given.items():
            self.convert(Lineage(one), found.types.get(name, ""))
        self.apply(found, given)
        self._associated(node.arguments, found)
        if found.results is None:
            self.results_open = True
        for result in found.results or ():
            self.results.append(_given_result(result, given))
        self._returned(node, found, given)

    def _runs_as_owner(self, found: Summary) -> bool:
        return any(Mark.DEFINER in effect.marks for effect in found.effects)

    def _by_parameter(
        self, arguments: Sequence[n.Argument], sources: Sequence[Sources], found: Summary
    ) -> dict[str, Sources]:
        names = [name for name, _ in found.parameters]
        given: dict[str, Sources] = {}
        for at, (argument, one) in enumerate(zip(arguments, sources, strict=True)):
            name = argument.name.lower() if argument.name is not None else names[at] if at < len(names) else ""
            given[name] = one
        return given

    def _associated(self, arguments: Sequence[n.Argument], found: Summary) -> None:
        """A value given to a parameter meets the column that the parameter meets."""
        names = [name for name, _ in found.parameters]
        for at, argument in enumerate(arguments):
            name = argument.name.lower() if argument.name is not None else names[at] if at < len(names) else ""
            column = found.compared.get(name)
            if column is not None:
                self.associate(argument.value, column)

    def _returned(self, node: n.Execute, found: Summary, given: Mapping[str, Sources]) -> None:
        names = [name for name, _ in found.parameters]
        for at, argument in enumerate(node.arguments):
            if not argument.output or not isinstance(argument.value, n.Variable):
                continue
            name = argument.name.lower() if argument.name is not None else names[at] if at < len(names) else ""
            sources = found.returns.get(name, _NOTHING if found.results is not None else None)
            self.flow.store(argument.value.name.lower(), substituted(sources, given))
            self.convert(Lineage(substituted(sources, given)), self.type_named(argument.value.name.lower()))
        if node.status is not None:
            status = substituted(found.returns.get(RETURN_STATUS, _NOTHING), given)
            self.flow.store(node.status.name.lower(), status)

    def _given_out(self, node: n.Execute, sources: Sources) -> None:
        for argument in node.arguments:
            if argument.output and isinstance(argument.value, n.Variable):
                self.flow.store(argument.value.name.lower(), sources)
        if node.status is not None:
            self.flow.store(node.status.name.lower(), sources)

    # ── the server's own ─────────────────────────────────────────────────────────────────────────────────────────────

    def _system_procedure(self, name: str, node: n.Execute) -> None:
        if name == "sp_executesql":
            self._execute_sql(node)
            return
        known = known_procedure(name)
        secret = known is None or known.secret
        self.secret(True) if secret else None
        sources = self._argument_sources(node.arguments)
        self.secret(False) if secret else None
        if known is None:
            self._special(name, node, sources)
            return
        self._known(name, known, node)
        self._given_out(node, _NOTHING if not known.tells else None)
        self.send_on(union(map(Lineage, sources)).sources)
        self.results_open |= known.tells
        self.harmless_others = True

    def _special(self, name: str, node: n.Execute, sources: Sequence[Sources]) -> None:
        given = union(map(Lineage, sources)).sources
        match name:
            case "sp_rename":
                self._rename(node)
            case "sp_set_session_context":
                self.connect()
                self.send_on(given)
            case "sp_xml_preparedocument":
                self.connect()
                self._given_out(node, given)
            case "sp_setapprole" | "sp_unsetapprole":
                self.effect(Action.EXECUTE, self.role(self._text(node, 0) or ""))
                self.forbid(f"{name} changes for good who the session is: it cannot be judged afterwards")
            case _ if name.startswith("xp_"):
                self.effect(Action.EXECUTE, self.pseudo("programs", name, "program"))
                self._given_out(node, None)
                self.send_on(given)
                self.results_open = True
            case _:
                self.effect(Action.EXECUTE, Object((self.catalog.database, "sys", name), "procedure"))
                self._given_out(node, None)
                self._unknown_code(f"{name} runs text that Blastwall does not read: send that text by itself")

    def _known(self, name: str, known: Procedure, node: n.Execute) -> None:
        for target in self._objects(name, known.on, node):
            for action in known.actions:
                self.effect(action, target)
        if known.tells:
            self.filters_unknown = True

    def _objects(self, name: str, on: str, node: n.Execute) -> list[Object]:
        first = self._named_first(node)
        match on:
            case "":
                return [self.database]
            case "catalog":
                return [Object((self.catalog.database, "sys", name), "procedure")]
            case "role":
                return [self.role(text) for text in self._principals(name, node)] or [self.role("")]
            case "server":
                return [self.server(_host(first or name))]
            case "program":
                return [self.pseudo("programs", name, "program")]
            case "setting":
                return [self.setting((first or name).lower())]
            case "job":
                return [self.pseudo("jobs", first or name, "pseudo")]
            case "mail":
                return [self.server("mail")]
            case _:
                parts = split_name(first) if first else ()
                return [self.resolved(parts).object] if parts else [self.database]

    def _named_first(self, node: n.Execute) -> str | None:
        """What a call is about: its first argument, or the one of a telling name; others may be secrets."""
        if node.arguments and node.arguments[0].name is None:
            return self._text(node, 0)
        places = [at for at, one in enumerate(node.arguments) if (one.name or "").lower() in _TELLING]
        return self._text(node, places[0]) if places else None

    def _principals(self, name: str, node: n.Execute) -> list[str]:
        """The principals that are named: never an argument that may be a password."""
        places = range(2) if name in _TWO_ROLES else (2,) if name == "sp_password" else (0,)
        plain = [at for at, one in enumerate(node.arguments) if one.name is None or not _SECRET.search(one.name)]
        named = any(one.name is not None for one in node.arguments)
        found = [self._text(node, at) for at in plain if named or at in places]
        return [text for text in found if text]

    def _text(self, node: n.Execute, at: int) -> str | None:
        if at >= len(node.arguments):
            return None
        value = node.arguments[at].value
        if isinstance(value, n.Constant):
            return None if value.kind in {"NULL", "DEFAULT"} else value.text
        texts = folded(value, self.constants, None)
        return next(iter(texts)).text if texts is not None and len(texts) == 1 else None

    def _rename(self, node: n.Execute) -> None:
        given = {(one.name or "").lower(): at for at, one in enumerate(node.arguments)}
        old = self._text(node, given.get("@objname", 0))
        new = self._text(node, given.get("@newname", 1))
        kind = (self._text(node, given.get("@objtype", 2)) or "object").lower()
        parts = split_name(old) if old else ()
        if not parts or new is None:
            self._unknown_code("sp_rename names what it renames by an expression: write the names as constants")
            return
        if kind == "database":
            self.effect(Action.DEFINE, Object((parts[-1],), "database"))
            self.effect(Action.ADMIN, self.database)
            return
        of_part = kind in {"column", "index", "statistics"}
        self.defining = True
        target = self.resolved(parts[:-1] if of_part and len(parts) > 1 else parts)
        self.defining = False
        self.effect(Action.DEFINE, target.object)
        self.effect(Action.ADMIN, target.object)  # policies and masks speak of it by its name
        self.renames.add((target.schema, target.name))
        for name in (new, parts[-1], target.name):
            self.unsettle(target.schema, name)

    # ── texts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def execute_text(self, node: n.ExecuteText) -> None:
        """Read EXEC ('…')."""
        self.straight = False
        self._argument_sources(node.arguments)
        whole: n.Node = node.parts[0] if len(node.parts) == 1 else n.Operation(
            node.start, node.end, ("+",) * (len(node.parts) - 1), node.parts
        )  # fmt: skip
        for part in node.parts:
            self.expr(part, self.scope())
        if node.server is not None or node.data_source is not None:
            named = node.server or node.data_source
            self._remote(named.text if named is not None else "", ())
            return
        state, before = self.session, len(self.results)
        if node.kind:
            name = node.principal.text if isinstance(node.principal, n.Constant) else ""
            self.effect(Action.EXECUTE, self.role(name))
            state = _as_another(state, name)
        self._run_texts(folded(whole, self.constants, self.offset), state, Flow(), ())
        self._renamed(before, node.options)

    def _execute_sql(self, node: n.Execute) -> None:
        arguments = {(one.name or "").lower(): one for one in node.arguments}
        ordered = list(node.arguments)
        text = arguments.get("@stmt") or arguments.get("@statement") or (ordered[0] if ordered else None)
        sources = self._argument_sources(node.arguments)
        if text is None:
            self._unknown_code("sp_executesql is given no text")
            return
        texts = folded(text.value, self.constants, self.offset)
        declared = arguments.get("@params") or (ordered[1] if len(ordered) > 1 else None)
        flow, parameters = self._parameters(declared, [*zip(ordered, sources, strict=True)][2:])
        if parameters is None:
            self._unknown_code("sp_executesql's parameters are not declared by a constant that can be read")
            flow.lost = True
        self._run_texts(texts, self.session, flow, parameters or ())

    def _parameters(
        self, declared: n.Argument | None, given: Sequence[tuple[n.Argument, Sources]]
    ) -> tuple[Flow, Sequence[tuple[str, str, n.Argument]] | None]:
        """Return the variables of the inner text, and which argument stands for each."""
        if declared is None or (isinstance(declared.value, n.Constant) and not declared.value.text.strip()):
            return Flow(), ()
        texts = folded(declared.value, self.constants, None)
        if texts is None or len(texts) != 1:
            if isinstance(declared.value, n.Constant) and declared.value.kind == "NULL":
                return Flow(), ()
            return Flow(), None
        declarations = declared_parameters(next(iter(texts)).text)
        if declarations is None:
            return Flow(), None
        flow = Flow()
        pairs: list[tuple[str, str, n.Argument]] = []
        for at, (name, kind) in enumerate(declarations):
            named = [one for one in given if (one[0].name or "").lower() == name]
            placed = [given[at]] if at < len(given) and given[at][0].name is None else []
            for argument, sources in (named or placed)[:1]:
                flow.variables[name] = sources
                self.convert(Lineage(sources), kind)
                pairs.append((name, kind, argument))
        return flow, pairs

    def _run_texts(
        self, texts: Texts, state: NameState, flow: Flow, parameters: Sequence[tuple[str, str, n.Argument]]
    ) -> None:
        if texts is None:
            self._unknown_code(
                "it runs text that is put together from values: send the statement itself, with parameters"
            )
            for _, _, argument in parameters:
                if argument.output and isinstance(argument.value, n.Variable):
                    self.flow.store(argument.value.name.lower(), None)
            return
        for one in sorted(texts, key=lambda known: known.text):
            self._run_text(one, state, flow, parameters)

    def _run_text(
        self, known: Known, state: NameState, flow: Flow, parameters: Sequence[tuple[str, str, n.Argument]]
    ) -> None:
        self.depth_check()
        self.spend(len(known.text) // _CHARACTERS_A_STEP)
        try:
            batch = parse(known.text, quoted_identifier=self.quoted, limits=self.limits)
        except UnparsedError as error:
            self._unknown_code(f"it runs text that cannot be read: {without_strings(str(error))}")
            self._whole_secret(known)
            return
        places = known.places
        offsets = composed(self.offsets, places)

        def read(child: Executing) -> None:
            child.run_batch(batch)

        def make() -> Executing:
            child = self.child(state, state if not self.nested else self.session)
            child.nested = self.nested
            child.offsets = offsets
            child.cursors = dict(self.cursors)
            child.text_depth = self.text_depth + 1
            child.kinds.update(kinds)
            return child

        kinds = {name: kind for name, kind, _ in parameters}
        before = {name: table for name, table in self.temporaries.tables.items() if name.startswith("#")}
        child = self.settled_reading(make, read, flow, before)
        self.absorb(child, before)
        for name, _, argument in parameters:
            self._parameter_done(child, name, argument)

    def _whole_secret(self, known: Known) -> None:
        places, offsets = known.places, self.offsets
        if places is not None and offsets is not None:
            place = (offsets(places[0]), offsets(places[-1]))
            self.literals[place] = None
            self.secrets.add(place)

    def _parameter_done(self, child: Executing, name: str, argument: n.Argument) -> None:
        column = child.compared.get(name)
        if column is not None:
            self.associate(argument.value, column)
        if isinstance(argument.value, n.Variable):
            if name in child.secret_variables:
                self.secret_variables.add(argument.value.name.lower())
            if argument.output:
                self.flow.store(argument.value.name.lower(), child.flow.read(name))
                self.convert(Lineage(child.flow.read(name)), self.type_named(argument.value.name.lower()))
        elif isinstance(argument.value, n.Constant) and name in child.secret_variables and self.offsets is not None:
            self.secrets.add(self.place(argument.value))

    text_depth = 0

    def depth_check(self) -> None:
        """Refuse texts within texts without end."""
        if self.text_depth > _MOST_TEXTS:
            self.concede("it runs texts within texts, more deeply than Blastwall follows")

    def run_batch(self, batch: n.Batch) -> None:
        """Read a whole batch."""
        self.alone = len(batch.statements) == 1
        self.jumps = any(isinstance(node, n.Jump) and node.verb == "GOTO" for node in flat(batch.statements))
        self.body(batch.statements)

    def absorb(self, child: Executing, before: Mapping[str, object]) -> None:
        """Add what an inner text does, as if it stood here."""
        self.effects.update(child.effects)
        self.followed.update(child.followed)
        self.doubts.update(child.doubts)
        self.reads |= child.reads
        self.renames |= child.renames
        self.send_on(child.copies)
        self.say(child.messages)
        self.filters |= child.filters
        self.filters_open |= child.filters_open
        self.filters_unknown |= child.filters_unknown
        self.predicates.extend(child.predicates)
        self.results.extend(child.results)
        self.results_open |= child.results_open
        self.harmless_others |= child.harmless_others
        self.modifies += child.modifies
        self.uncounted |= child.uncounted
        self.transaction |= child.transaction
        self.forbidden = self.forbidden or child.forbidden
        child.settle()
        self.literals.update(child.literals)
        self.secrets |= child.secrets
        self.flow.store("\0error", child.flow.variables.get("\0error", _NOTHING))
        for name, table in child.temporaries.tables.items():
            if name in before or name.startswith("##"):
                self.temporaries.put(name, table)
        for name, values in child.settings.items():
            self.settings.setdefault(name, set()).update(values)

    # ── identity ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def execute_as(self, node: n.ExecuteAs) -> None:
        """Read EXECUTE AS and SETUSER: from here on names may mean something else."""
        if node.kind == "CALLER":
            self.connect()
            return
        name = node.principal.text if isinstance(node.principal, n.Constant) else ""
        if node.kind == "SETUSER" and node.principal is None:
            self.connect()
            return
        self.effect(Action.EXECUTE, self.role(name))
        if node.no_revert or node.cookie is not None:
            self.forbid("EXECUTE AS … WITH NO REVERT, or with a cookie, changes for good who the session is")
        if not self.state.settings.get("user"):
            self.state = _as_another(self.state, name)
            self.session = _as_another(self.session, name)
        self.settings.setdefault("user", set()).add(name or "?")

    def revert(self, node: n.Revert) -> None:
        """Read REVERT: whether it comes to be run is not known, so names stay in doubt."""
        del node
        self.connect()


def declared_parameters(text: str) -> list[tuple[str, str]] | None:
    """Return the names and types of sp_executesql's parameters, lower-case; None where they cannot be read."""
    if not text.strip():
        return []
    try:
        batch = parse(f"CREATE PROCEDURE p {text} AS RETURN")
    except UnparsedError:
        return None
    one = batch.statements[0] if len(batch.statements) == 1 else None
    if not isinstance(one, n.CreateModule) or one.options or one.execute_as or len(one.body) != 1:
        return None  # the text has closed the list itself
    last = one.body[0]
    if not isinstance(last, n.Return) or last.value is not None:
        return None
    return [(parameter.name.lower(), parameter.type.name.last.lower()) for parameter in one.parameters]


def composed(outer: Offsets, places: tuple[int, ...] | None) -> Offsets:
    """Return where each place of an inner text stands in the request's, by way of the text around it."""
    if outer is None or places is None:
        return None
    return lambda at: outer(places[at])


def without_strings(reason: str) -> str:
    """Return why a text cannot be read without quoting a string of it, which may be a secret."""
    return _QUOTED.sub("a string", reason)


def _given_result(result: ResultSet, given: Mapping[str, Sources]) -> ResultSet:
    if result.columns is None or not given:
        return result
    columns = tuple(OutputColumn(one.name, substituted(one.sources, given), one.exact) for one in result.columns)
    return ResultSet(columns)


def _as_another(state: NameState, name: str) -> NameState:
    settings = {**state.settings, "user": frozenset({name or "?"})}
    return replace(state, settings=settings)


def _host(name: str) -> str:
    """Of an address only its host: the rest may hold a signature."""
    found = _ADDRESS.match(name)
    return found[1] if found else name


_MOST_TEXTS = 8
_ADDRESS = re.compile(r"\w+://(?:[^@/?#]*@)?([^/:?#]+)")
_QUOTED = re.compile(r"`[Nn]?['\"].*`", re.DOTALL)
_SECRET = re.compile(r"pass|pwd|old|new|secret|key", re.IGNORECASE)
_TELLING = frozenset(
    {"@server", "@rmtsrvname", "@local_server", "@url", "@job_name", "@configname", "@name", "@dbname", "@objname",
     "@tabname", "@table_name", "@publication", "@schedule_name", "@viewname", "@triggername"}
)  # fmt: skip
_TWO_ROLES = frozenset(
    {"sp_addrolemember", "sp_droprolemember", "sp_addsrvrolemember", "sp_dropsrvrolemember", "sp_changegroup"}
)
