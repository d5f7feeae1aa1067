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
_FIRST = frozenset({"SET", "ENABLE", "DISABLE", "RECONFIGURE"})
_AFTER = {
    "ROLLBACK": ("WITH",),
    "SET": ("SECONDARY", "CONVERSATION"),
    **dict.fromkeys(("INSERT", "UPDATE", "DELETE"), ("AFTER", "BEFORE")),
    "CREATE": ("GRANT", "DENY"),
}
_BEFORE = {
    "UPDATE": ("POPULATION",),
    "MERGE": ("RANGE",),
    "GRANT": ("CREATE",),
    "DENY": ("CREATE",),
    "ALTER": ("FILTER", "BLOCK"),
}
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

    def tail(self, *, change: bool = False) -> Tail:
        """Read to the statement's end. `change`: it is an ALTER, which may go on with SET, ENABLE, DROP … at once.

        Raises:
            UnparsedError: it is not certain whether a statement begins in it.
        """
        first = self.at
        tail = Tail()
        while not self._at_stop(change and self.at == first):
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

    def _at_stop(self, first: bool) -> bool:
        kind, word = self.kinds[self.at], self.words[self.at]
        if kind in (END, ";", LABEL):
            return True
        if word not in STARTS or word == "WITH":
            return False
        if self._belongs(word, first):
            return False
        if kind == NAME:  # THROW, ENABLE and their like: names anywhere else
            raise self.unexpected("a semicolon, or the statement's end")
        return True

    def _belongs(self, word: str, first: bool) -> bool:
        """Whether the reference has this word in this place of a definition."""
        before, after = self.words[self.at - 1], self.words[self.at + 1]
        if after == "TRIGGER":
            return False
        if first and (word in _FIRST or (word == "DROP" and after == "CREDENTIAL")):
            return True
        if word == "ADD":
            return after not in _SIGNED
        if word == "DROP":
            if after in _DROPPED:
                return self.words[self.at + 2] not in ("SESSION", "NOTIFICATION")
            return self.kinds[self.at + 1] == "(" or (first and after in ("", "ALL"))
        if word == "MOVE":
            return (before in ("WITH", "") or after == "TO") and after != "CONVERSATION"
        return before in _AFTER.get(word, ()) or after in _BEFORE.get(word, ())

    def _bracket(self, found: list[nodes.Expression]) -> None:
        at = self.at
        while self.kinds[at] == "(":
            at += 1
        if self.kinds[at] == "SELECT" and self.words[self.at - 1] not in ("ADD", "DROP"):
            raise self.refused("a query may not stand here: is a semicolon missing?")
        self.at += 1
        self.scraps(found)
        self.expect(")")
