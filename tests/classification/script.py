"""PostgreSQL's regression scripts, cut into statements as psql does, with variables put in and COPY's data apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*) | (?P<dollar>\$(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$)
      | (?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*') | (?P<text>'(?:[^']|'')*') | (?P<quoted>"(?:[^"]|"")*")
      | (?P<command>\\[a-z!?;]+[^\n]*) | (?P<end>;) | (?P<open>[(\[]) | (?P<close>[)\]]) | (?P<word>[A-Za-z_][\w$]*)
      | (?P<variable>(?<!:):(?:'\w+'|"\w+"|[A-Za-z_]\w*))""",
    re.VERBOSE | re.DOTALL,
)
_RUN_BY_PSQL = re.compile(r"\\(g|gset|gexec|gx|gdesc|crosstabview)\b")
"""Commands that run the statement before them in a way of psql's own."""


class Script:
    """Yields the statements of a script, in order. Commands of psql are left out; `\\set` of a path is understood."""

    def __init__(self, script: str, variables: Mapping[str, str]) -> None:
        self._script = script
        self._known = dict(variables)
        self._place = 0

    def data(self) -> str:
        """Return the lines that a COPY FROM STDIN is given, which follow it: those of one that fails are statements."""
        begin = self._script.index("\n", self._place) + 1
        end = self._script.find("\n\\.", begin - 1)
        self._place = len(self._script) if end < 0 else end + 3
        return self._script[begin : end + 1]

    def __iter__(self) -> Iterator[str]:
        text, depth, atomic = "", 0, 0
        while (found := _TOKEN.search(self._script, self._place)) is not None:
            text += self._script[self._place : found.start()]
            self._place = found.end()
            kind, token = str(found.lastgroup), found[0]
            if kind == "end" and not depth and not atomic:
                statement, text = text.strip(), ""
                if statement:
                    yield statement
                continue
            depth = max(0, depth + (kind == "open") - (kind == "close"))
            atomic = _atomic(atomic, token.lower(), text) if kind == "word" else atomic
            text = "" if _RUN_BY_PSQL.match(token) else text + self._meant(kind, token, found.start())

    def _meant(self, kind: str, token: str, start: int) -> str:
        """What a token is in the statement; it moves on over comments and quoted bodies."""
        match kind:
            case "comment":
                self._place = _after_comment(self._script, start) if token == "/*" else self._place
                return " "
            case "dollar":
                begin, end = self._place, self._script.find(token, self._place)
                self._place = len(self._script) if end < 0 else end + len(token)
                return token + self._script[begin : self._place]
            case "command":
                _set(token, self._known)
                return ""
            case "variable":
                return _value(token, self._known)
            case _:
                return token


def _atomic(level: int, word: str, before: str) -> int:
    """How deep in BEGIN ATOMIC … END, whose statements end in semicolons of their own."""
    if word == "atomic" and before.rstrip().lower().endswith("begin"):
        return level + 1
    if level and word == "case":
        return level + 1
    return level - 1 if level and word == "end" else level


def _after_comment(script: str, start: int) -> int:
    level, place = 0, start
    for mark in re.compile(r"/\*|\*/").finditer(script, start):
        level += 1 if mark[0] == "/*" else -1
        place = mark.end()
        if level == 0:
            return place
    return len(script)


def _set(command: str, known: dict[str, str]) -> None:
    words = command.split()
    if words[0] == "\\set" and len(words) > 2:
        known[words[1]] = "".join(_value(word, known) if word[0] == ":" else word.strip("'") for word in words[2:])


def _value(token: str, known: Mapping[str, str]) -> str:
    name = token[1:].strip("'\"")
    if name not in known:
        return token
    value = known[name]
    return "'" + value.replace("'", "''") + "'" if token[1] == "'" else value
