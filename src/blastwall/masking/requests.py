"""Requests redacted for recordings: fields that rules name in the query and in the body of a request's text.

A request's text is its method and URL, fields that decide, and behind an empty line its body. Nothing is recorded of a
body in which no field can be found, but its size.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, unquote_plus

from blastwall.masking.detection import Detection
from blastwall.masking.documents import Document, Unreadable
from blastwall.masking.documents.jsons import JsonDocument
from blastwall.masking.documents.keys import HIDE
from blastwall.masking.documents.looked import Reading
from blastwall.masking.documents.xml import XmlDocument
from blastwall.masking.paths import TooEntangled
from blastwall.masking.styles import REDACTED
from blastwall.model.masks import MaskRules

_REQUEST = re.compile(r"[A-Z]+ https?://")
_PAIR = re.compile(r"[^&?#\s]+")
_FORM = re.compile(r"[^=&\s{}\[\]<>\"]++=[^&\s]*+(?:&[^=&\s]++=[^&\s]*+)*+\s*")
_PIECE = re.compile(r"[^/?&=;#,\s\"'<>]+")


class RequestRedactor:
    """Redacts the texts of requests under the rules of one resource for fields; nobody is exempt from them."""

    def __init__(self, rules: MaskRules) -> None:
        """Take the rules.

        Raises:
            ValueError: a path cannot be read, a detector is unknown, a keyed style has no key.
        """
        self._rules = rules
        self._reading = Reading(rules, {}, {})

    def head(self, text: str) -> str:
        """Return a request's method, URL and fields with the parameters hidden that a rule names."""
        start = text.find("?")
        return text if start < 0 else text[:start] + self.form(text[start:])

    def form(self, text: str) -> str:
        """Return a query or a form with the parameters hidden that a rule names."""
        return _PAIR.sub(self._parameter, text)

    def body(self, text: str) -> str:
        """Return a request's body with its fields hidden, and what detectors find."""
        if not text.strip():
            return text
        reading = Reading(self._rules, {}, {})
        document: Document = JsonDocument(reading, root=reading.looked.paths.row)
        if text.lstrip().startswith("<"):
            document = XmlDocument(reading)
        data = text.encode("utf-8", "surrogatepass")
        try:
            return (document.feed(data) + document.finish()).decode("utf-8", "surrogatepass")
        except Unreadable:
            return f"[{len(data)} bytes]"

    def _parameter(self, found: re.Match[str]) -> str:
        name, _, value = found[0].partition("=")
        if not value:
            return found[0]
        looked = self._reading.looked
        try:
            state = looked.keys.learn(looked.paths.member(looked.paths.root, unquote_plus(name)))
        except TooEntangled:
            return f"{name}={REDACTED}"
        if looked.keys.acts[state] != HIDE:
            return found[0]
        shown = self._reading.hidden(state, unquote_plus(value))
        return f"{name}={REDACTED if shown is None else quote(shown, safe='@*[]:')}"


def is_form(body: str) -> bool:
    """Whether a body looks like a form: names and values, in the escapes of URLs."""
    return _FORM.fullmatch(body) is not None


def escaped_finds(text: str, detection: Detection) -> str:
    """Hide the pieces of a request's URL or form in which a detector finds something once they are unescaped."""
    if "%" not in text or not _REQUEST.match(text):
        return text

    def piece(found: re.Match[str]) -> str:
        plain = unquote(found[0]) if "%" in found[0] else ""
        return REDACTED if plain and detection.whole(plain) is not None else found[0]

    return _PIECE.sub(piece, text)
