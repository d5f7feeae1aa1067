"""JSON objects from strangers, read so that two readers cannot differ: no name twice, no NaN, no deep nesting."""

from __future__ import annotations

import json


class Malformed(ValueError):
    """Not the JSON object that was expected; the text holds nothing of the input."""


def read_object(data: bytes) -> dict[str, object]:
    """Return the JSON object in `data`.

    Raises:
        Malformed: it is not UTF-8, no JSON, no object, names something twice or nests too deeply.
    """
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed("not JSON") from None
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Malformed("a name stands twice in one object")
    return value


def _no_constant(_text: str) -> object:
    raise Malformed("NaN and Infinity are not JSON")
