"""What is measured over TDS, directly and through the gateway.

Clients are threads: FreeTDS waits outside Python's lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from bench.measure import BenchmarkFailed, Workload
from bench.tds_routes import ROWS, TdsRoute

_EVERYTHING = f"SELECT id, name, email, city FROM contacts WHERE id <= {ROWS}"
_SELECT = "SELECT balance FROM accounts WHERE id = "
_KNOWN = 20
"""So many different texts come again and again."""

Do = Callable[[int], int]
"""Does one thing, the n-th; returns how many units that was."""
Making = Callable[[TdsRoute], Do]
"""Connects, and returns what is done over and over."""


def tds_workloads() -> tuple[Workload[TdsRoute], ...]:
    """Return all workloads over TDS."""
    named: tuple[tuple[str, str, str, Making, int], ...] = (
        *(
            (f"tds_select_{clients}", f"select of a row, {_KNOWN} batches", "statements", _known, clients)
            for clients in (1, 8, 64)
        ),
        ("tds_unique_1", "a new batch every time", "statements", _unique, 1),
        ("tds_unique_8", "a new batch every time", "statements", _unique, 8),
        ("tds_call", "sp_executesql with other values", "statements", _call, 1),
        ("tds_tpcb_8", "TPC-B-like", "transactions", _transaction, 8),
        ("tds_rows", f"{ROWS:,} rows", "rows", partial(_rows, "bench"), 1),
        ("tds_rows_masked", f"{ROWS:,} rows, one column masked", "rows", partial(_rows, "mask"), 1),
        ("tds_rows_scanned", f"{ROWS:,} rows, all text scanned", "rows", partial(_rows, "scan"), 1),
        ("tds_connect", "connections, one after another", "connections", _connect, 1),
    )
    return tuple(
        Workload(name, f"{title}, {_clients(clients)}", unit, partial(_repeated, making, clients))
        for name, title, unit, making, clients in named
    )


def _clients(number: int) -> str:
    return "1 client" if number == 1 else f"{number} clients"


def _repeated(making: Making, clients: int, route: TdsRoute, seconds: float) -> float:
    """Have so many clients do the same for a time, once all have connected; return units a second."""
    ready = threading.Barrier(clients)

    def client(_number: int) -> tuple[int, float]:
        try:
            do = making(route)
            do(0)
        except BaseException:
            ready.abort()
            raise
        ready.wait()
        began, took, units, number = time.monotonic(), 0.0, 0, 0
        while took < seconds:
            number += 1
            units += do(number)
            took = time.monotonic() - began
        return units, took

    with ThreadPoolExecutor(clients) as threads:
        return sum(units / took for units, took in threads.map(client, range(clients)))


def _asking(route: TdsRoute, part: str = "bench") -> Callable[[str], int]:
    """Connect, and return what asks a batch and counts its rows."""
    cursor = route.connect(part).cursor()

    def ask(text: str) -> int:
        cursor.execute(text)
        return len(cursor.fetchall()) if cursor.description else 0

    return ask


def _one(rows: int) -> int:
    if rows != 1:
        raise BenchmarkFailed(f"{rows} rows came where one was asked for")
    return 1


def _known(route: TdsRoute) -> Do:
    ask = _asking(route)
    return lambda number: _one(ask(f"{_SELECT}{1 + number % _KNOWN}"))


def _unique(route: TdsRoute) -> Do:
    ask = _asking(route)
    start = threading.get_ident() % 1_000_000 * 1_000
    return lambda number: _one(ask(f"{_SELECT}1 AND balance < {start + number + 1}"))


def _call(route: TdsRoute) -> Do:
    cursor = route.calling().cursor()

    def do(number: int) -> int:
        cursor.execute(f"{_SELECT}%s", (1 + number % 1000,))
        rows = len(cursor.fetchall())
        cursor.nextset()  # it would cancel what it has not read to its end
        return _one(rows)

    return do


def _transaction(route: TdsRoute) -> Do:
    """As pgbench has it: three changes, a look and a note, in a transaction; here with few values, known soon."""
    ask = _asking(route)

    def do(number: int) -> int:
        account, teller, delta = 1 + number % _KNOWN, 1 + number % 10, number % 5
        ask("BEGIN TRANSACTION")
        ask(f"UPDATE accounts SET balance = balance + {delta} WHERE id = {account}")
        _one(ask(f"{_SELECT}{account}"))
        ask(f"UPDATE tellers SET balance = balance + {delta} WHERE id = {teller}")
        ask(f"UPDATE branches SET balance = balance + {delta} WHERE id = 1")
        ask(f"INSERT INTO history VALUES ({teller}, 1, {account}, {delta})")
        ask("COMMIT TRANSACTION")
        return 1

    return do


def _rows(part: str, route: TdsRoute) -> Do:
    ask = _asking(route, part)

    def do(_number: int) -> int:
        if (rows := ask(_EVERYTHING)) != ROWS:
            raise BenchmarkFailed(f"rows were lost through {route.name}")
        return rows

    return do


def _connect(route: TdsRoute) -> Do:
    def do(_number: int) -> int:
        route.connect().close()
        return 1

    return do


MAKINGS: tuple[Making, ...] = (
    _known,
    _unique,
    _call,
    _transaction,
    partial(_rows, "mask"),
    partial(_rows, "scan"),
    _connect,
)
"""All that clients do."""
