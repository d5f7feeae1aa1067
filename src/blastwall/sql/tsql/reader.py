"""Walks over a text's tokens: what every part of the grammar is read with. Nothing is passed over unread."""

from __future__ import annotations

from collections.abc import Callable

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.lexer import (
    END,
    LABEL,
    NAME,
    NATIONAL,
    QUOTED,
    STRING,
    VARIABLE,
    Tokens,
    name_value,
    string_value,
)
from blastwall.sql.tsql.limits import Limits
from blastwall.sql.tsql.unparsed import UnparsedError, unparsed

_DEEPEST = 120
"""Levels of nesting that Python's own stack bears: a level takes about five frames of a thousand."""
_NAMES = (NAME, QUOTED)
_SHOWN = 60


class Reader:
    """A place in the tokens of one text, and the steps from it."""

    def __init__(self, tokens: Tokens, limits: Limits) -> None:
        self.text = tokens.text
        self.kinds = tokens.kinds
        self.words = tokens.words
        self.starts = tokens.starts
        self.ends = tokens.ends
        self.at = 0
        self.constant: Callable[[int, int, str, str], nodes.Constant] = nodes.Constant
        self._depth = 0
        self._deepest = min(limits.depth, _DEEPEST)

    # refusing

    def refused(self, why: str, at: int | None = None) -> UnparsedError:
        """Return the refusal of the token at the index `at`, or of the current one."""
        return unparsed(self.text, self.starts[self.at if at is None else at], why)

    def unexpected(self, wanted: str) -> UnparsedError:
        """Return the refusal of the current token, which stands where `wanted` is expected."""
        if self.kinds[self.at] == END:
            return self.refused(f"the text ends where {wanted} is expected")
        token = self.text[self.starts[self.at] : self.ends[self.at]]
        shown = token if len(token) <= _SHOWN else token[:_SHOWN] + "…"
        return self.refused(f"`{shown}` stands where {wanted} is expected")

    def deepen(self) -> None:
        """Go one level of nesting down; `self.rise` goes up. Raises UnparsedError."""
        self._depth += 1
        if self._depth > self._deepest:
            raise self.refused("the statement is nested too deeply: split it")

    def rise(self) -> None:
        """Go one level of nesting up."""
        self._depth -= 1

    # tokens

    def taken(self, kind: str) -> bool:
        """Whether the current token is of this kind; if so it is passed."""
        if self.kinds[self.at] == kind:
            self.at += 1
            return True
        return False

    def expect(self, kind: str) -> None:
        """Pass a token of this kind. Raises UnparsedError."""
        if self.kinds[self.at] != kind:
            raise self.unexpected(f"`{kind}`")
        self.at += 1

    def ahead(self, *words: str) -> bool:
        """Whether these unquoted words come next."""
        return all(self.words[self.at + index] == word for index, word in enumerate(words))

    def phrase(self, *words: str) -> bool:
        """Whether these unquoted words come next; if so they are passed."""
        at = self.at
        for word in words:
            if self.words[at] != word or self.kinds[at] == LABEL:
                return False
            at += 1
        self.at = at
        return True

    def expect_phrase(self, *words: str) -> None:
        """Pass these unquoted words. Raises UnparsedError."""
        for word in words:
            if self.words[self.at] != word or self.kinds[self.at] == LABEL:
                raise self.unexpected(f"`{word}`")
            self.at += 1

    def one_of(self, *words: str) -> str:
        """Pass one of these unquoted words and return it. Raises UnparsedError."""
        word = self.words[self.at]
        if word not in words or self.kinds[self.at] == LABEL:
            raise self.unexpected(" or ".join(f"`{each}`" for each in words))
        self.at += 1
        return word

    def maybe(self, *words: str) -> str:
        """Pass one of these unquoted words if it comes next; return it, or ""."""
        word = self.words[self.at]
        if word and word in words and self.kinds[self.at] != LABEL:
            self.at += 1
            return word
        return ""

    @property
    def end(self) -> int:
        """Where the token before the current one ends."""
        return self.ends[self.at - 1]

    def raw(self, at: int) -> str:
        """Return a token as written."""
        return self.text[self.starts[at] : self.ends[at]]

    # names

    def is_name(self, at: int) -> bool:
        """Whether the token at an index is a name."""
        return self.kinds[at] in _NAMES

    def identifier(self, wanted: str = "a name") -> nodes.Identifier:
        """Read one name. Raises UnparsedError."""
        at = self.at
        kind = self.kinds[at]
        if kind is NAME:
            self.at = at + 1
            return nodes.Identifier(self.starts[at], self.ends[at], self.raw(at))
        if kind is QUOTED:
            self.at = at + 1
            return nodes.Identifier(self.starts[at], self.ends[at], name_value(self.raw(at)), quoted=True)
        raise self.unexpected(wanted)

    def label(self) -> nodes.Identifier:
        """Read `name:`, without its colon in the name."""
        at = self.at
        self.expect(LABEL)
        return nodes.Identifier(self.starts[at], self.ends[at] - 1, self.raw(at)[:-1])

    def named(self) -> nodes.Identifier:
        """Read a name that may be written as a string too. Raises UnparsedError."""
        at = self.at
        if self.kinds[at] in (STRING, NATIONAL):
            self.at = at + 1
            return nodes.Identifier(self.starts[at], self.ends[at], string_value(self.raw(at)), quoted=True)
        return self.identifier()

    def object_name(self, most: int = 4, wanted: str = "a name") -> nodes.ObjectName:
        """Read `a.b.c`, all parts but the last perhaps left out, `most` in all. Raises UnparsedError."""
        start = self.starts[self.at]
        first = None if self.kinds[self.at] == "." else self.identifier(wanted)
        if first is not None and self.kinds[self.at] != ".":
            return nodes.ObjectName(start, first.end, (first,))
        parts: list[nodes.Identifier | None] = [first]
        while self.taken("."):
            if len(parts) == most:
                raise self.refused(f"a name of more than {most} parts")
            parts.append(None if self.kinds[self.at] == "." else self.identifier())
        return nodes.ObjectName(start, self.end, tuple(parts))

    def names_in_brackets(self) -> tuple[nodes.Identifier, ...]:
        """Read `(a, b, c)`. Raises UnparsedError."""
        self.expect("(")
        found = [self.identifier()]
        while self.taken(","):
            found.append(self.identifier())
        self.expect(")")
        return tuple(found)

    def object_names(self, most: int = 4) -> tuple[nodes.ObjectName, ...]:
        """Read `a.b, c.d`. Raises UnparsedError."""
        found = [self.object_name(most)]
        while self.taken(","):
            found.append(self.object_name(most))
        return tuple(found)

    def variable(self) -> nodes.Variable:
        """Read `@name`. Raises UnparsedError."""
        at = self.at
        if self.kinds[at] != VARIABLE:
            raise self.unexpected("a variable")
        self.at = at + 1
        return nodes.Variable(self.starts[at], self.ends[at], self.raw(at))

    # types

    def data_type(self) -> nodes.DataType:
        """Read a type with its arguments. Raises UnparsedError."""
        start = self.starts[self.at]
        name = self._type_name()
        if self.kinds[self.at] != "(":
            return nodes.DataType(start, self.end, name)
        self.at += 1
        arguments = []
        while True:
            arguments.append(self._type_argument())
            if not self.taken(","):
                break
        self.expect(")")
        return nodes.DataType(start, self.end, name, tuple(arguments))

    def _type_name(self) -> nodes.ObjectName:
        at = self.at
        if self.kinds[at] == "NATIONAL":
            self.at += 1
            self.one_of("CHAR", "CHARACTER", "TEXT")
            self.taken("VARYING")
        elif self.kinds[at] == "DOUBLE":
            self.at += 1
            self.expect_phrase("PRECISION")
        elif self.kinds[at] == "CURSOR":
            self.at += 1
        else:
            name = self.object_name(3, "a type")
            if len(name.parts) > 1 or not self.taken("VARYING"):
                return name
        words = nodes.Identifier(self.starts[at], self.end, " ".join(self.raw(index) for index in range(at, self.at)))
        return nodes.ObjectName(words.start, words.end, (words,))

    def _type_argument(self) -> str:
        at = self.at
        if self.kinds[at] == "integer":
            self.at += 1
            return self.raw(at)
        if self.maybe("MAX"):
            return "max"
        prefix = self.maybe("CONTENT", "DOCUMENT")
        name = ".".join(self.object_name(3, "a type's length").texts)
        return f"{prefix} {name}" if prefix else name
