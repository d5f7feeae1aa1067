"""T-SQL text to tokens, and a cursor over them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from blastwall.testing.tds.errors import SqlError

NAME, QUOTED, STRING, NUMBER, HEX, VARIABLE, SYSTEM, OPERATOR, END = range(9)

_RESERVED_WORDS = """
    ADD ALL ALTER AND ANY AS ASC AUTHORIZATION BACKUP BEGIN BETWEEN BREAK BROWSE BULK BY CASCADE CASE CHECK
    CHECKPOINT CLOSE CLUSTERED COALESCE COLLATE COLUMN COMMIT COMPUTE CONSTRAINT CONTAINS CONTAINSTABLE CONTINUE
    CONVERT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURSOR DATABASE DBCC
    DEALLOCATE DECLARE DEFAULT DELETE DENY DESC DISK DISTINCT DISTRIBUTED DOUBLE DROP DUMP ELSE END ERRLVL
    ESCAPE EXCEPT EXEC EXECUTE EXISTS EXIT EXTERNAL FETCH FILE FILLFACTOR FOR FOREIGN FREETEXT FREETEXTTABLE
    FROM FULL FUNCTION GOTO GRANT GROUP HAVING HOLDLOCK IDENTITY IDENTITY_INSERT IDENTITYCOL IF IN INDEX INNER
    INSERT INTERSECT INTO IS JOIN KEY KILL LEFT LIKE LINENO LOAD MERGE NATIONAL NOCHECK NONCLUSTERED NOT NULL
    NULLIF OF OFF OFFSETS ON OPEN OPENDATASOURCE OPENQUERY OPENROWSET OPENXML OPTION OR ORDER OUTER OVER PERCENT
    PIVOT PLAN PRIMARY PRINT PROC PROCEDURE PUBLIC RAISERROR READ READTEXT RECONFIGURE REFERENCES REPLICATION
    RESTORE RESTRICT RETURN REVERT REVOKE RIGHT ROLLBACK ROWCOUNT ROWGUIDCOL RULE SAVE SCHEMA SECURITYAUDIT
    SELECT SESSION_USER SET SETUSER SHUTDOWN SOME STATISTICS SYSTEM_USER TABLE TABLESAMPLE TEXTSIZE THEN TO TOP
    TRAN TRANSACTION TRIGGER TRUNCATE TRY_CONVERT TSEQUAL UNION UNIQUE UNPIVOT UPDATE UPDATETEXT USE USER VALUES
    VARYING VIEW WAITFOR WHEN WHERE WHILE WITH WITHIN WRITETEXT
"""
RESERVED = frozenset(_RESERVED_WORDS.split())
"""Words that are never names unless quoted."""

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*)
      | (?P<comment>/\*)
      | (?P<string>[Nn]?'(?:[^']|'')*')
      | (?P<quoted>\[(?:[^\]]|\]\])*\]|"(?:[^"]|"")*")
      | (?P<hex>0[xX][0-9A-Fa-f]*)
      | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<system>@@\w+)
      | (?P<variable>@[\w@$#]+)
      | (?P<name>[^\W\d][\w@$#]*|\#\#?[\w@$#]+|\$action)
      | (?P<operator><>|!=|<=|>=|!<|!>|\+=|-=|\*=|/=|%=|&=|\|=|\^=|::|[-+*/%=<>()\[\],;.&|^~:{}?!])""",
    re.VERBOSE,
)
_COMMENT = re.compile(r"/\*|\*/")
_KINDS = {"string": STRING, "quoted": QUOTED, "hex": HEX, "number": NUMBER, "system": SYSTEM, "variable": VARIABLE,
          "name": NAME, "operator": OPERATOR}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """A token: `word` is what it is compared by, upper case for names that are not quoted."""

    kind: int
    text: str
    word: str
    start: int
    end: int

    @property
    def value(self) -> str:
        """The name or string without its quotes."""
        if self.kind == STRING:
            return self.text[self.text.index("'") + 1 : -1].replace("''", "'")
        if self.kind == QUOTED:
            close = self.text[-1]
            return self.text[1:-1].replace(close * 2, close)
        return self.text

    @property
    def national(self) -> bool:
        """Whether a string is N'…'."""
        return self.text[0] in "nN"


def tokens_of(text: str, *, quoted_identifier: bool = True) -> list[Token]:
    """Return the tokens of `text`, an END token last.

    Raises:
        SqlError: it ends in the middle of a string or comment, or holds what is no T-SQL.
    """
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            if text[at] in "'[\"":
                raise SqlError(105, text[at + 1 : at + 60])
            raise SqlError(102, text[at])
        if match.lastgroup == "comment":
            at = _after_comment(text, at)
            continue
        at = match.end()
        if match.lastgroup == "space":
            continue
        kind, shown = _KINDS[match.lastgroup or ""], match[0]
        if kind == QUOTED and shown[0] == '"' and not quoted_identifier:
            shown = "'" + shown[1:-1].replace('""', '"').replace("'", "''") + "'"
            kind = STRING
        word = shown.upper() if kind in (NAME, SYSTEM) else shown.lower() if kind == VARIABLE else shown
        word = f" {shown}" if kind in (STRING, QUOTED) else word
        found.append(Token(kind, shown, word, match.start(), match.end()))
    found.append(Token(END, "", "", len(text), len(text)))
    return found


def _after_comment(text: str, at: int) -> int:
    """Comments nest."""
    depth = 0
    for match in _COMMENT.finditer(text, at):
        depth += 1 if match[0] == "/*" else -1
        if not depth:
            return match.end()
    raise SqlError.raised(113, 15, 1, "Missing end comment mark '*/'.")


class Cursor:
    """Walks over tokens."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text, self.tokens, self.at = text, tokens, 0

    @property
    def token(self) -> Token:
        """The next token."""
        return self.tokens[self.at]

    @property
    def word(self) -> str:
        """What the next token is compared by."""
        return self.tokens[self.at].word

    def ahead(self, count: int = 1) -> str:
        """Return the word of a later token."""
        return self.tokens[min(self.at + count, len(self.tokens) - 1)].word

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""
        return self.token.kind == END

    def advance(self) -> Token:
        """Take the next token."""
        token = self.token
        if token.kind != END:
            self.at += 1
        return token

    def accept(self, *words: str) -> bool:
        """Take these tokens if they are next."""
        for offset, word in enumerate(words):
            if self.ahead(offset) != word:
                return False
        self.at += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Take these tokens.

        Raises:
            SqlError: others are next.
        """
        for word in words:
            if not self.accept(word):
                raise self.wrong()

    def wrong(self) -> SqlError:
        """Return the error that points at the next token."""
        error = SqlError(102, self.token.value or self.text.strip()[-20:])
        error.line = self.line
        return error

    @property
    def line(self) -> int:
        """The line that the next token is on, from 1."""
        return self.text.count("\n", 0, self.token.start) + 1

    def is_name(self) -> bool:
        """Whether the next token can be a name."""
        token = self.token
        return token.kind == QUOTED or (token.kind == NAME and token.word not in RESERVED)

    def name(self) -> str:
        """Take a name.

        Raises:
            SqlError: none is next.
        """
        if not self.is_name():
            raise self.wrong()
        return self.advance().value

    def dotted(self) -> tuple[str, ...]:
        """Take a name of up to four parts; an empty part is ""."""
        parts = [self.name()]
        while self.accept("."):
            parts.append("" if self.word == "." else self.name())
        return tuple(parts)
