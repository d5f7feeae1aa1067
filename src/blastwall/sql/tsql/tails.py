"""The ends of statements that are read loosely: what may stand in them, and where they stop.

Only a word of `STARTS` begins a statement, or `(` before a SELECT, or a label. So a loosely read part holds none of
them, but where the reference writes just that word in just that place; everywhere else the statement ends before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.flow import Flow
from blastwall.sql.tsql.lexer import END, LABEL, NAME
from blastwall.sql.tsql.words import STARTS

_DROPPED = frozenset({"EVENT", "TARGET", "FILTER", "BLOCK", "MEMBER", "ENCRYPTION", "VALUE", "FILE", "ATTESTED"})
"""What follows a DROP inside a definition; no statement drops such a thing, but for EVENT SESSION and NOTIFICATION."""

_SET = frozenset({"SET"})
_FIRST: dict[str, frozenset[str]] = {
    "LOGIN": frozenset({"ENABLE", "DISABLE", "DROP"}),
    "DATABASE": _SET,
    "DATABASE SCOPED CONFIGURATION": _SET,
    "SERVER CONFIGURATION": _SET,
    "AVAILABILITY GROUP": frozenset({"GRANT", "DENY"}),
    "RESOURCE GOVERNOR": frozenset({"RECONFIGURE", "DISABLE"}),
    "CRYPTOGRAPHIC PROVIDER": frozenset({"ENABLE", "DISABLE"}),
    "EXTERNAL DATA SOURCE": _SET,
    "FULLTEXT INDEX": frozenset({"SET", "ENABLE", "DISABLE", "DROP"}),
    "FULLTEXT STOPLIST": frozenset({"DROP"}),
    "SEARCH PROPERTY LIST": frozenset({"DROP"}),
    "INDEX": frozenset({"DISABLE"}),
}
"""What an ALTER of a kind goes on with at once, though it begins a statement elsewhere: without it none is whole."""

_AFTER: dict[tuple[str, str], str] = {
    ("DATABASE", "ROLLBACK"): "WITH",
    ("DATABASE SCOPED CONFIGURATION", "SET"): "SECONDARY",
    ("AVAILABILITY GROUP", "CREATE"): "GRANT",
    ("FULLTEXT INDEX", "UPDATE"): "START",
    ("PARTITION FUNCTION", "MERGE"): "",
}
"""What a kind and a word must follow, where the reference has that word in that kind's definition."""

_SIGNED = ("SIGNATURE", "COUNTER", "SENSITIVITY")
_NEVER = (")", "{", "}", "!", "<", ">")


@dataclass(slots=True)
class Tail:
    """What a loosely read part holds."""

    names: tuple[nodes.ObjectName, ...] = ()
    literals: tuple[nodes.Constant, ...] = ()
    variables: tuple[nodes.Variable, ...] = ()
    words: tuple[str, ...] = ()
    found: list[nodes.Expression] = field(default_factory=list)


class Tails(Flow):
    """Reads the loose ends of statements."""

    def tail(self, altered: str = "") -> Tail:
        """Read to the statement's end. `altered`: the kind of what an ALTER changes.

        Raises:
            UnparsedError: it is not certain whether a statement begins in it.
        """
        first = self.at
        tail = Tail()
        while not self._at_stop(altered, first):
            if self.kinds[self.at] == "(":
                self._bracket(tail.found)
            elif self.kinds[self.at] in _NEVER:
                raise self.unexpected("the statement's end")
            else:
                self.scrap(tail.found)
        tail.words = tuple(word for word in self.words[first : self.at] if word)
        tail.names = tuple(each.name for each in tail.found if isinstance(each, nodes.Column))
        tail.literals = tuple(each for each in tail.found if isinstance(each, nodes.Constant))
        tail.variables = tuple(each for each in tail.found if isinstance(each, nodes.Variable))
        return tail

    def _at_stop(self, altered: str, first: int) -> bool:
        kind, word = self.kinds[self.at], self.words[self.at]
        if kind in (END, ";", LABEL):
            return True
        if word not in STARTS or word == "WITH" or self._belongs(word, altered, first):
            return False
        if kind == NAME:  # THROW, ENABLE and their like: names anywhere else
            raise self.unexpected("a semicolon, or the statement's end")
        return True

    def _belongs(self, word: str, altered: str, first: int) -> bool:
        """Whether the reference has this word in this place of a definition."""
        after = self.words[self.at + 1]
        if after == "TRIGGER":
            return False
        if self.at == first and word in _FIRST.get(altered, ()):
            return word != "DROP" or after in (("CREDENTIAL",) if altered == "LOGIN" else ("", "ALL"))
        if word == "ADD":
            return after not in _SIGNED
        if word == "DROP":
            if after in _DROPPED:
                return self.words[self.at + 2] not in ("SESSION", "NOTIFICATION")
            return self.kinds[self.at + 1] == "("
        if word == "SET":
            return self.kinds[self.at + 1] == "(" or self._follows(word, altered, first)
        if word == "MOVE":
            return after != "CONVERSATION" and (self.words[self.at - 1] in ("WITH", "") or after == "TO")
        return self._follows(word, altered, first)

    def _follows(self, word: str, altered: str, first: int) -> bool:
        wanted = _AFTER.get((altered, word))
        if wanted is None or self.at == first or self.words[self.at - 1] != wanted:
            return False
        return word not in ("SET", "MERGE") or self.at == first + 2  # FOR SECONDARY SET, () MERGE RANGE

    def _bracket(self, found: list[nodes.Expression]) -> None:
        at = self.at
        while self.kinds[at] == "(":
            at += 1
        if self.kinds[at] == "SELECT" and self.words[self.at - 1] not in ("ADD", "DROP"):
            raise self.refused("a query may not stand here: is a semicolon missing?")
        self.at += 1
        self.scraps(found)
        self.expect(")")
