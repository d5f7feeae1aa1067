"""The way from a request's text to what it would do: parse, read until nothing grows, say what was found.

Whatever the text, there is an answer: what cannot be read, resolved or bounded is `unclassified`, and its doubt says
why. What reading may cost is bounded by `Limits`: the text, the parser's depth and statements, and `steps` over
all passes, texts within texts and followed definitions together. An answer is remembered by the text's shape
(`recall.py`) or the exact text, the state and the catalog's snapshot.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace

from blastwall.model.effects import Action, Effect, Object
from blastwall.model.statement import Literal
from blastwall.sql.tsql import nodes as n
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.defined import EVERYTHING, Defined, What
from blastwall.sql.tsql.effects.constants import Known
from blastwall.sql.tsql.effects.executing import without_strings
from blastwall.sql.tsql.effects.findings import Budget, Chain, Flow, TooComplexError
from blastwall.sql.tsql.effects.statements import Reader
from blastwall.sql.tsql.known_batches import plain
from blastwall.sql.tsql.limits import Limits
from blastwall.sql.tsql.operations import operation_of
from blastwall.sql.tsql.parse import parse
from blastwall.sql.tsql.recall import shaped
from blastwall.sql.tsql.state import NameState
from blastwall.sql.tsql.statement import Argument, Changes, Classified
from blastwall.sql.tsql.unparsed import UnparsedError
from blastwall.sql.tsql.watched import Looks

UNPARSED = "UNPARSED"
_DEFAULT_LIMITS = Limits()
_NONE: Mapping[str, str] = {}
_FIRING = frozenset({Action.DEFINE, Action.DROP, Action.ENTITLE})
_PLANS = ("showplan_xml", "showplan_all", "showplan_text", "statistics xml", "statistics profile")
_CHARACTERS_A_STEP = 10
_MOST_TEXTS, _MOST_CHARACTERS = 2_000, 4_000_000
TOO_COMPLEX = "it takes more work to follow than Blastwall does for one request: split it"
_TOO_DEEP = "it is nested too deeply to be followed: split it"


def classify(
    text: str,
    catalog: Catalog,
    state: NameState,
    *,
    parameters: Mapping[str, str] = _NONE,
    limits: Limits = _DEFAULT_LIMITS,
) -> Classified:
    """Return what a batch would do.

    `parameters` are the declared parameters of the text ("@id", lower-case, to its type), as sp_executesql has them.
    """
    if len(text) > limits.text:
        return unread(text, catalog, f"the text is longer than {limits.text} characters: send it in smaller batches")
    key = (text, _facts(state), tuple(sorted(parameters.items())), limits)
    memory = catalog.memory
    known = memory.texts.get(key)
    if isinstance(known, Classified):
        return known
    facts, watched = key[1:], shaped(text)
    known = memory.shapes.find(watched[0], text, facts) if watched is not None else None
    if known is not None:
        return known
    found = _classified(text, catalog, state, parameters, limits, looks=watched[1] if watched is not None else None)
    if watched is not None and memory.shapes.learn(watched[0], text, facts, found, watched[1]):
        return found
    if len(memory.texts) >= _MOST_TEXTS or memory.characters + len(text) > _MOST_CHARACTERS:
        memory.texts.clear()
        memory.characters = 0
    memory.texts[key] = found
    memory.characters += len(text)
    return found


def call(
    name: Sequence[str],
    arguments: Sequence[Argument],
    catalog: Catalog,
    state: NameState,
    *,
    limits: Limits = _DEFAULT_LIMITS,
) -> Classified:
    """Return what calling a procedure by RPC would do; `name` has one to four parts, exact and unquoted.

    In what is returned an argument without a name is called "@1", "@2" … by its place.
    """
    names = [(one.name or f"@{at + 1}").lower() for at, one in enumerate(arguments)]
    given = tuple(
        n.Argument(0, 0, one.name.lower() or None, n.Variable(0, 0, key) if one.given else _DEFAULT, one.output)
        for key, one in zip(names, arguments, strict=True)
    )
    procedure = n.ObjectName(0, 0, tuple(n.Identifier(0, 0, part, quoted=True) if part else None for part in name))
    batch = n.Batch(0, 0, (n.Execute(0, 0, procedure, given),))
    constants = {
        key: frozenset({Known(one.value, None)}) if isinstance(one.value, str) else None
        for key, one in zip(names, arguments, strict=True)
    }
    try:
        reader = _read(batch, catalog, state, dict.fromkeys(names, ""), limits, constants=constants)
    except (TooComplexError, RecursionError):
        return unread("", catalog, TOO_COMPLEX)
    return _answer(reader, "EXEC", state, dict.fromkeys(names, ""))


_DEFAULT = n.Constant(0, 0, "DEFAULT", "DEFAULT")


def _classified(
    text: str,
    catalog: Catalog,
    state: NameState,
    parameters: Mapping[str, str],
    limits: Limits,
    *,
    looks: Looks | None,
) -> Classified:
    quoting = state.settings.get("quoted_identifier", frozenset({"on"}))
    if len(quoting) > 1 and '"' in text:
        return unread(text, catalog, "double quotes may mean names or strings here: set QUOTED_IDENTIFIER again first")
    meant = plain(text)
    try:
        constant = looks.constant if looks is not None else n.Constant
        batch = parse(meant, quoted_identifier="on" in quoting, limits=limits, constant=constant)
        if looks is not None:
            looks.note(batch)
        reader = _read(batch, catalog, state, parameters, limits, text=meant)
        found = _answer(reader, operation_of(batch), state, parameters)
        return found if meant is text else replace(found, literals=())  # the client's text has none to hide
    except UnparsedError as error:
        return unread(text, catalog, f"the text cannot be read as T-SQL: {without_strings(str(error))}")
    except TooComplexError:
        return unread(text, catalog, TOO_COMPLEX)
    except RecursionError:
        return unread(text, catalog, _TOO_DEEP)


def _read(
    batch: n.Batch,
    catalog: Catalog,
    state: NameState,
    parameters: Mapping[str, str],
    limits: Limits,
    *,
    constants: Mapping[str, frozenset[Known] | None] | None = None,
    text: str = "",
) -> Reader:
    budget = Budget(limits.steps)
    budget.spend(len(text) // _CHARACTERS_A_STEP)
    chain = Chain(text=text)

    def make() -> Reader:
        reader = Reader(catalog, state, limits, budget, None if constants is not None else _itself)
        reader.begin(state, chain)
        reader.topmost = bool(text)
        reader.quoted = "off" not in state.settings.get("quoted_identifier", ())
        reader.constants.update(constants or {})
        reader.kinds.update({name.lower(): kind.lower() for name, kind in parameters.items()})
        return reader

    def read(reader: Reader) -> None:
        reader.run_batch(batch)
        if any(effect.action in _FIRING for effect in reader.effects):
            if EVERYTHING in catalog.doubted:
                reader.concede("which triggers of the database fire is not known before the transaction has ended")
            for trigger in catalog.database_triggers:
                reader.apply(reader.summary(trigger), {})

    first = make()
    flow = Flow({name.lower(): frozenset() for name in parameters})
    return first.settled_reading(make, read, flow, state.temporary)


def _itself(offset: int) -> int:
    return offset


def _answer(reader: Reader, operation: str, state: NameState, parameters: Mapping[str, str]) -> Classified:
    reader.settle()
    if not reader.effects and not reader.followed:
        reader.connect()
    names = [name.lower() for name in parameters]
    outputs = {name: reader.flow.read(name) for name in names}
    plans = any("on" in state.settings.get(name, ()) for name in _PLANS)
    return Classified(
        operation,
        reader.all_effects(),
        filtered=bool(reader.predicates) and all(reader.predicates),
        doubt="; ".join(reader.doubts),
        literals=_literals(reader),
        parameters={name: reader.compared[name] for name in names if name in reader.compared},
        secret_parameters=frozenset(name for name in names if name in reader.secret_variables),
        results=None if reader.results_open or plans else tuple(reader.results),
        harmless_others=reader.harmless_others,
        returns={**outputs, **reader.returns},
        messages=reader.messages,
        reads=frozenset(reader.reads),
        renames=frozenset(reader.renames),
        copies=reader.copies,
        filters=reader.filtering(),
        modifies=reader.modifies,
        counted=_counted(reader, state),
        straight=reader.straight,
        transaction=frozenset(reader.transaction),
        changes=_changes(reader, state),
    )


def _literals(reader: Reader) -> tuple[Literal, ...]:
    """A text that is run holds literals of its own; they stand for it, unless it is kept or compared itself."""
    found: list[Literal] = []
    for place, column in sorted(reader.literals.items(), key=lambda item: (item[0][0], -item[0][1])):
        one = Literal(*place, column, place in reader.secrets)
        if not found or one.start >= found[-1].end:
            found.append(one)
        elif found[-1].column is None and not found[-1].secret:
            found[-1] = one
        elif one.secret or one.column is not None:
            outer = found[-1]
            found[-1] = Literal(outer.start, outer.end, outer.column, secret=True)
    return tuple(found)


def _counted(reader: Reader, state: NameState) -> bool:
    quiet = state.may_be("nocount", "on", "off") or "on" in reader.settings.get("nocount", ())
    return not (reader.uncounted or quiet) or (reader.modifies == 0 and not reader.uncounted)


def _changes(reader: Reader, state: NameState) -> Changes:
    tables = reader.temporaries.tables
    made = (*reader.made, *reader.chain.altered)
    return Changes(
        temporary={
            name: table for name, table in tables.items() if name.startswith("#") and state.temporary.get(name) != table
        },
        dropped=frozenset(reader.dropped),
        cursors={name: columns for name, columns in reader.cursors.items() if not name.startswith("@")},
        settings={name: frozenset(values) for name, values in reader.settings.items()},
        unsettled=frozenset(reader.chain.unsettled),
        version=reader.catalog.version,
        forbidden=reader.forbidden,
        made=made,
        redefines=frozenset(key for one in made for key in _redefined(one, reader.catalog)),
        opened=frozenset(reader.chain.unsettled).union(key for one in made for key in _opened(one, reader.catalog)),
    )


def _opened(one: Defined, catalog: Catalog) -> Iterator[str]:
    """Yield the names by which values of other tables, or effects of other code, may come after this."""
    if one.derived or one.what is What.DOUBTED:
        yield catalog.key(one.schema, one.name) if one.name else EVERYTHING
    if one.what is What.CODE and one.on != ("", ""):
        yield catalog.key(*one.on)
    elif one.module is not None and one.module.type == "TR":
        yield EVERYTHING


def _redefined(one: Defined, catalog: Catalog) -> Iterator[str]:
    """Yield the names that mean something else after this, if it happens; a new table's meant nothing before."""
    if not one.name:
        yield EVERYTHING
    elif one.what not in (What.TABLE, What.COLUMNS) or catalog.knows(one.schema, one.name):
        yield catalog.key(one.schema, one.name)
    if one.module is not None and one.module.type == "TR":
        yield catalog.key(*one.on) if one.on != ("", "") else EVERYTHING


def _facts(state: NameState) -> Hashable:
    return (
        state.default_schema,
        tuple(sorted(state.temporary.items())),
        tuple(sorted(state.cursors.items(), key=lambda item: item[0])),
        tuple(sorted((name, tuple(sorted(values))) for name, values in state.settings.items())),
        tuple(sorted(state.unsettled.items())),
    )


def unread(text: str, catalog: Catalog, reason: str) -> Classified:
    """Return what is said of a text that nobody could read: from its first quote on, any of it may be a secret."""
    quotes = [at for at in (text.find("'"), text.find('"')) if at >= 0]
    start = min(quotes) if quotes else len(text)
    return Classified(
        UNPARSED,
        (Effect(Action.UNCLASSIFIED, Object((catalog.database,), "database")),),
        doubt=reason,
        literals=(Literal(start, len(text), None, True),) if quotes else (),
        results=None,
        messages=None,
        copies=None,
        filters=None,
        modifies=1,
        counted=False,
        straight=False,
    )
