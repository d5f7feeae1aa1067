"""Long work in slices: what is put together of a large catalog must hold up no session of the same loop.

Such work is a generator that yields wherever it may be interrupted. A companion does one slice of it in each of the
loop's turns (`contract.Later`), between which the loop serves everybody else.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import TypeVar

from blastwall.protocols.contract import Later, Output

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

Sliced = Generator[None, None, _Result]
"""Work that may be interrupted at each yield; what it returns is its result."""

AT_ONCE = 250
"""Rows a slice: a few milliseconds of work, so that a slice is shorter than what anybody would notice."""


def parts(items: Sequence[_Item], size: int = AT_ONCE) -> Iterator[Sequence[_Item]]:
    """Cut a sequence into parts of at most `size` items."""
    return (items[start : start + size] for start in range(0, len(items), size))


def at_once(work: Sliced[_Result]) -> _Result:
    """Do all of the work without a pause."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: _Result = end.value
            return result


def slice_by_slice(
    work: Sliced[_Result],
    done: Callable[[_Result], list[Output]],
    failed: Callable[[Exception], list[Output]],
    faults: tuple[type[Exception], ...],
) -> list[Output]:
    """Do one slice; go on in the loop's next turn, or return what `done` makes of the result.

    `faults` are what the data may be to blame for; `failed` says what follows from one.
    """
    try:
        next(work)
    except StopIteration as end:
        return done(end.value)
    except faults as fault:
        return failed(fault)
    return [Later(partial(slice_by_slice, work, done, failed, faults))]
