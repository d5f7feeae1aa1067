"""PostgreSQL's regression scripts, cut into statements as psql does, with variables put in and COPY's data apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*) | (?P<dollar>\$(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$)
      | (?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*') | (?P<text>'(?:[^']|'')*') | (?P<quoted>"(?:[^"]|"")*")
      | (?P<command>\\[a-z!?;]+[^\n]*) | (?P<end>;) | (?P<open>[(\[]) | (?P<close>[)\]]) | (?P<word>[A-Za-z_][\w$]*)
      | (?P<variable>(?<!:):(?:'\w+'|"\w+"|[A-Za-z_]\w*))""",
    re.VERBOSE | re.DOTALL,
)
_STDIN = re.compile(r"\s*copy\b.*\bfrom\s+stdin\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """One statement, and the lines that follow a COPY FROM STDIN."""

    text: str
    data: str = ""


def pieces(script: str, variables: Mapping[str, str]) -> Iterator[Piece]:
    """Yield the statements of a script. Commands of psql are left out; `\\set` of a path is understood."""
    known = dict(variables)
    place, text, depth, atomic = 0, "", 0, 0
    while (found := _TOKEN.search(script, place)) is not None:
        text += script[place : found.start()]
        place = found.end()
        kind, token = str(found.lastgroup), found[0]
        if kind == "comment":
            place = _after_comment(script, found.start()) if token == "/*" else place
            text += " "
        elif kind == "dollar":
            end = script.find(token, place)
            end = len(script) if end < 0 else end + len(token)
            text += token + script[place:end]
            place = end
        elif kind == "command":
            _set(token, known)
            if re.match(r"\\(g|gset|gexec|gx|gdesc|crosstabview)\b", token):
                text = ""  # run by psql in a way of its own
        elif kind == "variable":
            text += _value(token, known)
        elif kind == "end" and not depth and not atomic:
            statement, text = text.strip(), ""
            data = ""
            if _STDIN.match(statement):
                begin = script.index("\n", place) + 1
                end = script.find("\n\\.", begin - 1)
                data, place = script[begin : end + 1], end + 3
            if statement:
                yield Piece(statement, data)
        else:
            depth = max(0, depth + (kind == "open") - (kind == "close"))
            atomic = _atomic(atomic, token.lower(), text) if kind == "word" else atomic
            text += token


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
