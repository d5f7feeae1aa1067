"""Redacts statements for recordings: secrets, values of protected columns and whatever a detector finds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from blastwall.masking.columns import ProtectedColumns
from blastwall.masking.detection import SHORTEST, Detection, Vanish, show
from blastwall.masking.requests import RequestRedactor, escaped_finds, is_form
from blastwall.masking.styles import REDACTED, Restyle, restyle
from blastwall.model.masks import MaskRules
from blastwall.model.statement import Column, Literal, Parameter, RedactedStatement, Statement

SECRET = "[secret]"
_SHOWN_BYTES = 4

_PLAIN_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_HARMLESS_PARAMETER = re.compile(r"-?[0-9]{1,5}|t|f|true|false")
_LONG_NUMBER = re.compile(r"[0-9](?:[0-9_.]*[0-9])?")
_QUOTED = re.compile(r"""'(?:[^']|'')*(?:'|\Z)|"(?:[^"]|"")*(?:"|\Z)|`[^`]*(?:`|\Z)""")
_OPENER = re.compile(r"""['"`\[\\#]|--|/\*|\$\w*\$""")
_AMBIGUOUS = re.compile(r"[\[\\#]|--|/\*|\$\w*\$")
"""What one dialect reads as a comment, a quote or an escape and another does not, or not in the same way."""

_Span = tuple[int, int, str]
"""Start, end, and what is written there instead."""


class StatementRedactor:
    """Redacts statements under the rules of one resource; nobody is exempt from them."""

    __slots__ = ("_detection", "_protected", "_requests", "_restyles")

    def __init__(self, rules: MaskRules) -> None:
        self._protected = ProtectedColumns(rules)
        self._detection = Detection(rules)
        self._restyles = {rule.style: restyle(rule.style, rules.key) for rule in rules.columns}
        self._requests = RequestRedactor(rules) if rules.fields else None

    def redact(self, statement: Statement) -> RedactedStatement:
        """Return text and parameters as a recording may hold them.

        Where the classifier is in doubt, its literals are not relied on: every quoted text, comment and number of more
        than five digits is hidden too.
        """
        doubt = bool(statement.doubt)
        parameters = tuple([self._parameter(one.value, one.column, one.secret, doubt) for one in statement.parameters])
        return RedactedStatement(self._text(statement, doubt), parameters)

    def redact_values(
        self, parameters: tuple[Parameter, ...], values: tuple[str | bytes | None, ...]
    ) -> tuple[str | None, ...]:
        """Return other values of the same parameters as a recording may hold them."""
        return tuple(
            [
                self._parameter(value, like.column, like.secret, doubt=False)
                for like, value in zip(parameters, values, strict=True)
            ]
        )

    def shows(self, statement: Statement) -> bool:
        """Return whether nothing is hidden of it, or of any other that differs in literals and values only.

        Values that are no text are hidden by what they are, whatever is said here.
        """
        if self._detection or statement.doubt:
            return False
        found = [(one.column, one.secret) for one in statement.parameters]
        found += [(one.column, one.secret) for one in statement.literals]
        return not any(secret or (column is not None and self._show(column)) for column, secret in found)

    def _text(self, statement: Statement, doubt: bool) -> str:
        text = statement.text
        spans = [span for literal in statement.literals if (span := self._literal(text, literal)) is not None]
        if doubt:
            spans += _doubtful(text)
        elif self._requests is not None:
            head, gap, body = (_rewrite(text, spans) if spans else text).partition("\n\n")
            if is_form(body):
                return self._found(self._requests.head(head) + gap + self._requests.form(body), [])
            return self._found(self._requests.head(head), []) + gap + self._requests.body(body)
        return self._found(text, spans)

    def _found(self, text: str, spans: list[_Span]) -> str:
        """Return a text with these spans rewritten, and what detectors find in it."""
        if self._detection and self._detection.probe.may_match(_utf8(text)):
            spans += [(hit.start, hit.end, show(hit, text)) for hit in self._detection.find(text)]
        found = _rewrite(text, spans) if spans else text
        return escaped_finds(found, self._detection) if self._detection else found

    def _literal(self, text: str, literal: Literal) -> _Span | None:
        if literal.secret:
            return literal.start, literal.end, f"'{SECRET}'"
        if literal.column is None or not self._protected:
            return None
        shown = self._show(literal.column)
        if shown is None:
            return None
        plain = _PLAIN_LITERAL.fullmatch(text, literal.start, literal.end)
        masked = shown(plain[1].replace("''", "'")) if plain else REDACTED
        return literal.start, literal.end, f"'{masked}'"

    def _show(self, column: Column) -> Restyle | None:
        rule = self._protected.rule(column)
        return self._restyles[rule.style] if rule is not None else None

    def _parameter(self, value: str | bytes | None, column: Column | None, secret: bool, doubt: bool) -> str | None:
        if value is None:
            return None
        if secret:
            return SECRET
        shown = self._show(column) if column is not None else None
        if isinstance(value, bytes):
            return REDACTED if shown or doubt else _bytes(value)
        if shown is not None:
            return shown(value)
        if doubt:
            return value if _HARMLESS_PARAMETER.fullmatch(value) else REDACTED
        return self._detected(value)

    def _detected(self, value: str) -> str:
        if not self._detection or len(value) < SHORTEST or not self._detection.probe.may_match(_utf8(value)):
            return value
        try:
            masked = self._detection.text(value, set())
        except Vanish:
            return REDACTED
        return value if masked is None else masked


def _bytes(value: bytes) -> str:
    """Show what is too short to hold personal data; text may hide in longer bytes, so only their number is told."""
    return "\\x" + value.hex() if len(value) <= _SHOWN_BYTES else f"[{len(value)} bytes]"


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _doubtful(text: str) -> Iterator[_Span]:
    """Hide quoted texts, comments and numbers of more than five digits, whatever dialect `text` is in.

    Where dialects would disagree on what is quoted, everything from the first quote or comment on is hidden.
    """
    if _AMBIGUOUS.search(text):
        opener = _OPENER.search(text)
        if opener is not None:
            yield opener.start(), len(text), REDACTED
    else:
        for match in _QUOTED.finditer(text):
            yield (*match.span(), f"'{REDACTED}'")
    for match in _LONG_NUMBER.finditer(text):
        if sum(char.isdigit() for char in match[0]) > 5:
            yield (*match.span(), REDACTED)


def _rewrite(text: str, spans: list[_Span]) -> str:
    """Write each span's replacement; overlapping spans become one, written as the first and longest of them."""
    spans.sort(key=lambda span: (span[0], -span[1]))
    pieces: list[str] = []
    kept, end = 0, 0
    for start, stop, instead in spans:
        if start >= end:
            pieces += (text[kept:start], instead)
        end = kept = max(end, stop)
    pieces.append(text[kept:])
    return "".join(pieces)
