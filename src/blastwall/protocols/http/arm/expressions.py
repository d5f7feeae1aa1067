"""Expressions of ARM templates (`"[concat('web', parameters('n'))]"`): their syntax.

Azure documents it as "Syntax and expressions in ARM templates": function calls with arguments, texts in single quotes,
numbers, and properties or elements of what a function gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(-?[0-9]{1,18}(?![0-9.eE]))|([A-Za-z_][A-Za-z0-9_]*)|([()\[\],.?]))")
_DEEPEST = 48
_LONGEST = 24_576
"""Characters of an expression that ARM takes ("Template limits")."""


class NoExpression(ValueError):
    """It is no expression that can be read for certain."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A text or number."""

    value: str | int


@dataclass(frozen=True, slots=True)
class Call:
    """A function, in lower case, and what it is given."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A property or element of something."""

    whole: Node
    key: Node


Node = Constant | Call | Part


def is_expression(text: str) -> bool:
    """Whether ARM evaluates a text. Two brackets stand for one of a plain text."""
    return text.startswith("[") and not text.startswith("[[") and text.endswith("]")


def parse(text: str) -> Node:
    """Return the tree of an expression with its brackets.

    Raises:
        NoExpression: it is too long or too deep, or not in the documented syntax.
    """
    if len(text) > _LONGEST:
        raise NoExpression("an expression is too long")
    parser = _Parser(list(_tokens(text[1:-1])))
    node = parser.node(0)
    if parser.left:
        raise NoExpression("something follows an expression")
    return node


def calls(node: Node) -> Iterator[Call]:
    """Yield every call in a tree."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Call):
            yield one
            waiting += one.arguments
        elif isinstance(one, Part):
            waiting += (one.whole, one.key)


def _tokens(text: str) -> Iterator[str]:
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None:
            raise NoExpression("an expression has a sign that is none of the syntax")
        yield found[0].lstrip()
        position = found.end()


class _Parser:
    __slots__ = ("_next", "_tokens")

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._next = 0

    @property
    def left(self) -> bool:
        return self._next < len(self._tokens)

    def node(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise NoExpression("an expression is nested too deeply")
        return self._parts(self._start(depth), depth)

    def _start(self, depth: int) -> Node:
        token = self._take()
        if token.startswith("'"):
            return Constant(token[1:-1].replace("''", "'"))
        if token.lstrip("-").isdigit():
            return Constant(int(token))
        name = token.lower()
        if not name.isidentifier():
            raise NoExpression("an expression does not start with a function")
        while self._peek() == ".":
            self._take()
            name += "." + self._take().lower()
        self._expect("(")
        return Call(name, self._arguments(depth))

    def _arguments(self, depth: int) -> tuple[Node, ...]:
        found: list[Node] = []
        if self._peek() == ")":
            self._take()
            return ()
        while True:
            found.append(self.node(depth + 1))
            if self._take_one_of(",", ")") == ")":
                return tuple(found)

    def _parts(self, node: Node, depth: int) -> Node:
        while self._peek() in {".", "["}:
            if self._take() == ".":
                if self._peek() == "?":
                    self._take()
                node = Part(node, Constant(self._take()))
            else:
                if self._peek() == "?":
                    self._take()
                node = Part(node, self.node(depth + 1))
                self._expect("]")
        return node

    def _peek(self) -> str:
        return self._tokens[self._next] if self.left else ""

    def _take(self) -> str:
        if not self.left:
            raise NoExpression("an expression ends too early")
        self._next += 1
        return self._tokens[self._next - 1]

    def _expect(self, sign: str) -> None:
        self._take_one_of(sign)

    def _take_one_of(self, *signs: str) -> str:
        token = self._take()
        if token not in signs:
            raise NoExpression("an expression is not in the documented syntax")
        return token
