# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The shape of a text: itself without its plain literals and comments, read the way that PostgreSQL's lexer reads.

Two texts of one shape have the same tokens but for the values of literals of the same kind, so the parser gives them
the same tree but for those values and all positions. Whether the values matter, the classifier tells (`recall`).
What this reader is not sure of has no shape: E'' with escapes beyond the usual ones, U&'', N'', bit strings, dollar
quotes, strings continued on another line, numbers that are not plain decimals, whatever is malformed.

The clauses of `scan.l` (PostgreSQL 17) that each part follows are named beside it. Compiled by way of `shape.pxd`;
the same source runs as it is.
"""

from __future__ import annotations

from blastwall.sql.postgres.guard import FREE

_LONGEST_TEXT: int = FREE
"""In bytes: the guard before the parser lets shorter texts pass whatever is in their literals."""
_LONGEST_RUN = 400
"""The guard looks for runs of 500 operator signs: a text with a literal or comment that could hold one has no shape."""
_INT4_MAX = "2147483647"

STRING, ESCAPED, INTEGER, DECIMAL, BLOCK, LINE = "\0s", "\0e", "\0i", "\0d", "\0*", "\0-"
"""What stands in a shape for what was taken out. No text holds a NUL."""


def shape_of(  # noqa: C901, PLR0912 - one case a kind of token
    text: str,
) -> tuple[str, list[int]] | None:
    """Return a text's shape, and start and end of all that was taken out, in characters; None where it is not sure."""
    size = len(text)
    if size > _LONGEST_TEXT or "\0" in text or (size > _LONGEST_TEXT // 4 and not text.isascii()):
        return None
    pieces: list[str] = []
    bounds: list[int] = []
    at = kept = 0
    while at < size:
        start = at
        sign = text[at]
        mark = ""
        if _begins_word(sign):
            at = _word_end(text, at, size)
            if at < size and _is_prefix(text, start, at, size):
                if (text[start] != "e" and text[start] != "E") or text[at] != "'":
                    return None
                start, mark, at = at, ESCAPED, _escaped_end(text, at, size)
        elif sign == "'":
            mark, at = STRING, _string_end(text, at, size)
        elif _is_digit(sign) or (sign == "." and at + 1 < size and _is_digit(text[at + 1])):
            at = _number_end(text, at, size)
            mark = _number_kind(text, start, at)
        elif sign == '"':
            at = _quoted_end(text, at, size)
        elif sign == "$":
            at = _parameter_end(text, at, size)
        elif sign == "." and at + 1 < size and text[at + 1] == ".":
            return None
        elif sign == "/" and at + 1 < size and text[at + 1] == "*":
            mark, at = BLOCK, _block_end(text, at, size)
        elif sign == "-" and at + 1 < size and text[at + 1] == "-":
            mark, at = LINE, _line_end(text, at, size)
        else:
            at += 1
        if at < 0:
            return None
        if mark:
            pieces.append(text[kept:start])
            pieces.append(mark)
            bounds.append(start)
            bounds.append(at)
            kept = at
    pieces.append(text[kept:])
    return "".join(pieces), bounds


def _is_digit(sign: str) -> bool:
    return "0" <= sign <= "9"


def _begins_word(sign: str) -> bool:
    """`ident_start`: letters, the underscore, and every byte beyond ASCII."""
    return "a" <= sign <= "z" or "A" <= sign <= "Z" or sign == "_" or sign >= "\x80"


def _word_end(text: str, at: int, size: int) -> int:
    """`identifier`: goes on with digits and dollar signs."""
    at += 1
    while at < size and (_begins_word(text[at]) or _is_digit(text[at]) or text[at] == "$"):
        at += 1
    return at


def _is_prefix(text: str, start: int, at: int, size: int) -> bool:
    """Whether a word of one letter belongs to the quote behind it (`xestart`, `xnstart`, `xbstart`, `xusstart`, …)."""
    if at - start != 1:
        return False
    letter = text[start]
    if text[at] == "'":
        return letter in "eEnNbBxX"
    return letter in "uU" and text[at] == "&" and at + 1 < size and text[at + 1] in "'\""


def _quoted_end(text: str, at: int, size: int) -> int:
    """`xd`: a quoted name; it stays in the shape."""
    at += 1
    while at < size:
        if text[at] == '"':
            if at + 1 < size and text[at + 1] == '"':
                at += 2
                continue
            return at + 1
        at += 1
    return -1


def _parameter_end(text: str, at: int, size: int) -> int:
    """`param`: it stays in the shape. Anything else that begins with a dollar sign may be a dollar quote."""
    at += 1
    first = at
    while at < size and _is_digit(text[at]):
        at += 1
    if at == first or (at < size and (_begins_word(text[at]) or text[at] == "$" or text[at] == ".")):
        return -1
    return at


def _string_end(text: str, at: int, size: int) -> int:
    """`xq` under standard_conforming_strings: backslashes mean nothing, two quotes mean one."""
    start = at
    at += 1
    while at < size:
        sign = text[at]
        if sign == "'":
            if at + 1 < size and text[at + 1] == "'":
                at += 2
                continue
            if at - start > _LONGEST_RUN and _has_long_run(text, start, at):
                return -1
            return _ended(text, at + 1, size)
        if (sign == ")" and _expands(text, at + 1, size)) or "\ud800" <= sign <= "\udfff":
            return -1
        at += 1
    return -1


def _escaped_end(text: str, at: int, size: int) -> int:
    """`xe`: as `xq`, and a backslash with a letter or itself is one character."""
    start = at
    at += 1
    while at < size:
        sign = text[at]
        if sign == "\\":
            if at + 1 >= size or text[at + 1] not in "\\ntrbf":
                return -1
            at += 2
            continue
        if sign == "'":
            if at + 1 < size and text[at + 1] == "'":
                at += 2
                continue
            if at - start > _LONGEST_RUN and _has_long_run(text, start, at):
                return -1
            return _ended(text, at + 1, size)
        if (sign == ")" and _expands(text, at + 1, size)) or "\ud800" <= sign <= "\udfff":
            return -1
        at += 1
    return -1


def _ended(text: str, at: int, size: int) -> int:
    """`quotecontinue`: a string may go on behind a line's end, and behind a comment there."""
    behind = _behind_space(text, at, size)
    if behind < size and (
        text[behind] == "'" or (text[behind] == "-" and behind + 1 < size and text[behind + 1] == "-")
    ):
        return -1
    return at


def _behind_space(text: str, at: int, size: int) -> int:
    while at < size and (text[at] == " " or "\t" <= text[at] <= "\r"):
        at += 1
    return at


def _expands(text: str, at: int, size: int) -> bool:
    """Whether what the guard takes for an expanding assignment follows a bracket: it looks into strings too."""
    at = _behind_space(text, at, size)
    return at < size and text[at] in "=/-"


def _has_long_run(text: str, start: int, end: int) -> bool:
    run = 0
    while start < end:
        run = run + 1 if text[start] in "-+*/<>=~!@#%^&|`?" else 0
        if run > _LONGEST_RUN:
            return True
        start += 1
    return False


def _number_end(text: str, at: int, size: int) -> int:
    """`decinteger`, `numeric`, `real`, without underscores; nothing may touch it that could be taken for its part."""
    while at < size and _is_digit(text[at]):
        at += 1
    if at < size and text[at] == ".":
        at += 1
        while at < size and _is_digit(text[at]):
            at += 1
    if at < size and (text[at] == "e" or text[at] == "E"):
        at += 1
        if at < size and (text[at] == "+" or text[at] == "-"):
            at += 1
        first = at
        while at < size and _is_digit(text[at]):
            at += 1
        if at == first:
            return -1
    if at < size and (_begins_word(text[at]) or text[at] == "." or text[at] == "$"):
        return -1
    return at


def _number_kind(text: str, start: int, end: int) -> str:
    """`process_integer_literal`: what does not fit an int4 is a decimal. A long one that begins with 0 stays."""
    at = start
    while at < end and _is_digit(text[at]):
        at += 1
    if at < end:
        return DECIMAL
    if end - start < len(_INT4_MAX):
        return INTEGER
    if text[start] == "0":
        return ""
    return INTEGER if end - start == len(_INT4_MAX) and text[start:end] <= _INT4_MAX else DECIMAL


def _block_end(text: str, at: int, size: int) -> int:
    """`xc`: comments nest."""
    start, depth = at, 1
    at += 2
    while at + 1 < size:
        if text[at] == "*" and text[at + 1] == "/":
            depth -= 1
            at += 2
            if depth == 0:
                return -1 if at - start > _LONGEST_RUN else at
        elif text[at] == "/" and text[at + 1] == "*":
            depth += 1
            at += 2
        elif (text[at] == ")" and _expands(text, at + 1, size)) or "\ud800" <= text[at] <= "\udfff":
            return -1
        else:
            at += 1
    return -1


def _line_end(text: str, at: int, size: int) -> int:
    """`comment`: up to the end of the line, which is a line feed or a carriage return."""
    start = at
    while at < size and text[at] != "\n" and text[at] != "\r":
        if (text[at] == ")" and _expands(text, at + 1, size)) or "\ud800" <= text[at] <= "\udfff":
            return -1
        at += 1
    return -1 if at - start > _LONGEST_RUN else at
