"""The real grammar: libpg_query's parser, PL/pgSQL parser and scanner, called through postgast's library handle."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import msgspec
from postgast import PgQueryError, scan
from postgast.native import lib
from postgast.pg_query_pb2 import KeywordKind, ScanToken, Token

from blastwall.sql.postgres.tree import EMPTY, Node, items, sub

_NAMES: dict[int, str] = dict(zip(Token.values(), Token.keys(), strict=True))
_COMMENTS = frozenset({Token.SQL_COMMENT, Token.C_COMMENT})


_NO_LINE_END = re.compile(rb"[^\r\n]")
_SIGNS = re.compile(rb"[-+*/<>=~!@#%^&|`?]{500,}")
_MARKS = re.compile(rb"/\*|\*/")
_TAIL = re.compile(rb"[-+]{500,}")
_MOST_MARKS = 20
_MOST_LEVELS = 900
"""How deep the parser's JSON may nest. Reading it recurses in C, which Python 3.11 bounds by its own limit of 1,000
(`_BOUNDED`) and 3.12 and later by 10,000, which is more than a thread with a small stack has room for."""
_BOUNDED = sys.version_info < (3, 12)
_WIDE_LEVELS = 24
"""Levels that are taken off at once before the rest is walked through: a wide statement has no more."""
_HIDDEN = re.compile(rb'\[\s*\{"PLpgSQL_function":\{"datums":\[\{\}\}')
"""How the tree of an event trigger's function begins."""
_STEPS = {ord(sign): 1 if sign in "[{" else -1 for sign in "[]{}"}
_NO_BRACKETS = bytes(sorted(frozenset(range(256)) - frozenset(b"[]{}")))


class UnparsedError(Exception):
    """The text has no tree; the message says why."""


@dataclass(frozen=True, slots=True)
class Lexeme:
    """One token: its name in PostgreSQL's grammar and its byte offsets."""

    name: str
    start: int
    end: int
    keyword: bool


def _check(data: bytes) -> None:
    """Keep from PostgreSQL's scanner what takes it quadratic time (`scan.l`, `operator` and `xcstart`).

    It reads a whole run of operator signs before it finds the comment in it, again for each comment; and it takes
    trailing signs off an operator one by one. The longest operator has 63 signs.

    Raises:
        UnparsedError: the text holds such a run.
    """
    for run in _SIGNS.finditer(data):
        tail = _TAIL.search(run[0])
        if len(_MARKS.findall(run[0])) > _MOST_MARKS or (tail is not None and b"+" in tail[0]):
            raise UnparsedError("it holds a run of more than 500 operator signs: break it up")


def parse(data: bytes) -> list[Node]:
    """Return the RawStmt bodies of a text that passed the guard. Raises UnparsedError.

    libpg_query finds no second word of a pair (NOT IN, NULLS FIRST, WITH ORDINALITY) behind a comment, where PostgreSQL
    does: what has comments and does not parse is read again with spaces in their place.
    """
    _check(data)
    try:
        tree = _tree(data)
    except UnparsedError:
        bare = _without_comments(data)
        if bare == data:
            raise
        tree = _tree(bare)
    return items(tree, "stmts") if isinstance(tree, dict) else []


def _tree(data: bytes) -> object:
    result = lib.pg_query_parse(data)
    try:
        if result.error:
            raise UnparsedError(_words(result.error.contents.message))
        return _decode(result.parse_tree)
    finally:
        lib.pg_query_free_parse_result(result)


def _without_comments(data: bytes) -> bytes:
    """The text with every byte of a comment a space but for the ends of lines, which part strings."""
    if not (b"--" in data or b"/*" in data):
        return data
    try:
        found = _scanned(data)
    except UnparsedError:
        return data
    bare = bytearray(data)
    for token in found:
        if token.token in _COMMENTS:
            bare[token.start : token.end] = _NO_LINE_END.sub(b" ", data[token.start : token.end])
    return bytes(bare)


@dataclass(frozen=True, slots=True)
class Source:
    """A text of one statement in the place of its tree, which is made again when it is wanted."""

    text: str

    def tree(self) -> Node:
        """Return the statement's node, an empty one where there is none."""
        try:
            found = parse(self.text.encode())
        except (UnparsedError, UnicodeEncodeError):
            return EMPTY
        return sub(found[0], "stmt") if len(found) == 1 else EMPTY


def parse_plpgsql(data: bytes) -> list[Node]:
    """Return the functions of a DO or CREATE FUNCTION text in PL/pgSQL. Raises UnparsedError."""
    _check(data)
    result = lib.pg_query_parse_plpgsql(data)
    try:
        if result.error:
            raise UnparsedError(_words(result.error.contents.message))
        tree = _decode(_mended(result.plpgsql_funcs or b""))
    finally:
        lib.pg_query_free_plpgsql_parse_result(result)
    return [node for node in tree if isinstance(node, dict)] if isinstance(tree, list) else []


def _mended(tree: bytes) -> bytes:
    """libpg_query 18 writes a datum without a JSON form as `{}}`: the hidden variables of triggers' functions are such.

    An event trigger's come first of all. What stands in the strings of other functions is left as it is.
    """
    if not _HIDDEN.match(tree):
        return tree.replace(b",{}}", b",{}")
    return tree.replace(b"[{}}", b"[{}", 1).replace(b",{}}", b",{}")


def lexemes(data: bytes) -> list[Lexeme]:
    """Return PostgreSQL's own tokens of a text. Raises UnparsedError."""
    _check(data)
    return [
        Lexeme(_NAMES.get(token.token, ""), token.start, token.end, token.keyword_kind != KeywordKind.NO_KEYWORD)
        for token in _scanned(data)
        if token.token not in _COMMENTS
    ]


def token_names(data: bytes) -> Iterator[str]:
    """Return the names of PostgreSQL's tokens, one after another. Raises UnparsedError."""
    _check(data)
    return (_NAMES.get(token.token, "") for token in _scanned(data) if token.token not in _COMMENTS)


def _scanned(data: bytes) -> Sequence[ScanToken]:
    """Return what PostgreSQL's scanner finds, comments too. Raises UnparsedError."""
    try:
        found: Sequence[ScanToken] = scan(data.decode()).tokens
    except (PgQueryError, ValueError) as error:
        raise UnparsedError(str(error)) from error
    return found


def _too_deep(data: bytes) -> bool:
    """Whether JSON nests deeper than `_MOST_LEVELS`; told from its brackets, and for most texts from their number."""
    if _BOUNDED or data.count(b"{") + data.count(b"[") <= _MOST_LEVELS:
        return False
    bare = data.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]  # what stands outside strings
    brackets = b"".join(bare).translate(None, _NO_BRACKETS)
    for _ in range(_WIDE_LEVELS):
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")  # the innermost
    return max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) + _WIDE_LEVELS > _MOST_LEVELS


def _decode(data: bytes | None) -> object:
    if _too_deep(data or b""):
        raise UnparsedError("expressions or sub-selects are nested too deeply")
    try:
        return msgspec.json.decode(data or b"")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnparsedError("the parser's tree cannot be read") from error
    except RecursionError as error:
        raise UnparsedError("expressions or sub-selects are nested too deeply") from error


def _words(message: bytes | None) -> str:
    return (message or b"unknown error").decode(errors="replace")
