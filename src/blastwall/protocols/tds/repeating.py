"""Answers that stand: a statement that was allowed without conditions is asked for again by what the gate gave for it.

It must be the same in all that was judged: text, stage, in a transaction or not, parameters, and what it was found to
do under the names of now. Only the values of its parameters may be others.
"""

from __future__ import annotations

from blastwall.model.statement import Statement
from blastwall.protocols.contract import Repeat
from blastwall.protocols.standing import Standing
from blastwall.protocols.tds.running import Asked
from blastwall.sql.tsql.statement import Classified

_MOST = 200
_MOST_TEXT = 200_000
"""How many answers a session keeps, and of how many characters of text at most."""

_Key = tuple[object, ...]


class StandingAnswers:
    """The answers of one session that stand."""

    def __init__(self) -> None:
        self._known: dict[_Key, tuple[Standing, Classified]] = {}
        self._size = 0

    def question(self, asked: Asked) -> Statement | Repeat:
        """Return how to ask for a statement: by an answer that stands, or as a whole."""
        statement = asked.statement
        known = self._known.get(_key(statement))
        if known is None or known[1] is not asked.classified:
            return statement
        return Repeat(known[0], tuple(one.value for one in statement.parameters))

    def keep(self, asked: Asked, standing: Standing) -> None:
        """This statement was allowed by an answer that stands."""
        if len(self._known) >= _MOST or self._size > _MOST_TEXT:
            self._known.clear()
            self._size = 0
        self._known[_key(asked.statement)] = (standing, asked.classified)
        self._size += len(asked.statement.text)


def _key(statement: Statement) -> _Key:
    """All that the gate judges a statement by, but the values of its parameters and what follows from its reading."""
    parameters = tuple((one.column, one.secret, one.declared) for one in statement.parameters)
    return statement.text, statement.stage, statement.in_transaction, statement.by_name, parameters
