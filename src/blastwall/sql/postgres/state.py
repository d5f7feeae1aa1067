"""What of a session the meaning of names depends on, and how each statement changes it.

A SET may be rolled back, a pipelined one may fail: so the state holds *candidates*, and effects are the union over
them. More than `MAX_CANDIDATES` is written as (): then an unqualified name is unclassified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from blastwall.sql.postgres.hanging import Lost, joined
from blastwall.sql.postgres.statement import Changes, Classified

Path = tuple[str, ...]
Paths = tuple[Path, ...]
Named = Mapping[str, tuple[Classified, ...]]

MAX_CANDIDATES = 4


@dataclass(frozen=True, slots=True)
class NameState:
    """`search_paths` may each be in force; `users` are roles that "$user" may mean besides `user`.

    `temp` are names ever created as temporary, `functions` those of functions that the session made: the
    catalog does not have a transaction's own yet. `prepared` are statements prepared by PREPARE or by the protocol,
    `cursors` those behind cursors; several under a name are alternatives. `default` is what RESET goes back to.
    `lost` are places, (schema, name), whose relation may be gone, renamed, moved or altered although the catalog has
    it: an unqualified name means what stands behind it on the path as well, and one of its columns may mean one of the
    query around. No name stands for a whole schema, and no schema for everything. It also has what hangs on places and
    is in no catalog yet (`hanging`). `start` and `lasting` are kept while
    a transaction is open: the paths if it rolls back, and if it commits. Where the session is not `alone`, others may
    drop, rename or move a relation unheard: an unqualified name means what stands behind it as well, always.
    """

    search_paths: Paths
    user: str
    temp: frozenset[str] = frozenset()
    prepared: Named = field(default_factory=dict)
    cursors: Named = field(default_factory=dict)
    users: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    lost: frozenset[Lost] = frozenset()
    default: Path = ("$user", "public")
    start: Paths | None = None
    lasting: Paths = ()
    seen: Paths = ()
    alone: bool = True


def before(state: NameState, classified: Classified) -> NameState:
    """Return the state in which a later statement may run while the success of this one is unknown."""
    if not _matters(classified):
        return state
    after = settled(state, classified, in_transaction=True)
    return replace(
        after,
        search_paths=_union(state.search_paths, after.search_paths),
        lasting=_union(state.lasting or state.search_paths, after.lasting or after.search_paths),
        users=after.users | {state.user, after.user},
        temp=state.temp | after.temp,
        functions=state.functions | after.functions,
        lost=joined(state.lost, after.lost),
        prepared=_both(state.prepared, after.prepared),
        cursors=_both(state.cursors, after.cursors),
    )


def _matters(one: Classified) -> bool:
    return bool(one.changes or one.transaction or one.lost or one.opens) or any(
        item is not None for item in _named(one)
    )


def _named(one: Classified) -> tuple[object, ...]:
    return (one.prepares, one.declares, one.deallocates, one.closes)


def settled(state: NameState, classified: Classified, in_transaction: bool) -> NameState:
    """Return the state after the statement succeeded.

    `in_transaction` says whether a transaction block is open after it. Statements that share one implicit transaction
    (a simple query of several, a pipeline up to Sync) count as inside until their ReadyForQuery.
    """
    state = _transaction(state, classified, in_transaction)
    state = _names(state, classified)
    if classified.lost:
        state = losing(state, classified.lost)
    if classified.changes:
        state = _changed(state, classified.changes, in_transaction)
    return state


def either(one: NameState, other: NameState) -> NameState:
    """Return the state of a statement that may run under the one or the other."""
    return replace(
        one,
        search_paths=_union(one.search_paths, other.search_paths),
        users=one.users | other.users | {other.user},
        temp=one.temp | other.temp,
        functions=one.functions | other.functions,
        lost=joined(one.lost, other.lost),
        prepared=_both(one.prepared, other.prepared),
        cursors=_both(one.cursors, other.cursors),
    )


def same_names(one: NameState, other: NameState) -> bool:
    """Whether every name of a relation or function means the same in both."""
    return facts(one) == facts(other)


def facts(state: NameState) -> tuple[object, ...]:
    """Return what the meaning of relations and functions depends on, besides the catalog."""
    return (state.search_paths, state.temp, state.functions, state.users | {state.user}, state.lost, state.alone)


def losing(state: NameState, lost: frozenset[Lost]) -> NameState:
    """Return the state in which these places may be gone too."""
    return state if lost <= state.lost else replace(state, lost=joined(state.lost, lost))


def goes_by_names(classified: Classified) -> bool:
    """Whether the statement means what something prepared or declared means when it is run."""
    return classified.executes is not None or classified.operation in ("FETCH", "MOVE")


def named(state: NameState, classified: Classified) -> NameState:
    """Return the state with what the statement prepared, declared, deallocated or closed.

    A rollback undoes none of these; the cursors of a transaction that failed are gone, so their names mean nothing.
    """
    return _names(state, classified)


def _transaction(state: NameState, classified: Classified, in_transaction: bool) -> NameState:
    if classified.transaction == "rollback to" and state.start is not None:
        paths = _union(_union(state.start, state.seen), state.search_paths)
        return replace(state, search_paths=paths, lasting=_union(state.lasting, paths))
    ends = classified.transaction in {"commit", "rollback", "prepare transaction"}
    if state.start is not None and (ends or not in_transaction):
        kept = state.start if classified.transaction == "rollback" else _union(state.lasting, state.start)
        if classified.transaction != "rollback" and not ends:
            kept = _union(kept, state.search_paths)
        state = replace(state, search_paths=kept, start=None, lasting=(), seen=(), cursors=state.cursors)
    if in_transaction and state.start is None:
        state = replace(state, start=state.search_paths, lasting=state.search_paths, seen=state.search_paths)
    return state


def _names(state: NameState, classified: Classified) -> NameState:
    opens = classified.opens and bool(state.cursors)
    if not opens and all(one is None for one in _named(classified)):
        return state
    prepared, cursors = dict(state.prepared), dict(state.cursors)
    if opens:
        cursors = {name: tuple(replace(one, by_code=True) for one in known) for name, known in cursors.items()}
    if classified.prepares is not None:
        prepared[classified.prepares[0]] = classified.prepares[1]
    if classified.declares is not None:
        cursors[classified.declares[0]] = classified.declares[1]
    for name, held in ((classified.deallocates, prepared), (classified.closes, cursors)):
        if name == "":
            held.clear()
        elif name is not None:
            held.pop(name, None)
    if prepared == state.prepared and cursors == state.cursors:
        return state
    return replace(state, prepared=prepared, cursors=cursors)


def _changed(state: NameState, changes: Changes, in_transaction: bool) -> NameState:
    if changes.temp:
        state = replace(state, temp=state.temp | changes.temp)
    if changes.functions:
        state = replace(state, functions=state.functions | changes.functions)
    if changes.user and changes.user != state.user:
        state = replace(state, user=changes.user, users=state.users | {state.user})
    paths: Paths | None = (state.default,) if changes.reset else changes.paths
    if paths is None:
        return state
    if not changes.certain:
        paths = _union(state.search_paths, paths)
    if not in_transaction:
        return state if changes.local and changes.certain else replace(state, search_paths=paths)
    lasting = _union(state.lasting, paths) if changes.local or not changes.certain else paths
    lasting = state.lasting if changes.local and changes.certain else lasting
    return replace(state, search_paths=paths, lasting=lasting, seen=_union(state.seen, paths))


def _union(one: Paths, other: Paths) -> Paths:
    if not one or not other:
        return ()
    merged = tuple(dict.fromkeys(one + other))
    return merged if len(merged) <= MAX_CANDIDATES else ()


def _both(one: Named, other: Named) -> Named:
    merged = dict(one)
    for name, found in other.items():
        known = merged.get(name, ())
        merged[name] = known + tuple(item for item in found if item not in known)
    return merged
