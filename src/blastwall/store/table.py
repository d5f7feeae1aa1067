"""What the tables' classes share: operations that are done whole."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Concatenate, ParamSpec, TypeVar

from blastwall.store.database import Store

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="Table")


_AT_ONCE = 400
"""Values in one IN list, well below what SQLite takes."""


def portions(values: Iterable[str]) -> Iterable[list[str]]:
    """Cut values into lists that are short enough for an IN."""
    every = list(values)
    return (every[start : start + _AT_ONCE] for start in range(0, len(every), _AT_ONCE))


def values_of(row: object, names: Iterable[str]) -> dict[str, object]:
    """Return the columns of these names, as a row's dataclass has them."""
    return {name: getattr(row, name) for name in names}


class Table:
    """One or more tables of the state, with the operations on them."""

    def __init__(self, store: Store) -> None:
        self.store = store


def whole(
    operation: Callable[Concatenate[S, P], Coroutine[object, object, R]],
) -> Callable[Concatenate[S, P], Awaitable[R]]:
    """Let an operation run to its end where its caller is cancelled, as when a client leaves during its login.

    A database connection that is cancelled while it is lent or given back may be lost; an operation takes
    milliseconds and has time limits of its own.
    """

    @functools.wraps(operation)
    def started(table: S, /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
        return table.store.whole(operation(table, *args, **kwargs))

    return started
