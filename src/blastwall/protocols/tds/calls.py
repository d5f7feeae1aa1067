"""What the calls of an RPC message ask for: a system procedure's by the text in it, any other's by its name.

| procedure | asked with |
| --- | --- |
| sp_executesql, sp_prepexec | the text in it and its values |
| sp_prepare, sp_cursorprepare | the text in it, at the stage "prepare" |
| sp_execute, sp_cursorexecute | the text that was prepared under the handle, and its values |
| sp_cursoropen, sp_cursorprepexec | the text in it and its values |
| sp_cursorfetch | the text that the cursor was opened with: its rows come now |
| sp_unprepare, sp_cursorunprepare, sp_cursorclose, sp_cursoroption | nothing that could do harm |
| sp_cursor | refused: it changes rows that no text names |
| any other | the procedure's name and its arguments |

Source: "Cursor stored procedures (Transact-SQL)", "Stored procedures (Database Engine)", for the order of parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from blastwall.model.effects import Action, Effect, Object
from blastwall.model.statement import Parameter, Stage
from blastwall.protocols.tds.declarations import read_declarations
from blastwall.protocols.tds.denial import NO_CURSOR, NO_HANDLE, UNSUPPORTED, Denial
from blastwall.protocols.tds.handles import Handles, Named, Source, either
from blastwall.protocols.tds.parameters import Arguments, UnreadableCall, arguments, bound, outputs_of
from blastwall.protocols.tds.procedure_names import NAMES, PROCEDURES, name_parts
from blastwall.protocols.tds.rpc import Rpc, RpcParameter
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.classify import call, unread
from blastwall.sql.tsql.state import NameState
from blastwall.sql.tsql.statement import Argument, Classified

Classify = Callable[[str, NameState, Mapping[str, str]], Classified]
"""Says what a text does under these names, with these declared parameters."""


class NoSuchHandle(Exception):
    """A call names what nobody has prepared or opened: the server's own error."""

    def __init__(self, denial: Denial) -> None:
        super().__init__(denial.text)
        self.denial = denial


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `read` says what it does, also later, when names may mean something else; `classified` it now.

    `gives` are the ordinals of the RETURNVALUEs that are handles, of what `source` is; `ends` the handles that are
    gone after it; `cursor` the cursor whose rows it gives. `declared` are the names of its parameters by ordinal.
    `by_handle`: what it does is told by a number alone; `prepared` are that number and what it stands for, of a
    statement. From the parameter `values_from` on there are values that nothing is judged by; None where there are not.
    """

    text: str
    read: Callable[[], Classified]
    classified: Classified
    stage: Stage = Stage.EXECUTE
    parameters: tuple[Parameter, ...] = ()
    declared: tuple[str, ...] = ()
    gives: Mapping[int, Named] = field(default_factory=dict)
    source: Source | None = None
    ends: tuple[tuple[Named, int], ...] = ()
    cursor: Source | None = None
    verdict: Denial | None = None
    by_handle: bool = False
    prepared: tuple[int, Source] | None = None
    values_from: int | None = None


def _names(*each: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(f"@{name}" for name in one.split("|")) for one in each)


_STMT, _PARAMS = "stmt|statement", "params|parameters|paramdef"
_ARGUMENTS = {
    "sp_executesql": _names(_STMT, _PARAMS),
    "sp_prepare": _names("handle", _PARAMS, _STMT, "options"),
    "sp_prepexec": _names("handle", _PARAMS, _STMT),
    "sp_prepexecrpc": _names("handle", "rpccall|rpc|name"),
    "sp_execute": _names("handle"),
    "sp_unprepare": _names("handle"),
    "sp_cursoropen": _names("cursor", _STMT, "scrollopt", "ccopt", "rowcount|rows", _PARAMS),
    "sp_cursorprepare": _names("handle|prepared_handle", _PARAMS, _STMT, "options", "scrollopt", "ccopt"),
    "sp_cursorexecute": _names("handle|prepared_handle", "cursor", "scrollopt", "ccopt", "rowcount|rows"),
    "sp_cursorprepexec": _names(
        "handle|prepared_handle", "cursor", _PARAMS, _STMT, "scrollopt", "ccopt", "rowcount|rows"
    ),
    "sp_cursorunprepare": _names("handle|prepared_handle"),
    "sp_cursorfetch": _names("cursor", "fetchtype", "rownum", "nrows"),
    "sp_cursoroption": _names("cursor", "code", "value"),
    "sp_cursorclose": _names("cursor"),
}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a procedure has its text, its declarations and its values, and which handles it gives."""

    text: int
    params: int
    values: int
    gives: Mapping[int, Named]
    stage: Stage = Stage.EXECUTE


_TEXTS = {
    "sp_executesql": _Place(0, 1, 2, {}),
    "sp_prepare": _Place(2, 1, 4, {0: Named.STATEMENT}, Stage.PREPARE),
    "sp_prepexec": _Place(2, 1, 3, {0: Named.STATEMENT}),
    "sp_cursoropen": _Place(1, 5, 6, {0: Named.CURSOR}),
    "sp_cursorprepare": _Place(2, 1, 6, {0: Named.TEMPLATE}, Stage.PREPARE),
    "sp_cursorprepexec": _Place(3, 2, 7, {0: Named.TEMPLATE, 1: Named.CURSOR}),
}
_ENDS = {
    "sp_unprepare": Named.STATEMENT,
    "sp_cursorunprepare": Named.TEMPLATE,
    "sp_cursorclose": Named.CURSOR,
}
_RESET = "sp_reset_connection"
"""It would put SET options and temporary tables back behind the back of whoever judges what comes next."""
_OPTIONS = frozenset({1, 3, 4, 5, 6})
"""sp_cursoroption's codes: text pointers, text, scrolling, concurrency, row count. 2 gives the cursor a name."""
_PARAMETRISED = 0x1000
"""The bit of sp_cursoropen's scrollopt that says that parameters follow (PARAMETERIZED_STMT)."""


class Reading:
    """Reads the calls of one session, as names are now."""

    def __init__(
        self, catalog: Callable[[], Catalog], state: Callable[[], NameState], handles: Handles, classify: Classify
    ) -> None:
        self._catalog = catalog
        self._state = state
        self._handles = handles
        self._classify = classify

    def read(self, rpc: Rpc) -> Call:
        """Return what one call asks for.

        Raises:
            NoSuchHandle: it is of a handle or cursor that there is not.
            Postponed: its text must be read elsewhere first.
        """
        name = PROCEDURES.get(rpc.procedure) if isinstance(rpc.procedure, int) else rpc.procedure
        if name is None:
            return self._unreadable(str(rpc.procedure), f"there is no system procedure {rpc.procedure}")
        try:
            special = name if isinstance(rpc.procedure, int) else self._special(name)
            return self._system(special, rpc) if special else self._other(name, rpc)
        except UnreadableCall as unreadable:
            return self._unreadable(str(rpc.procedure), str(unreadable))

    def _special(self, name: str) -> str:
        """Return which of the procedures that this module knows a name means, "" where it means another.

        A system procedure goes before one of the database's own where no schema is named, or `sys` is.
        """
        parts = name_parts(name)
        if parts is None:
            raise UnreadableCall(f"the procedure's name cannot be read: {name[:100]!r}")
        last = parts[-1].lower()
        if last == _RESET:
            raise UnreadableCall("a session is reset by the reset bit of a request, not by sp_reset_connection")
        if last not in NAMES:
            return ""
        *before, schema = ("", "", "", *parts[:-1])[-3:]
        if any(before) and not self._here(before):
            raise UnreadableCall(f"{last} of another database or server runs there: call it by its name alone")
        if schema.lower() in ("", "sys"):
            return last
        catalog = self._catalog()
        if schema.lower() == "dbo" and not catalog.knows(schema, last):
            return last
        return ""

    def _here(self, before: Sequence[str]) -> bool:
        server, database = before
        fold = self._catalog().fold
        return not server and fold(database) == fold(self._catalog().database)

    # ── system procedures ────────────────────────────────────────────────────────────────────────────────────────────

    def _system(self, name: str, rpc: Rpc) -> Call:
        if name == "sp_cursor":
            raise UnreadableCall("sp_cursor changes rows that no text names: send UPDATE, DELETE or INSERT")
        given = Arguments(name, rpc.parameters, _ARGUMENTS[name])
        if name in _TEXTS:
            return self._text(name, given)
        if name == "sp_prepexecrpc":
            return self._prepared_call(given)
        if name in ("sp_execute", "sp_cursorexecute"):
            return self._execute(name, given)
        if name == "sp_cursorfetch":
            return self._fetch(given)
        return self._harmless(name, given)

    def _text(self, name: str, given: Arguments) -> Call:
        """A call that brings its text: executed, prepared, or opened as a cursor."""
        place = _TEXTS[name]
        parametrised = name != "sp_cursoropen" or bool((given.number(2) or 0) & _PARAMETRISED)
        text, told = given.text(place.text), given.text(place.params) if parametrised else ""
        declared = read_declarations(told)
        if declared is None:
            raise UnreadableCall(f"the declaration of parameters cannot be read: {told[:200]!r}")
        source = Source(text, self._state(), tuple(declared))
        values = given.after(place.values) if place.stage is Stage.EXECUTE and (parametrised or not told) else ()
        read = self._reader(source)
        classified = read()
        if Named.CURSOR in place.gives.values():
            source.opened = self._opened(classified)
        return Call(
            text,
            read,
            classified,
            place.stage,
            bound(values, declared, classified),
            outputs_of(given.all, {place.values + n: one.name for n, one in enumerate(declared)}),
            place.gives,
            source,
            cursor=source if Named.CURSOR in place.gives.values() else None,
            values_from=place.values if name == "sp_executesql" else None,
        )

    def _execute(self, name: str, given: Arguments) -> Call:
        """What was prepared is run: as its text means now, and as it meant then."""
        template = name == "sp_cursorexecute"
        handle = given.number(0)
        source = self._handles.find(Named.TEMPLATE if template else Named.STATEMENT, handle or 0)
        if source is None:
            raise NoSuchHandle(Denial(NO_HANDLE, f"Could not find prepared statement with handle {handle or 0}.", 16))
        values = given.after(5 if template else 1)
        if source.procedure:
            return replace(self._procedure(source.procedure, values, outputs_of(given.all, {})), by_handle=True)
        read = self._reader(source)
        classified = read()
        names = {5 * template + (not template) + n: one.name for n, one in enumerate(source.declared)}
        opened = None
        if template:
            opened = Source(source.text, source.state, source.declared, opened=self._opened(classified))
        return Call(
            source.text,
            read,
            classified,
            parameters=bound(values, source.declared, classified),
            declared=outputs_of(given.all, names),
            gives={1: Named.CURSOR} if template else {},
            source=opened,
            cursor=opened,
            by_handle=True,
            prepared=None if template else (handle or 0, source),
            values_from=None if template else 1,
        )

    def _fetch(self, given: Arguments) -> Call:
        handle = given.number(0)
        source = self._handles.find(Named.CURSOR, handle or 0)
        if source is None:
            told = f"sp_cursorfetch: The cursor identifier value provided ({handle or 0:x}) is not valid."
            raise NoSuchHandle(Denial(NO_CURSOR, told, 16))
        read = self._reader(source)
        classified = read()
        if source.opened is not None:
            version, shown = source.opened
            if version != self._catalog().version and shown != classified.fingerprint():
                raise UnreadableCall("what this cursor shows was defined anew after it was opened: open it again")
        return Call(source.text, read, classified, cursor=source, by_handle=True)

    def _opened(self, classified: Classified) -> tuple[int, int]:
        return self._catalog().version, classified.fingerprint()

    def _harmless(self, name: str, given: Arguments) -> Call:
        """A handle's end, or an option of a cursor's."""
        handle = given.number(0) or 0
        kind = _ENDS.get(name)
        if name == "sp_cursoroption" and given.number(1) not in _OPTIONS:
            raise UnreadableCall("a cursor is not given a name: FETCH would show by it what another text reads")

        def read() -> Classified:
            here = Object((self._catalog().database,), "database")
            return Classified(name.removeprefix("sp_").upper(), (Effect(Action.CONNECT, here),))

        return Call(f"EXEC {name} {handle}", read, read(), ends=((kind, handle),) if kind is not None else ())

    def _reader(self, source: Source) -> Callable[[], Classified]:
        types = {one.name.lower(): one.type for one in source.declared}

        def read() -> Classified:
            return self._classify(source.text, either(self._state(), source.state), types)

        return read

    # ── procedures by name ───────────────────────────────────────────────────────────────────────────────────────────

    def _prepared_call(self, given: Arguments) -> Call:
        name = given.text(1)
        if self._special(name):
            raise UnreadableCall("a system procedure that takes a text cannot be prepared as a call")
        source = Source("", self._state(), (), self._parts(name))
        made = self._procedure(source.procedure, given.after(2), outputs_of(given.all, {}))
        return replace(made, gives={0: Named.STATEMENT}, source=source)

    def _other(self, name: str, rpc: Rpc) -> Call:
        return self._procedure(self._parts(name), rpc.parameters, outputs_of(rpc.parameters, {}))

    def _parts(self, name: str) -> tuple[str, ...]:
        parts = name_parts(name)
        if parts is None:
            raise UnreadableCall(f"the procedure's name cannot be read: {name[:100]!r}")
        return parts

    def _procedure(self, parts: tuple[str, ...], given: Sequence[RpcParameter], declared: tuple[str, ...]) -> Call:
        passed = arguments(given)

        def read() -> Classified:
            return call(parts, passed, self._catalog(), self._state())

        classified = read()
        return Call(
            _rendered(parts, passed), read, classified, parameters=bound(given, (), classified), declared=declared
        )

    def _unreadable(self, name: str, reason: str) -> Call:
        """A call that nobody can read: it is asked for, for the record, and refused whatever the answer is."""
        text = f"[a call of {name[:200]}]"

        def read() -> Classified:
            return unread(text, self._catalog(), reason)

        return Call(text, read, read(), verdict=Denial(UNSUPPORTED, reason))


def _rendered(parts: Sequence[str], passed: Sequence[Argument]) -> str:
    """A call as T-SQL would have it, with its parameters' names in the place of values."""
    told = ".".join(_quoted(part) for part in parts)
    each = (
        (f"{one.name} = {one.name}" if one.name else f"@{position}") + (" OUTPUT" if one.output else "")
        for position, one in enumerate(passed, 1)
        if one.given
    )
    return f"EXEC {told} {', '.join(each)}".rstrip()


def _quoted(part: str) -> str:
    return part if not part or (part.isidentifier() and part.isascii()) else f"[{part.replace(']', ']]')}]"
