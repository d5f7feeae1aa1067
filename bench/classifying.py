"""`python -m bench.classifying`: what classifying a text costs, as a ratio to what PostgreSQL's parser alone takes.

A text that was not seen before is either of a shape that was, or new altogether. No server is needed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from blastwall.sql.postgres import Catalog, NameState, Relation, Texts, facts
from blastwall.sql.postgres.classify import classify
from blastwall.sql.postgres.parse import parse

Given = TypeVar("Given")
_COLUMNS = tuple(f"column_{number}" for number in range(12))
_CATALOG = Catalog(
    "shop",
    1,
    [Relation(number, "public", f"table_{number}", "r", ("id", *_COLUMNS)) for number in range(300)],
    (),
    ("public", "pg_catalog"),
)
_STATE = NameState((("$user", "public"),), "app")
_SELECTED = ", ".join(f"a.{name} AS a_{name}, b.{name} AS b_{name}" for name in _COLUMNS)
TEXTS: dict[str, Callable[[int], str]] = {
    "point query": lambda n: f"SELECT column_1 FROM table_1 WHERE id = {n}",
    "update": lambda n: f"UPDATE table_1 SET column_1 = 'value {n}', column_2 = column_2 + {n} WHERE id = {n}",
    "ORM query": lambda n: (
        f"SELECT {_SELECTED} FROM table_1 AS a LEFT OUTER JOIN table_2 AS b ON b.id = a.column_2 "
        f"WHERE a.column_3 = {n} AND b.column_4 IN ('x', 'y{n}') ORDER BY a.column_5 DESC LIMIT 20 OFFSET {n}"
    ),
    "insert of 10 rows": lambda n: (
        "INSERT INTO table_1 (id, column_1, column_2) VALUES "
        + ", ".join(f"({n + row}, 'row {n}', 1.5)" for row in range(10))
    ),
}
"""Texts by what they are called; the number makes each a new one."""
_SHARE = 200


def measure(rounds: int = 15) -> dict[str, dict[str, float]]:
    """Return for each text the microseconds of parsing it, and ratios to that: of a known shape, and of a new text."""
    return {name: _measure(text, rounds) for name, text in TEXTS.items()}


def _measure(text: Callable[[int], str], rounds: int) -> dict[str, float]:
    texts, names = Texts(), facts(_STATE)
    texts.classify(text(1), _CATALOG, _STATE, names)
    parsed, known, new = list[float](), list[float](), list[float]()
    for number in range(rounds):
        several = [text(100 + _SHARE * number + each) for each in range(_SHARE)]
        parsed.append(_took(parse, [one.encode() for one in several]))
        known.append(_took(lambda one: texts.find(one, names), several))
        new.append(_took(lambda one: classify(one, _CATALOG, _STATE), several[: _SHARE // 10]) * 10)
    alone = min(parsed)
    return {
        "parse_us": round(alone / _SHARE * 1e6, 1),
        "known_shape": round(min(known) / alone, 2),
        "new_shape": round(min(new) / alone, 2),
    }


def _took(work: Callable[[Given], object], given: Sequence[Given]) -> float:
    began = time.process_time()
    for one in given:
        work(one)
    return time.process_time() - began


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=2)
    print()
