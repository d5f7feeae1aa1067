"""What documents are read for: the rules of one principal on one resource, and the edits of one answer."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from blastwall.masking.columns import STRICTNESS
from blastwall.masking.detection import SHORTEST, Detection, Vanish
from blastwall.masking.documents import Unreadable
from blastwall.masking.documents.keys import Keys
from blastwall.masking.fast.cells import Cells
from blastwall.masking.paths import Paths
from blastwall.masking.plan import UNREADABLE
from blastwall.masking.styles import REDACTED, Restyle, restyle
from blastwall.model.masks import MaskRules, MaskStyle

Edit = Callable[[str], str]
"""Gives what the client gets in a text's place; a ValueError means that the document may not be passed on."""

_TIME = re.compile(
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)
"""A time as most documents have many of them (RFC 3339): no detector finds anything in one."""
_KEYED = (MaskStyle.HASH, MaskStyle.TOKEN)


class How(NamedTuple):
    """How a value is hidden: the rule's name, its style, what shows a text, and what all texts show under `redact`."""

    name: str
    style: MaskStyle
    show: Restyle
    redacted: bytes


class Looked:
    """Rules and the paths of edits, made ready once for all documents."""

    def __init__(self, rules: MaskRules, edits: tuple[str, ...]) -> None:
        """Take them.

        Raises:
            ValueError: a path cannot be read, a detector is unknown, a keyed style has no key.
        """
        self.fields = rules.fields
        self.detection = Detection(rules)
        self.paths = Paths((*(rule.path for rule in rules.fields), *edits))
        self.keys = Keys(self.paths, len(rules.fields))
        self._key = rules.key
        self._hows: dict[int, How | None] = {}
        for rule in rules.fields:
            restyle(rule.style, rules.key)

    def how(self, state: int) -> How | None:
        """Return how what a rule's path leads to is hidden: by the strictest, the first of equals; None for no rule."""
        try:
            return self._hows[state]
        except KeyError:
            found = self._hows[state] = self._how(state)
            return found

    def _how(self, state: int) -> How | None:
        reached = [self.fields[number] for number in self.paths.reached(state) if number < len(self.fields)]
        field = max(reached, key=lambda rule: STRICTNESS[rule.style], default=None)
        if field is None:
            return None
        return How(field.name, field.style, restyle(field.style, self._key), REDACTED.encode())

    def edit(self, state: int) -> int | None:
        """Return the number of the first edit whose path leads to `state`."""
        first = len(self.fields)
        return next((number - first for number in self.paths.reached(state) if number >= first), None)


@lru_cache(maxsize=256)
def looked(rules: MaskRules, edits: tuple[str, ...]) -> Looked:
    """Return rules and the paths of edits made ready; there are few such sets.

    Raises:
        ValueError: as `Looked`.
    """
    return Looked(rules, edits)


class Reading:
    """One document's reading: what it is read for, its edits, and how many values each rule has hidden."""

    def __init__(self, rules: MaskRules, edits: Mapping[str, Edit], counts: dict[str, int]) -> None:
        """Take the rules and edits; what is hidden is added to `counts`.

        Raises:
            ValueError: as `Looked`.
        """
        self.looked = looked(rules, tuple(edits))
        self.detection = self.looked.detection
        self.counts = counts
        self._edits = tuple(edits.values())

    def count(self, rule: str, number: int = 1) -> None:
        """Count values that a rule has hidden."""
        if number:
            self.counts[rule] = self.counts.get(rule, 0) + number

    def hidden(self, state: int, value: str) -> str | None:
        """Return what is shown of a text to which a rule's path leads; None where that is nothing."""
        how = self.counted(state)
        return None if how is None or how.style is MaskStyle.NULL else how.show(value)

    def hidden_number(self, state: int, value: str) -> str | None:
        """Return what is shown of a number or the like: its hash or token, else nothing: no text fits in its place."""
        how = self.counted(state)
        return how.show(value) if how is not None and how.style in _KEYED else None

    def counted(self, state: int) -> How | None:
        """Return how a value is hidden to which a rule's path leads, and count it."""
        how = self.looked.how(state)
        if how is not None:
            self.count(how.name)
        return how

    def edited(self, state: int, value: str) -> str:
        """Return a text as the edit has it whose path leads to `state`.

        Raises:
            Unreadable: the edit says that the document may not be passed on.
        """
        number = self.looked.edit(state)
        try:
            return value if number is None else self._edits[number](value)
        except ValueError as error:
            raise Unreadable(str(error)) from None

    def detected(self, value: str) -> str | None:
        """Return a text with what detectors find hidden, the text itself where they find nothing; None for nothing."""
        if len(value) < SHORTEST or not self.detection or not self.detection.probe.may_match(_utf8(value)):
            return value
        rules: set[str] = set()
        try:
            masked = self.detection.text(value, rules)
        except Vanish:
            masked = None
        else:
            masked = value if masked is None else masked
        for rule in rules:
            self.count(rule)
        return masked

    def unread(self) -> str:
        """Count a value that could not be read, and return what is shown in its place."""
        self.count(UNREADABLE)
        return REDACTED

    def scan(self, cells: Cells) -> list[int]:
        """Have detectors read cells and hide what is plain; return those that `detected` must be asked about."""
        counts = array("q", (0,)) * len(self.detection.rules)
        doubtful = self.detection.scanner.scan(cells, 0, True, counts)
        for rule, number in zip(self.detection.rules, counts, strict=True):
            self.count(rule, number)
        probe = self.detection.probe.may_match
        found = [(cell, value) for cell in doubtful if not _TIME.fullmatch(value := cells.value(cell))]
        if not found or not probe(b"\0\0".join([value for _, value in found])):
            return []
        return [cell for cell, value in found if probe(value)]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
