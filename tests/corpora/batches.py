"""Scripts cut into batches as SQL Server's own tools cut them, and honest SQL taken out of an ORM's tests."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MARKS = re.compile(
    r"--[^\n]*|/\*|'(?:[^']|'')*'|\[[^\]\n]*\]|\"[^\"]*\""
    r"|^[ \t]*GO[ \t]*(?:\d+)?[ \t]*;?[ \t]*(?:--[^\n]*)?\r?$",
    re.MULTILINE | re.IGNORECASE,
)
_COMMENT = re.compile(r"/\*|\*/")
_COMMAND = re.compile(r"^[ \t]*(?::\w|!!).*$", re.MULTILINE)
_SCRIPTING = re.compile(r"\$\((\w+)\)")
_NOTHING = re.compile(r"(?:[\s;]++|--[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+\Z")
_RAW_STRING = re.compile(r'"""\n(.*?)\n[ \t]*"""', re.DOTALL)
_STATEMENT = re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|SET|DECLARE|EXEC|MERGE|WITH|IF|BEGIN)\b")
_BOUND = re.compile(r"^\s*@\w+=(?!=).*$", re.MULTILINE)


def decoded(data: bytes) -> str:
    """Return a script's text, whatever it was saved as."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def of_script(text: str) -> Iterator[str]:
    """Yield a script's batches: cut at GO, without the commands and with the variables of sqlcmd filled in."""
    start = at = 0
    while mark := _MARKS.search(text, at):
        at = mark.end()
        if mark[0] == "/*":
            at = _comment_end(text, at)
        elif mark[0].lstrip(" \t")[:2].upper() == "GO":
            yield from _cleaned(text[start : mark.start()])
            start = at
    yield from _cleaned(text[start:])


def of_tests(text: str) -> Iterator[str]:
    """Yield the SQL in C#'s raw strings, without the values of parameters that a test writes before it."""
    for found in _RAW_STRING.finditer(text):
        sql = _BOUND.sub("", found[1])
        if _STATEMENT.match(sql) and "{" not in sql:
            yield from of_script(sql)


def _comment_end(text: str, at: int) -> int:
    depth = 1
    for mark in _COMMENT.finditer(text, at):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def _cleaned(batch: str) -> Iterator[str]:
    batch = _SCRIPTING.sub(r"x\1", _COMMAND.sub("", batch))
    if not _NOTHING.match(batch):
        yield batch
