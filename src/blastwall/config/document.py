"""A YAML file as plain values, with the line on which each of them stands.

Stricter than YAML 1.1, whose surprises are errors here: duplicate keys, merge keys, tags, and words that one reader
takes for a boolean or an octal number and another for text (`on`, `yes`, `0123`, `1:30`). Sizes, depths and the
expansion of aliases are bounded, so that no file can exhaust the process that reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

MAX_BYTES = 4 << 20
"""Size of the largest file read: a thousand times a large configuration."""

MAX_DEPTH = 40
"""Levels of nesting; the model has seven."""

MAX_VALUES = 200_000
"""Values after aliases are expanded: nine lines of aliases can stand for a billion."""

Path = tuple[str | int, ...]
"""Where a value stands: the keys and list positions that lead to it."""

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

_STR = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"
_BOOL = "tag:yaml.org,2002:bool"
_INT = "tag:yaml.org,2002:int"
_FLOAT = "tag:yaml.org,2002:float"
_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_AS_TEXT = (_STR, "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
_PLAIN_INT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_PLAIN_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a file. `path` is empty where no key is to blame."""

    line: int
    path: Path
    message: str

    def text(self, name: str) -> str:
        """Return the problem as one line, with the file's name."""
        where = f"{dotted(self.path)}: " if self.path else ""
        return f"{name}:{self.line}: {where}{self.message}"


class Unreadable(Exception):
    """The text is not YAML that can be read; holds every problem that was found."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


@dataclass(slots=True)
class Document:
    """What was read: `value`, and the line of each path in it."""

    value: Value = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Return the line of `path`, or of the nearest thing around it that the file has."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def dotted(path: Path) -> str:
    """Return `("resources", 0, "upstream")` as `resources[0].upstream`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def read(text: str) -> Document:
    """Read one YAML document.

    Raises:
        Unreadable: it is not YAML, holds a surprise, or exceeds a bound.
    """
    if len(text) > MAX_BYTES:
        raise Unreadable((Problem(1, (), f"the file is larger than {MAX_BYTES >> 20} MiB"),))
    _check_depth(text)
    document = Document()
    root = _compose(text)
    if root is not None:
        document.value = _Reader(document).value(root, ())
    if document.problems:
        raise Unreadable(tuple(document.problems))
    return document


def _check_depth(text: str) -> None:
    """Refuse deep nesting from the flat stream of events, before anything recurses over it."""
    depth = 0
    for event in _guarded(yaml.parse(text, Loader=yaml.CSafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise Unreadable((Problem(_line(event), (), f"nested deeper than {MAX_DEPTH} levels"),))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _guarded(events: Iterator[yaml.Event]) -> Iterator[yaml.Event]:
    try:
        yield from events
    except yaml.YAMLError as error:
        raise Unreadable((_syntax(error),)) from None


def _compose(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise Unreadable((_syntax(error),)) from None


def _syntax(error: yaml.YAMLError) -> Problem:
    """Reword PyYAML's two-part complaint; a tab is by far the most common cause and named as such."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem(1, (), f"not readable as YAML: {str(error).splitlines()[0]}")
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else 1
    problem = error.problem or "not readable as YAML"
    if "found character that cannot start any token" in problem or "tab" in problem:
        return Problem(line, (), "indent with spaces (YAML allows no tabs), and quote a value that starts with @ or `")
    if "maximum nesting depth" in problem:  # libyaml's own limit, which newer ones reach before ours is counted
        return Problem(line, (), f"nested deeper than {MAX_DEPTH} levels")
    context = f" ({error.context})" if error.context else ""
    return Problem(line, (), f"not readable as YAML: {problem}{context}")


def _line(marked: yaml.Event | yaml.Node) -> int:
    mark = marked.start_mark
    return mark.line + 1 if mark is not None else 1


class _Reader:
    """Turns composed nodes into plain values, noting lines and problems in its document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: set[int] = set()
        self._values = 0

    def value(self, node: yaml.Node, path: Path) -> Value:
        self._document.lines.setdefault(path, _line(node))
        self._values += 1
        if self._values > MAX_VALUES:
            raise Unreadable((Problem(_line(node), path, f"more than {MAX_VALUES} values after aliases are expanded"),))
        if id(node) in self._open:
            raise Unreadable((Problem(_line(node), path, "an alias refers to something that contains it"),))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if node.tag not in _COLLECTIONS:
            self._problem(node, path, _ambiguous(node.tag, ""))
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            return self._sequence(node, path)
        finally:
            self._open.discard(id(node))

    def _problem(self, node: yaml.Node, path: Path, message: str) -> None:
        self._document.problems.append(Problem(_line(node), path, message))

    def _sequence(self, node: yaml.Node, path: Path) -> Value:
        return [self.value(item, (*path, position)) for position, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Value:
        found: dict[str, Value] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            if key in found:
                first = self._document.lines[(*path, key)]
                self._problem(key_node, (*path, key), f"the key stands twice; first on line {first}")
                continue
            self._document.lines[(*path, key)] = _line(key_node)
            found[key] = self.value(value_node, (*path, key))
        return found

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._problem(node, path, "a key must be a plain word")
            return None
        if node.tag == "tag:yaml.org,2002:merge":
            self._problem(node, path, "merge keys (`<<`) are not read; write the keys out")
            return None
        return str(node.value)

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Value:
        text = str(node.value)
        if node.tag in _AS_TEXT:
            return text
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL and text.lower() in _TRUTH:
            return _TRUTH[text.lower()]
        if node.tag == _INT and _PLAIN_INT.fullmatch(text):
            return int(text)
        if node.tag == _FLOAT and _PLAIN_FLOAT.fullmatch(text):
            return float(text)
        self._problem(node, path, _ambiguous(node.tag, text))
        return text


def _ambiguous(tag: str, text: str) -> str:
    """Say what is ambiguous. Numbers are not repeated: one of them may be a password in the wrong place."""
    if tag == _BOOL:
        return f"`{text}` is a boolean to some readers and text to others; write true or false, or put it in quotes"
    if tag in {_INT, _FLOAT}:
        return "not the same number to every reader; write a plain decimal number, or put it in quotes"
    return f"the tag `{tag}` is not read; leave it out"
