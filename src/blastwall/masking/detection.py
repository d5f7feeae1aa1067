"""Detect rules made ready: find what they name in a value and hide it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from blastwall.masking import detectors, jsontext
from blastwall.masking.columns import STRICTNESS
from blastwall.masking.fast.scanner import Arm, Scanner
from blastwall.masking.fold import readings
from blastwall.masking.probe import probe
from blastwall.masking.styles import Restyle, partial_found, restyle
from blastwall.model.masks import DetectRule, MaskRules, MaskStyle

SHORTEST = 4
"""No detector finds anything in fewer characters: `a@b.co` is the shortest, and a ligature may stand for two."""
_TELLING = b"0123456789@\\"
"""A digit, an at-sign, or the beginning of an escape."""
_IN_NUMBERS = "card"
"""What a number can be: of telephone numbers and the like any number might be one."""
_HEX = re.compile(rb"\\x((?:[0-9A-Fa-f]{2}){6,})")
"""Bytes shown in hexadecimal; in fewer than six no detector finds anything."""


class Vanish(Exception):
    """A hit under style `null`: the whole value becomes NULL."""


@dataclass(frozen=True, slots=True)
class _Armed:
    """One detector with the strictest of the rules that name it."""

    name: str
    rule: str
    style: MaskStyle
    find: detectors.Finder
    show: Restyle


@dataclass(frozen=True, slots=True)
class Hit:
    """A found span of the text, and what it folds to; empty where several finds were joined."""

    start: int
    end: int
    by: _Armed
    folded: bytes


class Detection:
    """What the detect rules of one `MaskRules` find. Holds no state of a result: shared by all of them."""

    __slots__ = ("_armed", "opaque_probe", "probe", "rules", "scanner", "telling")

    def __init__(self, rules: MaskRules) -> None:
        self._armed = _arm(rules.detect, rules.key)
        names = frozenset(armed.name for armed in self._armed)
        self.probe = probe(names, False)
        self.opaque_probe = probe(names, True)
        self.telling = b"" if names & detectors.CREDENTIALS else _TELLING
        """ASCII of which every hit has one; empty where nothing is so sure."""

        self.rules = tuple(dict.fromkeys(armed.rule for armed in self._armed))
        self.scanner = Scanner([_arm_scanner(armed, self.rules.index(armed.rule)) for armed in self._armed])

    def __bool__(self) -> bool:
        return bool(self._armed)

    def text(self, value: str, hits: set[str]) -> str | None:
        """Return `value` with every hit hidden, None where there is none; the rules' names go into `hits`.

        Raises:
            Vanish: the value must become NULL.
        """
        found = self.find(value)
        if not found:
            return None
        pieces: list[str] = []
        position = 0
        for hit in found:
            hits.add(hit.by.rule)
            pieces += (value[position : hit.start], show(hit, value))
            position = hit.end
        pieces.append(value[position:])
        if any(hit.by.style is MaskStyle.NULL for hit in found):
            raise Vanish
        return "".join(pieces)

    def json(self, value: str, hits: set[str]) -> str | None:
        """Do the same to each string, key and number of a JSON text; what is no JSON is taken as text.

        Raises:
            Vanish: the value must become NULL.
        """
        try:
            return jsontext.rewrite(value, lambda part: self._part(part, hits))
        except jsontext.NotJson:
            hits.clear()
            return self.text(value, hits)

    def _part(self, part: str, hits: set[str]) -> str | None:
        if len(part) < SHORTEST or not self.probe.may_match(part.encode("utf-8", "surrogatepass")):
            return None
        return self.text(part, hits)

    def opaque(self, value: bytes) -> str | None:
        """Return the rule by which bytes of unknown form must be hidden whole, None where nothing is found."""
        for form in (value, *[bytes.fromhex(digits.decode()) for digits in _HEX.findall(value)]):
            for folded in readings(form.decode("utf-8", "replace")):
                for armed in self._armed:
                    if armed.find(folded.data, True):
                        return armed.rule
        return None

    def reads(self, number: bool) -> bool:
        """Whether there is anything to look for; in a number that can only be a card."""
        return any(armed.name == _IN_NUMBERS for armed in self._armed) if number else bool(self._armed)

    def whole(self, value: str, *, number: bool = False) -> str | None:
        """Return the rule by which a value must be hidden whole, None where nothing is found in its text."""
        if not self.probe.may_match(value.encode("utf-8", "surrogatepass")):
            return None
        for folded in readings(value):
            for armed in self._armed:
                if (armed.name == _IN_NUMBERS or not number) and armed.find(folded.data, False):
                    return armed.rule
        return None

    def find(self, value: str) -> list[Hit]:
        """Return hits from left to right, none overlapping; of overlapping ones the strictest covers them all."""
        found = [
            Hit(*folded.span(start, end), armed, folded.data[start:end])
            for folded in readings(value)
            for armed in self._armed
            for start, end in armed.find(folded.data, False)
        ]
        return _merged(found) if len(found) > 1 else found


def show(hit: Hit, value: str) -> str:
    """Return what is shown in a hit's place."""
    if hit.by.style is MaskStyle.PARTIAL:
        return partial_found(hit.by.name, hit.folded)
    if hit.by.style in (MaskStyle.HASH, MaskStyle.TOKEN):
        return hit.by.show(value[hit.start : hit.end])
    return _redacted(hit.by.name)


def _arm(rules: Iterable[DetectRule], key: bytes) -> tuple[_Armed, ...]:
    armed: dict[str, _Armed] = {}
    for rule in rules:
        detectors.known(rule.detectors)
        for name in rule.detectors:
            before = armed.get(name)
            if before is None or STRICTNESS[rule.style] > STRICTNESS[before.style]:
                armed[name] = _Armed(name, rule.name, rule.style, detectors.FINDERS[name], restyle(rule.style, key))
    return tuple(armed.values())


def _arm_scanner(armed: _Armed, rule: int) -> Arm:
    """Return what the scanner shows of a hit of this detector: what `show` does."""
    if armed.style is MaskStyle.PARTIAL:
        return Arm(armed.name, rule, None, lambda found: partial_found(armed.name, found).encode(), True)
    if armed.style in (MaskStyle.HASH, MaskStyle.TOKEN):
        return Arm(armed.name, rule, None, lambda found: armed.show(found.decode()).encode(), False)
    shown = None if armed.style is MaskStyle.NULL else _redacted(armed.name).encode()
    return Arm(armed.name, rule, shown, None, False)


def _redacted(name: str) -> str:
    return f"[redacted:{name}]"


def _merged(found: list[Hit]) -> list[Hit]:
    found.sort(key=lambda hit: (hit.start, -hit.end))
    merged = [found[0]]
    for hit in found[1:]:
        last = merged[-1]
        if hit.start >= last.end:
            merged.append(hit)
        elif hit.end > last.end or STRICTNESS[hit.by.style] > STRICTNESS[last.by.style]:
            by = max(last.by, hit.by, key=lambda armed: STRICTNESS[armed.style])
            merged[-1] = Hit(last.start, max(last.end, hit.end), by, b"")
    return merged
