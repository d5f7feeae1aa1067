# cython: language_level=3, boundscheck=False, wraparound=False, annotation_typing=False
"""The shape of a text: itself without its plain literals and comments, read the way that PostgreSQL's lexer reads.

Two texts of one shape have the same tokens but for the values of literals of the same kind, so the parser gives them
the same tree but for those values and all positions. Whether the values matter, the classifier tells (`recall`).
What this reader is not sure of has no shape: E'' with escapes beyond the usual ones, U&'', N'', bit strings, dollar
quotes, strings continued on another line, numbers that are not plain decimals, whatever is malformed.

It reads bytes, as the lexer does: what is beyond ASCII is part of a word, or of a literal. That they are UTF-8, the
caller knows. The clauses of `scan.l` (PostgreSQL 17) that each part follows are named beside it. Compiled by way of
`shape.pxd`; the same source runs as it is.
"""

from __future__ import annotations

from blastwall.sql.postgres.guard import FREE

_LONGEST_TEXT: int = FREE
"""In bytes: the guard before the parser lets shorter texts pass whatever is in their literals."""
_LONGEST_RUN = 400
"""The guard looks for runs of 500 operator signs: a text with a literal or comment that could hold one has no shape."""
_INT4_MAX = b"2147483647"
_INT4_DIGITS = 10
_OPERATORS = b"-+*/<>=~!@#%^&|`?"

STRING, ESCAPED, INTEGER, DECIMAL, BLOCK, LINE = "\0s", "\0e", "\0i", "\0d", "\0*", "\0-"
"""What stands in a shape for what was taken out. No text holds a NUL."""
_KEPT, _STRING, _ESCAPED, _INTEGER, _DECIMAL, _BLOCK, _LINE = 0, 1, 2, 3, 4, 5, 6
_MARKS: list[bytes] = [b"", *(mark.encode() for mark in (STRING, ESCAPED, INTEGER, DECIMAL, BLOCK, LINE))]

_LINE_FEED, _RETURN, _SPACE, _QUOTE, _DOLLAR, _APOSTROPHE, _CLOSING, _STAR = 10, 13, 32, 34, 36, 39, 41, 42
_MINUS, _DOT, _SLASH, _BACKSLASH = 45, 46, 47, 92


def shape_of(text: str) -> tuple[str, list[int]] | None:
    """Return a text's shape, and start and end of all that was taken out, in characters; None where it is not sure."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return None
    found = shape_in(data, 0, len(data))
    if found is None:
        return None
    bounds = found[1] if len(data) == len(text) else [len(data[:bound].decode()) for bound in found[1]]
    return found[0].decode(), bounds


def shape_in(buffer: bytes, begin: int, end: int) -> tuple[bytes, list[int]] | None:  # noqa: C901, PLR0912 - as below
    """The same of the UTF-8 text from `begin` to `end` of a buffer, all in bytes of the buffer."""
    data, at, size = buffer, begin, end
    if size - at > _LONGEST_TEXT or _has_nul(data, at, size):
        return None
    pieces: list[bytes] = []
    bounds: list[int] = []
    kept = at
    while at < size:  # one case a kind of token
        start, sign, mark = at, data[at], _KEPT
        if _begins_word(sign):
            at = _word_end(data, at, size)
            if at - start == 1 and at < size and _is_prefix(data, start, at, size):
                if (sign | 32) != 101 or data[at] != _APOSTROPHE:  # e, E
                    return None
                start, mark, at = at, _ESCAPED, _escaped_end(data, at, size)
        elif sign == _APOSTROPHE:
            mark, at = _STRING, _string_end(data, at, size)
        elif _is_digit(sign) or (sign == _DOT and at + 1 < size and _is_digit(data[at + 1])):
            at = _number_end(data, at, size)
            mark = _number_kind(data, start, at)
        elif sign == _QUOTE:
            at = _quoted_end(data, at, size)
        elif sign == _DOLLAR:
            at = _parameter_end(data, at, size)
        elif sign == _DOT and at + 1 < size and data[at + 1] == _DOT:
            return None
        elif sign == _SLASH and at + 1 < size and data[at + 1] == _STAR:
            mark, at = _BLOCK, _block_end(data, at, size)
        elif sign == _MINUS and at + 1 < size and data[at + 1] == _MINUS:
            mark, at = _LINE, _line_end(data, at, size)
        else:
            at += 1
        if at < 0:
            return None
        if mark != _KEPT:
            pieces.append(data[kept:start])
            pieces.append(_MARKS[mark])
            bounds.append(start)
            bounds.append(at)
            kept = at
    pieces.append(data[kept:size])
    return b"".join(pieces), bounds


def _has_nul(data: bytes, at: int, size: int) -> bool:
    while at < size:
        if data[at] == 0:
            return True
        at += 1
    return False


def _is_digit(sign: int) -> bool:
    return 48 <= sign <= 57


def _begins_word(sign: int) -> bool:
    """`ident_start`: letters, the underscore, and every byte beyond ASCII."""
    return 97 <= sign <= 122 or 65 <= sign <= 90 or sign == 95 or sign >= 128


def _word_end(data: bytes, at: int, size: int) -> int:
    """`identifier`: goes on with digits and dollar signs."""
    at += 1
    while at < size and (_begins_word(data[at]) or _is_digit(data[at]) or data[at] == _DOLLAR):
        at += 1
    return at


def _is_prefix(data: bytes, start: int, at: int, size: int) -> bool:
    """Whether a word of one letter belongs to the quote behind it (`xestart`, `xnstart`, `xbstart`, `xusstart`, …)."""
    letter = data[start] | 32
    if data[at] == _APOSTROPHE:
        return letter in {101, 110, 98, 120}  # e, n, b, x
    if letter != 117 or data[at] != 38 or at + 1 >= size:  # u, &
        return False
    return data[at + 1] == _APOSTROPHE or data[at + 1] == _QUOTE


def _quoted_end(data: bytes, at: int, size: int) -> int:
    """`xd`: a quoted name; it stays in the shape."""
    at += 1
    while at < size:
        if data[at] == _QUOTE:
            if at + 1 < size and data[at + 1] == _QUOTE:
                at += 2
                continue
            return at + 1
        at += 1
    return -1


def _parameter_end(data: bytes, at: int, size: int) -> int:
    """`param`: it stays in the shape. Anything else that begins with a dollar sign may be a dollar quote."""
    at += 1
    first = at
    while at < size and _is_digit(data[at]):
        at += 1
    if at == first or (at < size and (_begins_word(data[at]) or data[at] == _DOLLAR or data[at] == _DOT)):
        return -1
    return at


def _string_end(data: bytes, at: int, size: int) -> int:
    """`xq` under standard_conforming_strings: backslashes mean nothing, two quotes mean one."""
    start = at
    at += 1
    while at < size:
        if data[at] == _APOSTROPHE:
            if at + 1 < size and data[at + 1] == _APOSTROPHE:
                at += 2
                continue
            return _string_ended(data, start, at, size)
        if data[at] == _CLOSING and _expands(data, at + 1, size):
            return -1
        at += 1
    return -1


def _escaped_end(data: bytes, at: int, size: int) -> int:
    """`xe`: as `xq`, and a backslash with a letter or itself is one character."""
    start = at
    at += 1
    while at < size:
        if data[at] == _BACKSLASH:
            if at + 1 >= size or not _is_escape(data[at + 1]):
                return -1
            at += 2
            continue
        if data[at] == _APOSTROPHE:
            if at + 1 < size and data[at + 1] == _APOSTROPHE:
                at += 2
                continue
            return _string_ended(data, start, at, size)
        if data[at] == _CLOSING and _expands(data, at + 1, size):
            return -1
        at += 1
    return -1


def _is_escape(sign: int) -> bool:
    r"""`\\`, `\n`, `\t`, `\r`, `\b`, `\f`."""
    return sign in {92, 110, 116, 114, 98, 102}


def _string_ended(data: bytes, start: int, at: int, size: int) -> int:
    """`quotecontinue`: a string may go on behind a line's end, and behind a comment there."""
    if at - start > _LONGEST_RUN and _has_long_run(data, start, at):
        return -1
    at += 1
    behind = _behind_space(data, at, size)
    if behind < size and (
        data[behind] == _APOSTROPHE or (data[behind] == _MINUS and behind + 1 < size and data[behind + 1] == _MINUS)
    ):
        return -1
    return at


def _behind_space(data: bytes, at: int, size: int) -> int:
    while at < size and (data[at] == _SPACE or 9 <= data[at] <= 13):
        at += 1
    return at


def _expands(data: bytes, at: int, size: int) -> bool:
    """Whether what the guard takes for an expanding assignment follows a bracket: it looks into strings too."""
    at = _behind_space(data, at, size)
    return at < size and (data[at] == 61 or data[at] == _SLASH or data[at] == _MINUS)  # =


def _has_long_run(data: bytes, start: int, end: int) -> bool:
    run = 0
    while start < end:
        run = run + 1 if data[start] in _OPERATORS else 0
        if run > _LONGEST_RUN:
            return True
        start += 1
    return False


def _number_end(data: bytes, at: int, size: int) -> int:
    """`decinteger`, `numeric`, `real`, without underscores; nothing may touch it that could be taken for its part."""
    while at < size and _is_digit(data[at]):
        at += 1
    if at < size and data[at] == _DOT:
        at += 1
        while at < size and _is_digit(data[at]):
            at += 1
    if at < size and (data[at] | 32) == 101:  # e, E
        at += 1
        if at < size and (data[at] == 43 or data[at] == _MINUS):  # +
            at += 1
        first = at
        while at < size and _is_digit(data[at]):
            at += 1
        if at == first:
            return -1
    if at < size and (_begins_word(data[at]) or data[at] == _DOT or data[at] == _DOLLAR):
        return -1
    return at


def _number_kind(data: bytes, start: int, end: int) -> int:
    """`process_integer_literal`: what does not fit an int4 is a decimal. A long one that begins with 0 stays."""
    at = start
    while at < end and _is_digit(data[at]):
        at += 1
    if at < end:
        return _DECIMAL
    if end - start < _INT4_DIGITS:
        return _INTEGER
    if data[start] == 48:  # 0
        return _KEPT
    return _INTEGER if end - start == _INT4_DIGITS and data[start:end] <= _INT4_MAX else _DECIMAL


def _block_end(data: bytes, at: int, size: int) -> int:
    """`xc`: comments nest."""
    start, depth = at, 1
    at += 2
    while at + 1 < size:
        if data[at] == _STAR and data[at + 1] == _SLASH:
            depth -= 1
            at += 2
            if depth == 0:
                return -1 if at - start > _LONGEST_RUN else at
        elif data[at] == _SLASH and data[at + 1] == _STAR:
            depth += 1
            at += 2
        elif data[at] == _CLOSING and _expands(data, at + 1, size):
            return -1
        else:
            at += 1
    return -1


def _line_end(data: bytes, at: int, size: int) -> int:
    """`comment`: up to the end of the line, which is a line feed or a carriage return."""
    start = at
    while at < size and data[at] != _LINE_FEED and data[at] != _RETURN:
        if data[at] == _CLOSING and _expands(data, at + 1, size):
            return -1
        at += 1
    return -1 if at - start > _LONGEST_RUN else at
