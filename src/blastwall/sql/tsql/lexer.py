"""T-SQL's tokens. What SQL Server's scanner is not known to read in one way only is refused here.

- Words: letters of Unicode 3.2, decimal digits, `_ @ # $`. A word that is not ASCII must be what NFKC makes of it, so that
  none only looks like another word; reserved words are ASCII.
- White space: blanks of SQL Server's scanner, without controls (other than tab and line ends), NEL, LS, PS and ZWSP.
- Comments nest. `--(*` opens an old ODBC escape, so it is no comment; a `--` comment with a lone CR, a line end of Unicode
  or a backslash at its end may end elsewhere than it seems.
- A number that touches a word (`1DROP`) is two tokens to the server, and which two depends on the letters.
- A label is a word and a colon that touch.
- `"…"` is a name or a string by QUOTED_IDENTIFIER; where it begins and ends is the same.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from blastwall.sql.tsql.unparsed import unparsed
from blastwall.sql.tsql.words import RESERVED

END = "end"
NAME, QUOTED, LABEL, VARIABLE, PSEUDO = "name", "quoted", "label", "variable", "pseudo"
STRING, NATIONAL = "string", "national"
INTEGER, DECIMAL, FLOAT, MONEY, BINARY = "integer", "decimal", "float", "money", "binary"

_SPACE = r"[\t\n\x0b\x0c\r \xa0\u1680\u2000-\u200a\u202f\u205f\u3000]"
_CURRENCY = "$£¤¥৲৳฿€₡₢₣₤₦₧₨₩₪₫"
_TOKEN = re.compile(
    rf"""{_SPACE}*+(?:
      ((?![Nn]['"])[^\W\d]\w*+(?:[@$\#]++\w*+)*+|\#[\w@$\#]*+)    # 1 word
    | ([(),;=*+%&|^~<>!:{{}}]|\.(?![0-9])|-(?!-)|/(?!\*))         # 2 sign
    | (@[\w@$\#]*+)                                               # 3 variable
    | ([Nn]?'[^']*+(?:''[^']*+)*+')                               # 4 string
    | (\[[^\]]*+(?:\]\][^\]]*+)*+\])                              # 5 name in brackets
    | (0[xX](?:[0-9a-fA-F]|\\\r?\n)*+)                            # 6 binary
    | ((?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)  # 7 number
    | ("[^"]*+(?:""[^"]*+)*+")                                    # 8 double quotes
    | ([{_CURRENCY}][ ]*+[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?) # 9 money
    | (\$[A-Za-z_][\w@$\#]*+)                                     # 10 pseudo column
    | (--[^\n]*+)                                                 # 11 comment to the line's end
    | (/\*)                                                       # 12 comment
    )""",
    re.VERBOSE,
)
_WORD, _SIGN, _VARIABLE, _STRING, _BRACKETS, _BINARY, _NUMBER, _DOUBLE, _MONEY, _PSEUDO, _LINE, _COMMENT = range(1, 13)
_COMMENTS = (_LINE, _COMMENT)
_KINDS = {word: word for word in RESERVED}
_REST = re.compile(rf"{_SPACE}*+\Z")
_MARK = re.compile(r"/\*|\*/")
_ODD_LINE_END = re.compile("\r(?!\n|\\Z)|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]|\\\\\r?\\Z")
_LONE = re.compile("[\0\ud800-\udfff]")
_CONTINUED = re.compile(r"\\\r?\n")
_WORDY = re.compile(r"[\w@$#]")
_LETTERS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nl"})
_OLD = unicodedata.ucd_3_2_0


@dataclass(slots=True)
class Tokens:
    """The tokens of a text, each with an index; after the last stands one of kind END.

    `kinds`: a reserved word or a sign is its own kind, in capitals; else one of the constants above. `words`: an unquoted word in
    capitals, reserved or not, and "" for every other token.
    """

    text: str
    kinds: list[str]
    words: list[str]
    starts: list[int]
    ends: list[int]


def tokenize(text: str, *, quoted_identifier: bool = True) -> Tokens:
    """Return the tokens of a text. Raises UnparsedError."""
    found = Tokens(text, [], [], [], [])
    lone = _LONE.search(text)
    if lone is not None:
        raise unparsed(text, lone.start(), "the text contains a NUL or half a character: leave it out")
    at, length, ascii_only = 0, len(text), text.isascii()
    match, add_kind, add_word = _TOKEN.match, found.kinds.append, found.words.append
    add_start, add_end, kind_of = found.starts.append, found.ends.append, _KINDS.get
    while at < length:
        token = match(text, at)
        if token is None:
            if _REST.match(text, at):
                break
            raise _unread(text, at)
        which = token.lastindex
        start, at = token.span(which or 0)
        if which == _WORD:
            word = text[start:at].upper()
            if not ascii_only:
                _check_word(text, start, at)
            kind = kind_of(word, NAME)
            if at < length and text[at] == ":" and kind is NAME and text[at : at + 2] != "::":
                kind, at = LABEL, at + 1
            add_kind(kind)
            add_word(word)
        elif which == _SIGN:
            add_kind(text[start])
            add_word("")
        elif which in _COMMENTS:
            at = _comment_end(text, start, at, nested=which == _COMMENT)
            continue
        else:
            add_kind(_kind(text, start, at, which or 0, quoted_identifier))
            add_word("")
        add_start(start)
        add_end(at)
    add_kind(END)
    add_word("")
    add_start(length)
    add_end(length)
    return found


def _kind(text: str, start: int, end: int, which: int, quoted_identifier: bool) -> str:
    if which == _VARIABLE:
        if not text[start:end].isascii():
            _check_word(text, start, end)
        return VARIABLE
    if which == _STRING:
        return STRING if text[start] == "'" else NATIONAL
    if which == _BRACKETS:
        return _named(text, start, end)
    if which == _DOUBLE:
        return _named(text, start, end) if quoted_identifier else STRING
    if _WORDY.match(text, end):
        raise unparsed(text, start, f"`{text[start : end + 1]}`: a space is missing after the number or word")
    if which == _NUMBER:
        body = text[start:end]
        return FLOAT if "e" in body or "E" in body else DECIMAL if "." in body or len(body) > 10 else INTEGER
    return BINARY if which == _BINARY else MONEY if which == _MONEY else PSEUDO


def _named(text: str, start: int, end: int) -> str:
    if end - start == 2:
        raise unparsed(text, start, "a name in quotes is empty: give it a name")
    return QUOTED


def _check_word(text: str, start: int, end: int) -> None:
    word = text[start:end]
    if word.isascii():
        return
    for offset, character in enumerate(word):
        if character >= "\x80" and _OLD.category(character) not in _LETTERS and _OLD.category(character) != "Nd":
            raise unparsed(
                text, start + offset, f"the word {word!r} has a character that may not stand in one: quote it"
            )
    if unicodedata.normalize("NFKC", word) != word or word.upper().isascii() or word.lower().isascii():
        raise unparsed(text, start, f"the word {word!r} looks like another word: quote it")


def _comment_end(text: str, start: int, end: int, *, nested: bool) -> int:
    if not nested:
        if text.startswith("(*", start + 2):
            raise unparsed(text, start, "`--(*` opens an ODBC escape, not a comment: put a space after `--`")
        odd = _ODD_LINE_END.search(text, start, end)
        if odd is not None:
            raise unparsed(text, odd.start(), "a comment has an unusual line end: use /* */ or plain line ends")
        return end
    depth = 1
    for mark in _MARK.finditer(text, end):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    raise unparsed(text, start, "a comment is not closed: comments nest, so each /* needs its */")


def _unread(text: str, at: int) -> Exception:
    skipped = re.compile(rf"{_SPACE}*").match(text, at)
    at = skipped.end() if skipped else at
    character = text[at]
    if character in "'\"[" or text[at : at + 2] in {"N'", "n'"}:
        return unparsed(text, at, f"what opens with {character} is not closed")
    if text[at : at + 2] in {'N"', 'n"'}:
        return unparsed(text, at, "N before a double quote may be a name or a string: use N'…'")
    return unparsed(text, at, f"the character {character!r} (U+{ord(character):04X}) has no meaning here")


def string_value(raw: str) -> str:
    """Return a string's value: `'…'`, `N'…'` or `"…"` without its quotes, lines joined where one ends in a backslash."""
    if raw[0] in "Nn":
        raw = raw[1:]
    quote = raw[0]
    inner = raw[1:-1]
    if quote in inner:
        inner = inner.replace(quote + quote, quote)
    return _CONTINUED.sub("", inner) if "\\" in inner else inner


def name_value(raw: str) -> str:
    """Return the name in `[…]` or `"…"`."""
    close = "]" if raw[0] == "[" else '"'
    inner = raw[1:-1]
    return inner.replace(close + close, close) if close in inner else inner
