"""T-SQL's batches: text to a tree, or a refusal that says where and why (ADR 30).

A batch needs no semicolons, so where a statement ends is the question of security here: it ends only where the grammar
says that it can, reserved words are never names unless quoted, and every token is read by a rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.lexer import LABEL, NAME, QUOTED, Tokens, tokenize
from blastwall.sql.tsql.limits import Limits
from blastwall.sql.tsql.unparsed import UnparsedError
from blastwall.sql.tsql.utilities import Utilities

_DEFAULT_LIMITS = Limits()
_WRITES = ("INSERT", "UPDATE", "DELETE", "MERGE")


def parse(
    text: str,
    *,
    quoted_identifier: bool = True,
    limits: Limits = _DEFAULT_LIMITS,
    constant: Callable[[int, int, str, str], nodes.Constant] = nodes.Constant,
) -> nodes.Batch:
    """Return the tree of a batch, in which `constant` makes the literals. Raises UnparsedError."""
    if len(text) > limits.text:
        raise UnparsedError(f"the text is longer than {limits.text} characters: send it in smaller batches", 0)
    parser = Parser(tokenize(text, quoted_identifier=quoted_identifier), limits, quoted_identifier)
    parser.constant = constant
    try:
        return parser.batch()
    except RecursionError as error:  # the caller's own stack was nearly full
        raise UnparsedError("the statement is nested too deeply: split it", 0) from error


class Parser(Utilities):
    """Reads a batch."""

    def __init__(self, tokens: Tokens, limits: Limits, quoted_identifier: bool) -> None:
        super().__init__(tokens, limits)
        self._quoted_identifier = quoted_identifier
        self._left = limits.statements
        self._last_quote = tokens.text.rfind('"')

    def batch(self) -> nodes.Batch:
        """Read the whole text. Raises UnparsedError."""
        statements = self.statements()
        if self.kinds[self.at] != "end":
            raise self.unexpected("a statement")
        return nodes.Batch(0, len(self.text), statements)

    def statement(self, *, separated: bool) -> nodes.Statement:
        """Read one statement; `separated`: a WITH may stand here. Raises UnparsedError."""
        self._left -= 1
        if self._left < 0:
            raise self.refused("the batch has too many statements: send it in smaller batches")
        kind = self.kinds[self.at]
        read = self._STATEMENTS.get(kind)
        if read is not None:
            return read(self)
        if kind == "WITH":
            if not separated:
                raise self.unexpected("a semicolon before WITH")
            return self._with()
        if kind in (NAME, QUOTED):
            return self._by_word()
        raise self.unexpected("a statement")

    def _query(self) -> nodes.Statement:
        start = self.starts[self.at]
        query = self.with_options(self.query((), start))
        return nodes.SelectStatement(start, self.end, query)

    def _with(self) -> nodes.Statement:
        start = self.starts[self.at]
        ctes = self.common_tables()
        if self.kinds[self.at] in _WRITES:
            return self.write(ctes, start)
        query = self.with_options(self.query(ctes, start))
        return nodes.SelectStatement(start, self.end, query)

    def _write(self) -> nodes.Statement:
        kind, following = self.kinds[self.at], self.kinds[self.at + 1]
        if kind == "UPDATE" and following == "STATISTICS":
            return self.update_statistics()
        if kind == "INSERT" and following == "BULK":
            return self.insert_bulk()
        return self.write((), self.starts[self.at])

    def _by_word(self) -> nodes.Statement:
        """Read a statement that begins with a word that is not reserved, or a call without EXEC, first in the batch."""
        word, following = self.words[self.at], self.words[self.at + 1]
        if word == "THROW":
            return self.throw()
        if word in ("ENABLE", "DISABLE") and following == "TRIGGER":
            return self.trigger_switch()
        broker = self.broker(word, following)
        if broker is not None:
            return broker
        if self.at == 0:
            start = self.starts[0]
            return self.procedure_call(start, self.object_name(4), None)
        raise self.unexpected("a statement")

    def quoting(self, value: nodes.Expression) -> None:
        """Refuse what follows a change of QUOTED_IDENTIFIER where its double quotes would be read otherwise.

        SQL Server changes it while it reads the text, whether or not the SET is ever run.
        """
        on = isinstance(value, nodes.Constant) and value.text == "ON"
        if on != self._quoted_identifier and self._last_quote > self.end:
            raise self.refused("double quotes after a change of QUOTED_IDENTIFIER: send the SET in a batch of its own")

    _STATEMENTS: ClassVar[dict[str, Callable[[Parser], nodes.Statement]]] = {
        "SELECT": _query,
        "(": _query,
        **dict.fromkeys(_WRITES, _write),
        "TRUNCATE": Utilities.truncate,
        **dict.fromkeys(("READTEXT", "WRITETEXT", "UPDATETEXT"), Utilities.text_access),
        "BULK": Utilities.bulk_insert,
        "EXEC": Utilities.execute,
        "EXECUTE": Utilities.execute,
        "REVERT": Utilities.revert,
        "SETUSER": Utilities.setuser,
        "DECLARE": Utilities.declare,
        "SET": Utilities.set_,
        "IF": Utilities.if_,
        "WHILE": Utilities.while_,
        "BEGIN": Utilities.begin_any,
        "END": Utilities.end_conversation,
        **dict.fromkeys(("BREAK", "CONTINUE", "GOTO", LABEL), Utilities.jump),
        "RETURN": Utilities.return_,
        "PRINT": Utilities.print_,
        "RAISERROR": Utilities.raiserror,
        "WAITFOR": Utilities.waitfor,
        **dict.fromkeys(("OPEN", "CLOSE"), Utilities.open_close),
        **dict.fromkeys(("DEALLOCATE", "FETCH"), Utilities.cursor_command),
        **dict.fromkeys(("COMMIT", "ROLLBACK", "SAVE"), Utilities.transaction),
        **dict.fromkeys(("CREATE", "ALTER"), Utilities.create),
        "DROP": Utilities.drop,
        "ADD": Utilities.add,
        **dict.fromkeys(("GRANT", "DENY", "REVOKE"), Utilities.entitlement),
        "USE": Utilities.use,
        **dict.fromkeys(("BACKUP", "RESTORE", "DBCC", "KILL"), Utilities.utility),
        **dict.fromkeys(("SHUTDOWN", "RECONFIGURE", "CHECKPOINT", "LINENO"), Utilities.utility),
    }
