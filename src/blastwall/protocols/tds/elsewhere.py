"""What texts mean, remembered as long as names mean the same; a long one is read in a process of its own.

At most one text of a session is read elsewhere. The request that it came in waits, and is handled from its beginning
when the answer is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from weakref import ref

from blastwall.protocols.contract import Isolate, Output, Withdraw
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.classify import TOO_COMPLEX, classify, unread
from blastwall.sql.tsql.isolated import Reading, UnreadableReply, decode
from blastwall.sql.tsql.limits import Limits
from blastwall.sql.tsql.state import NameState
from blastwall.sql.tsql.statement import Classified

INLINE = 4_000
MOST_INLINE = 16_000
"""The longest text in characters that is read on the data loop, some 20 ms of it, and all such texts of one request."""
MOST_ELSEWHERE = 64
"""The most texts of one request that are read elsewhere, one after the other."""
_INLINE = Limits(steps=10_000)
"""What reading a text on the data loop may cost: some 30 ms; what takes more is read elsewhere."""
_REMEMBERED = 200
_REMEMBERED_TEXT = 200_000
"""How many texts a session remembers, and how many characters of text at most."""
_NONE: Mapping[str, str] = {}

_Key = tuple[str, tuple[tuple[str, str], ...]]


class Postponed(Exception):
    """A request cannot be handled before `order` is answered."""

    def __init__(self, order: Isolate) -> None:
        super().__init__("a text is read elsewhere")
        self.order = order


class Texts:
    """The texts of a session. What was found counts under the catalog and the names that it was found under."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self.waiting: int | None = None
        """The number of the `Isolate` that is not answered yet."""
        self._numbers = numbers
        self._catalog: ref[Catalog] | None = None
        self._state: NameState | None = None
        self._found: dict[_Key, Classified] = {}
        self._size = self._spent = self._postponed = 0
        self._question: tuple[_Key, Catalog, NameState] | None = None
        self._answer: Classified | None = None

    def classify(
        self, text: str, catalog: Catalog, state: NameState, parameters: Mapping[str, str] = _NONE
    ) -> Classified:
        """Return what a text does under these names.

        Raises:
            Postponed: it must be read elsewhere first.
        """
        if (
            self._catalog is None
            or self._catalog() is not catalog
            or (state is not self._state and state != self._state)
        ):
            self._forget()
        self._catalog, self._state = ref(catalog), state
        key = (text, tuple(parameters.items()))
        found = self._found.get(key) or self._answered(key, catalog, state)
        if found is not None:
            return found
        if self._postponed >= MOST_ELSEWHERE:
            return unread(text, catalog, "the request holds too many long texts; send them in several requests")
        if len(text) > INLINE or self._spent + len(text) > MOST_INLINE:
            raise Postponed(self._order(key, catalog, state, parameters))
        self._spent += len(text)
        found = classify(text, catalog, state, parameters=parameters, limits=_INLINE)
        if found.doubt == TOO_COMPLEX:
            raise Postponed(self._order(key, catalog, state, parameters))
        self._remember(key, found)
        return found

    def begin(self) -> None:
        """A request is handled from its beginning, for the first time or again."""
        self._spent = 0

    def handled(self) -> None:
        """The request is handled."""
        self._question = self._answer = None
        self._postponed = 0
        if len(self._found) > _REMEMBERED or self._size > _REMEMBERED_TEXT:
            self._forget()

    def answered(self, reply: object) -> None:
        """Take the reply to an `Isolate`; what could not be read is unclassified, with the reason."""
        self.waiting = None
        if self._question is None:
            return
        (text, _), catalog, _ = self._question
        if isinstance(reply, bytes):
            try:
                self._answer = decode(reply)
            except UnreadableReply as unreadable:
                reply = unreadable
            else:
                return
        self._answer = unread(text, catalog, f"it could not be read: {reply}")

    def withdrawn(self) -> list[Output]:
        """Give up what is read elsewhere."""
        number, self.waiting = self.waiting, None
        self.handled()
        return [Withdraw(number)] if number is not None else []

    def _answered(self, key: _Key, catalog: Catalog, state: NameState) -> Classified | None:
        """What was read elsewhere, where that is this text under these names."""
        question, answer = self._question, self._answer
        if question is None or answer is None or question[0] != key:
            return None
        self._question = self._answer = None
        if question[1] is not catalog or question[2] != state:
            return None
        self._remember(key, answer)
        return answer

    def _order(self, key: _Key, catalog: Catalog, state: NameState, parameters: Mapping[str, str]) -> Isolate:
        self.waiting = next(self._numbers)
        self._postponed += 1
        self._question, self._answer = (key, catalog, state), None
        return Isolate(self.waiting, Reading(key[0], state, dict(parameters)), catalog)

    def _remember(self, key: _Key, found: Classified) -> None:
        """Keep what was found, however much it is, until the request that it is in is handled."""
        self._found[key] = found
        self._size += len(key[0])

    def _forget(self) -> None:
        self._found.clear()
        self._size = 0
