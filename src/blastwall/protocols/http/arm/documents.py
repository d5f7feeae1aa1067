"""JSON as ARM's clients send it, read strictly where two readers could differ; and where its secrets stand.

ARM reads bodies with Newtonsoft.Json, whose property names are matched without regard to case, and takes comments,
names without quotes and line ends in strings: `az deployment group create` sends a template's file as it is. These are
read here too, since they have one meaning. Whatever else is no JSON is refused, and so are two names that are one to
ARM.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from json import JSONDecoder

DEEPEST = 64
_MOST_VALUES = 20_000
"""Values that are read by hand: some 10 µs each."""

_TOO_DEEP = f"the body is nested more than {DEEPEST} levels deep"
_RISKY = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)|[\ud800-\udfff]")
"""Texts that the library gives and Newtonsoft.Json does not: halves of surrogate pairs; and the character NUL."""

_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\r\n\x00\x85\u2028\u2029]*(?=[\r\n]|\Z)|/\*[^\x00]*?\*/)*")
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_PLAIN = re.compile(r"(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null)(?![A-Za-z0-9_$.+-])")
_DECODER = JSONDecoder(strict=False)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_WORDS = {"true": True, "false": False, "null": None}

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class Unreadable(ValueError):
    """ARM might read it otherwise, or not at all; the text says what, without quoting it."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text or number: `start` and `end` count characters of the document, quotes included.

    `parameter` is the name of the template parameter that it belongs to, in lower case; `secret` is whether a name
    above it says that it is one.
    """

    start: int
    end: int
    parameter: str
    secret: bool


@dataclass(frozen=True, slots=True)
class Document:
    """What was read: names of properties are in lower case. `scalars` are those that may be secrets."""

    value: Json
    scalars: tuple[Scalar, ...]


def read_document(text: str, secret: Callable[[str], bool]) -> Document:
    """Read a document; `secret` says of a lower-case property's name whether what is below it is to be hidden.

    Plain JSON is read by the library. Where it may hold secrets, or is not plain, it is read by hand, which takes long
    for very many values: then all of it counts as secret, or it is not read.

    Raises:
        Unreadable: it is not JSON in a form that has one reading.
    """
    names: set[str] = set()
    try:
        value = _plain(text, names)
    except _NotPlain:
        reader = _Reader(text, secret)
        return Document(reader.document(), tuple(reader.scalars))
    if "parameters" not in names and not any(map(secret, names)):
        return Document(value, ())
    reader = _Reader(text, secret)
    try:
        reader.document()
    except Unreadable:
        return Document(value, (Scalar(0, len(text), "", secret=True),))
    return Document(value, tuple(reader.scalars))


class _NotPlain(ValueError):
    """The library does not read it, or less strictly than we do."""


def _plain(text: str, names: set[str]) -> Json:
    """Return the value of plain JSON; the names of its properties are added to `names`.

    Raises:
        _NotPlain: it is none.
        Unreadable: it is, and has two readings.
    """
    if "\0" in text or _RISKY.search(text):
        raise _NotPlain

    def made(pairs: list[tuple[str, Json]]) -> Json:
        found: dict[str, Json] = {}
        for spelled, value in pairs:
            name = _folded(spelled)
            _check_property(name, value, found)
            found[name] = value
        names.update(found)
        return found

    try:
        value: Json = json.loads(text, object_pairs_hook=made, parse_constant=_refuse, strict=False)
    except Unreadable:
        raise
    except RecursionError:
        raise Unreadable(_TOO_DEEP) from None
    except ValueError:
        raise _NotPlain from None
    if _deeper(value, DEEPEST):
        raise Unreadable(_TOO_DEEP)
    return value


def _refuse(_word: str) -> Json:
    raise Unreadable("the body has a number that is none")


def _deeper(value: Json, levels: int) -> bool:
    """Whether a value is nested in more than so many levels."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if below is None:
        return False
    return levels == 0 or any(_deeper(each, levels - 1) for each in below if isinstance(each, dict | list))


def _folded(name: str) -> str:
    """Return a property's name as ARM compares it."""
    lower = name.lower()
    if not name.isascii() and (len(lower) != len(name) or lower.upper().lower() != lower):
        raise Unreadable("the body has a property whose letters may be compared in several ways")
    return lower


def _check_property(name: str, value: Json, found: Mapping[str, Json]) -> None:
    if name in found:
        raise Unreadable("the body has the same property twice in one object")
    if name == "$values" or (name == "$ref" and not (isinstance(value, str) and value.startswith("#/"))):
        raise Unreadable("the body refers to a part of itself")


@dataclass(frozen=True, slots=True)
class _Above:
    """What the names above a value say of it."""

    parameter: str = ""
    secret: bool = False
    name: str = ""

    def below(self, name: str, hidden: bool) -> _Above:
        parameter = name if self.name == "parameters" else self.parameter
        return _Above(parameter, self.secret or hidden, name)


class _Reader:
    __slots__ = ("_secret", "_text", "_values", "position", "scalars")

    def __init__(self, text: str, secret: Callable[[str], bool]) -> None:
        self._text = text
        self._secret = secret
        self._values = 0
        self.position = 0
        self.scalars: list[Scalar] = []

    def document(self) -> Json:
        """Read all of it.

        Raises:
            Unreadable: it is not JSON in a form that has one reading, or has too many values.
        """
        value = self.value(self.blank(0), 0, _Above())
        if self.blank(self.position) != len(self._text):
            raise Unreadable("something follows the JSON document")
        return value

    def blank(self, position: int) -> int:
        found = _BLANK.match(self._text, position)
        return found.end() if found else position

    def value(self, position: int, depth: int, above: _Above) -> Json:
        """Read the value that starts at `position`; where it ends is then in `self.position`."""
        self._values += 1
        if self._values > _MOST_VALUES:
            raise Unreadable(f"the body is not plain JSON, and has more than {_MOST_VALUES} values")
        opening = self._text[position : position + 1]
        if opening == "{":
            return self._object(position + 1, depth + 1, above)
        if opening == "[":
            return self._array(position + 1, depth + 1, above)
        if opening == '"':
            text, self.position = self._string(position)
            self._note(position, above)
            return text
        found = _PLAIN.match(self._text, position)
        if found is None:
            raise Unreadable("the body is not JSON, or has a value that only some readers take")
        self.position = found.end()
        if found[1] in _WORDS:
            return _WORDS[found[1]]
        self._note(position, above)
        return _number(found[1])

    def _object(self, position: int, depth: int, above: _Above) -> Json:
        _not_too_deep(depth)
        found: dict[str, Json] = {}
        position = self.blank(position)
        if self._text[position : position + 1] == "}":
            self.position = position + 1
            return found
        while True:
            name, position = self._name(position)
            position = self._expect(self.blank(position), ":")
            value = self.value(self.blank(position), depth, above.below(name, self._secret(name)))
            _check_property(name, value, found)
            found[name] = value
            if not self._more("}"):
                return found
            position = self.position

    def _array(self, position: int, depth: int, above: _Above) -> Json:
        _not_too_deep(depth)
        found: list[Json] = []
        position = self.blank(position)
        if self._text[position : position + 1] == "]":
            self.position = position + 1
            return found
        while True:
            found.append(self.value(position, depth, above))
            if not self._more("]"):
                return found
            position = self.position

    def _more(self, closing: str) -> bool:
        """Pass a comma and what is blank around it; False after `closing`."""
        position = self.blank(self.position)
        if self._text[position : position + 1] == closing:
            self.position = position + 1
            return False
        self.position = self.blank(self._expect(position, ","))
        return True

    def _expect(self, position: int, sign: str) -> int:
        if self._text[position : position + 1] != sign:
            raise Unreadable("the body is not JSON")
        return position + 1

    def _name(self, position: int) -> tuple[str, int]:
        if self._text[position : position + 1] == '"':
            name, position = self._string(position)
        else:
            found = _NAME.match(self._text, position)
            if found is None:
                raise Unreadable("the body is not JSON")
            name, position = found[0], found.end()
        return _folded(name), position

    def _string(self, position: int) -> tuple[str, int]:
        try:
            text, end = _DECODER.raw_decode(self._text, position)
        except ValueError:
            raise Unreadable("the body has a text that is not JSON") from None
        if not isinstance(text, str) or "\0" in text or (not text.isascii() and _SURROGATE.search(text)):
            raise Unreadable("the body has a text with characters that are none")
        return text, end

    def _note(self, start: int, above: _Above) -> None:
        parameter = "" if above.name == "type" else above.parameter
        if above.secret or parameter:
            self.scalars.append(Scalar(start, self.position, parameter, above.secret))


def _not_too_deep(depth: int) -> None:
    if depth > DEEPEST:
        raise Unreadable(_TOO_DEEP)


def _number(text: str) -> int | float:
    return float(text) if any(sign in text for sign in ".eE") or len(text) > 19 else int(text)
