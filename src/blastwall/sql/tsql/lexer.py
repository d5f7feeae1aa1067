"""T-SQL's tokens. What SQL Server's scanner is not known to read in one way only is refused here.

- Words: letters of Unicode 3.2, decimal digits, `_ @ # $`. A word that is not ASCII must be what NFKC makes of it, so
  that none only looks like another word; reserved words are ASCII.
- White space: blanks of SQL Server's scanner, without controls (other than tab and line ends), NEL, LS, PS and ZWSP.
- Comments nest. `--(*` opens an old ODBC escape, so it is no comment; a `--` comment that holds a lone CR or a line end
  of Unicode may end elsewhere than it seems.
- A number that touches a word (`1DROP`) is two tokens to the server, and which two depends on the letters; sizes of
  files (`10MB`) are one here, which only definitions take.
- A label is a word and a colon that touch, outside brackets: inside them the word is a key of a JSON function.
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
INTEGER, DECIMAL, FLOAT, MONEY, BINARY, SIZE = "integer", "decimal", "float", "money", "binary", "size"

_SPACE = r"[\t\n\x0b\x0c\r ]"
"""Other blanks (no-break, ideographic) are refused: whether a name ends at one is not documented."""
_CURRENCY = "$£¤¥৲৳฿€₡₢₣₤₦₧₨₩₪₫"
_TOKEN = re.compile(
    rf"""{_SPACE}*+(?:
      ((?![Nn]['"])(?:[^\W\d]|\#)[\w@$\#]*+)(?!:(?!:))           # 1 word
    | ([(),;=*+%&|^~<>!:{{}}]|\.(?![0-9])|-(?!-)|/(?!\*))         # 2 sign
    | (@[\w@$\#]*+)                                               # 3 variable
    | ([Nn]?'[^']*+(?:''[^']*+)*+')                               # 4 string
    | (\[[^\]]*+(?:\]\][^\]]*+)*+\])                              # 5 name in brackets
    | (0[xX](?:[0-9a-fA-F]|\\\r?\n)*+)                            # 6 binary
    | ((?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]*+|[KMGTkmgt][Bb](?![\w@$\#]))?)  # 7 number
    | ("[^"]*+(?:""[^"]*+)*+")                                    # 8 double quotes
    | ([{_CURRENCY}][ ]*+[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?) # 9 money
    | (\$[A-Za-z_][\w@$\#]*+)                                     # 10 pseudo column
    | (--[^\n]*+)                                                 # 11 comment to the line's end
    | (/\*[^*/]*+(?:\*(?!/)[^*/]*+|/(?!\*)[^*/]*+)*+\*/)          # 12 comment
    | (/\*)                                                       # 13 comment that holds comments
    | ((?:[^\W\d]|\#)[\w@$\#]*+:)                                # 14 label
    )""",
    re.VERBOSE,
)
(
    _WORD,
    _SIGN,
    _VARIABLE,
    _STRING,
    _BRACKETS,
    _BINARY,
    _NUMBER,
    _DOUBLE,
    _MONEY,
    _PSEUDO,
    _LINE,
    _BLOCK,
    _NESTING,
    _LABEL,
) = range(1, 15)
_AHEAD = 6
_COMMENTS = (_LINE, _BLOCK, _NESTING)
_KINDS = {word: word for word in RESERVED}
_REST = re.compile(rf"{_SPACE}*+\Z")
_MARK = re.compile(r"/\*|\*/")
_ODD_LINE_END = re.compile("\r(?!\n|\\Z)|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_LONE = re.compile("[\0\ud800-\udfff]")
_CONTINUED = re.compile(r"\\\r?\n")
_SIZE = re.compile(r"[KMGT]B", re.IGNORECASE)
_WORDY = re.compile(r"[\w@$#]")
_IN_WORDS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nl", "Nd"})
_OLD = unicodedata.ucd_3_2_0


@dataclass(slots=True)
class Tokens:
    """The tokens of a text, each with an index; after the last stand some of kind END, for whoever looks ahead.

    `kinds`: a reserved word or a sign is its own kind, in capitals; else one of the constants above. `words`: an
    unquoted word in capitals, reserved or not, and "" for every other token. `open_brackets` is the depth at the token
    with the index `counted`.
    """

    text: str
    kinds: list[str]
    words: list[str]
    starts: list[int]
    ends: list[int]
    counted: int = 0
    open_brackets: int = 0


def tokenize(text: str, *, quoted_identifier: bool = True) -> Tokens:
    """Return the tokens of a text. Raises UnparsedError."""
    found = Tokens(text, [], [], [], [])
    lone = _LONE.search(text)
    if lone is not None:
        raise unparsed(text, lone.start(), "the text contains a NUL or half a character: leave it out")
    at = 0
    while at >= 0:
        at = _scan(found, at, quoted_identifier)
    found.kinds.extend([END] * _AHEAD)
    found.words.extend([""] * _AHEAD)
    found.starts.extend([len(text)] * _AHEAD)
    found.ends.extend([len(text)] * _AHEAD)
    return found


def _scan(found: Tokens, at: int, quoted_identifier: bool) -> int:
    """Read tokens from `at` up to a comment that holds comments; return where that ends, or -1 at the text's end."""
    text = found.text
    ascii_only = text.isascii()
    add_kind, add_word, kind_of = found.kinds.append, found.words.append, _KINDS.get
    add_start, add_end = found.starts.append, found.ends.append
    for token in _TOKEN.finditer(text, at):
        if token.start() != at:
            break  # something before it is no token
        which = token.lastindex or 0
        start, at = token.span(which)
        if which == _WORD:
            word = text[start:at].upper()
            if not ascii_only:
                _check_word(text, start, at)
            add_kind(kind_of(word, NAME))
            add_word(word)
        elif which == _SIGN:
            add_kind(text[start])
            add_word("")
        elif which == _LABEL:
            at = _label(found, start, at)
            continue
        elif which in _COMMENTS:
            if which == _NESTING:
                return _comment_end(text, start, at)
            _check_comment(text, start, at)
            continue
        else:
            add_kind(_kind(text, start, at, which, quoted_identifier))
            add_word("")
        add_start(start)
        add_end(at)
    if _REST.match(text, at):
        return -1
    raise _unread(text, at)


def _label(found: Tokens, start: int, end: int) -> int:
    """Add a label, or inside brackets the word and its colon apart; return where that ends."""
    text = found.text
    word = text[start : end - 1].upper()
    _check_word(text, start, end - 1)
    if word in RESERVED:
        raise unparsed(text, start, f"`{text[start:end]}`: a reserved word is no label")
    new = found.kinds[found.counted :]
    open_brackets = found.open_brackets + new.count("(") - new.count(")")
    found.open_brackets, found.counted = open_brackets, len(found.kinds)
    found.kinds.append(NAME if open_brackets > 0 else LABEL)
    found.words.append(word)
    found.starts.append(start)
    found.ends.append(end - 1 if open_brackets > 0 else end)
    if open_brackets > 0:
        found.kinds.append(":")
        found.words.append("")
        found.starts.append(end - 1)
        found.ends.append(end)
    return end


def _kind(text: str, start: int, end: int, which: int, quoted_identifier: bool) -> str:
    if which == _VARIABLE:
        _check_word(text, start, end)
        return VARIABLE
    if which == _STRING:
        return STRING if text[start] == "'" else NATIONAL
    if which == _BRACKETS:
        return _named(text, start, end)
    if which == _DOUBLE:
        return _named(text, start, end) if quoted_identifier else STRING
    if which == _NUMBER and _SIZE.match(text, end - 2):
        return SIZE
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
        if character >= "\x80" and (character > "\uffff" or _OLD.category(character) not in _IN_WORDS):
            at = start + offset
            raise unparsed(text, at, f"the word {word!r} has a character that may not stand in one: quote it")
    if unicodedata.normalize("NFKC", word) != word or word.upper().isascii() or word.lower().isascii():
        raise unparsed(text, start, f"the word {word!r} looks like another word: quote it")


def _check_comment(text: str, start: int, end: int) -> None:
    """Refuse a comment to the line's end that may not be one, or may end elsewhere."""
    if text[start] == "/":
        return
    if text.startswith("(*", start + 2):
        raise unparsed(text, start, "`--(*` opens an ODBC escape, not a comment: put a space after `--`")
    odd = _ODD_LINE_END.search(text, start, end)
    if odd is not None:
        raise unparsed(text, odd.start(), "a comment has an unusual line end: use /* */ or plain line ends")


def _comment_end(text: str, start: int, end: int) -> int:
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
    """Return the value of `'…'`, `N'…'` or `"…"`; lines are joined where one ends in a backslash."""
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
