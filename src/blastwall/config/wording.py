"""What pydantic found wrong, said to somebody who has never heard of pydantic.

No message repeats a value from the file: a secret may stand in the wrong place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from blastwall.config.document import Document, Path, Problem, Value
from blastwall.config.shape import keys, model_at

_NAME = "use letters, digits, `.`, `_` and `-`, at most 63 of them, the first a letter or digit"
_PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$": _NAME,
    r"^[A-Za-z_][A-Za-z0-9_]*$": "give the name of an environment variable, never the secret itself",
}

_MOST_KEYS = 5

_FIXED: Mapping[str, str] = {
    "string_type": "expects text; put it in quotes",
    "path_type": "expects a file's path as text; put it in quotes",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "bool_type": "expects true or false",
    "bool_parsing": "expects true or false",
    "int_type": "expects a whole number, without quotes",
    "int_parsing": "expects a whole number, without quotes",
    "int_from_float": "expects a whole number",
    "float_type": "expects a number, without quotes",
    "dict_type": "expects keys and values",
    "list_type": "expects a list",
    "too_long": "has too many entries",
}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'port'?`, or which words are known where none is close."""
    words = sorted(set(known))
    close = get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(words)}" if words else ""


def problems(error: ValidationError, document: Document, root: type[BaseModel], base: Path = ()) -> list[Problem]:
    """Return one problem for each mistake; `base` is where `root` stands in the file."""
    found: dict[tuple[Path, str], Problem] = {}
    for detail in error.errors(include_url=False, include_input=True):
        path = locate(document.value, (*base, *detail["loc"]))
        message = _message(detail, path, root, base)
        found.setdefault((path, message), Problem(document.line(path), path, message))
    return list(found.values())


def locate(value: Value, loc: Path) -> Path:
    """Return the part of pydantic's location that the file has.

    A union's branch names and `[key]` stand in a location but not in the file: they are skipped.
    """
    path: list[str | int] = []
    for part in loc:
        if isinstance(value, dict) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            continue
        path.append(part)
    return tuple(path)


def _message(detail: ErrorDetails, path: Path, root: type[BaseModel], base: Path) -> str:
    kind = detail["type"]
    if kind == "missing":
        return f"the key '{detail['loc'][-1]}' is missing"
    if kind == "extra_forbidden":
        return _unknown_key(str(detail["loc"][-1]), path[:-1], root, base)
    if detail.get("input") is None:
        return "has no value"
    if kind == "model_type":
        return _keys_of(model_at(root, path[len(base) :]))
    if kind in _FIXED:
        return _FIXED[kind]
    context: Mapping[str, object] = detail.get("ctx", {})
    phrase = _PHRASES.get(kind)
    return phrase(context) if phrase is not None else detail["msg"]


def _keys_of(model: type[BaseModel] | None) -> str:
    known = [f"`{key}`" for key in (keys(model) if model is not None else ())]
    named = ", ".join(known[:_MOST_KEYS] + ["…"] * (len(known) > _MOST_KEYS))
    return f"expects keys and values: {named}" if named else "expects keys and values"


def _unknown_key(key: str, section: Path, root: type[BaseModel], base: Path) -> str:
    model = model_at(root, section[len(base) :])
    return "unknown key" + did_you_mean(key, keys(model) if model is not None else ())


def _of_value_error(context: Mapping[str, object]) -> str:
    return str(context["error"])


def _of_pattern(context: Mapping[str, object]) -> str:
    return _PATTERNS.get(str(context["pattern"]), f"must match {context['pattern']}")


def _of_choice(context: Mapping[str, object]) -> str:
    return f"expects {context['expected']}"


def _of_bound(word: str, key: str) -> Callable[[Mapping[str, object]], str]:
    def phrase(context: Mapping[str, object]) -> str:
        return f"must be {word} {context[key]}"

    return phrase


_PHRASES: Mapping[str, Callable[[Mapping[str, object]], str]] = {
    "value_error": _of_value_error,
    "string_pattern_mismatch": _of_pattern,
    "enum": _of_choice,
    "literal_error": _of_choice,
    "greater_than": _of_bound("more than", "gt"),
    "greater_than_equal": _of_bound("at least", "ge"),
    "less_than": _of_bound("less than", "lt"),
    "less_than_equal": _of_bound("at most", "le"),
}
