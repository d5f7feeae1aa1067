"""Which document a body is: by its type, and where that says little by its first bytes."""

from __future__ import annotations

import re
from collections.abc import Callable

from blastwall.masking.documents import Document, Unreadable
from blastwall.masking.documents.jsons import JsonDocument
from blastwall.masking.documents.looked import Reading
from blastwall.masking.documents.tables import Table
from blastwall.masking.documents.texts import Text
from blastwall.masking.documents.xml import XmlDocument
from blastwall.model.masks import MaskRules
from blastwall.protocols.http.bodies.charsets import Transcoded, is_utf8, marked
from blastwall.protocols.http.bodies.media import Form, Media

_ENOUGH = 256
"""Bytes by which is decided what a body is, behind the spaces before them."""
_MOST_SPACE = 64 << 10
_SPACE = b" \t\r\n"
_MEMBERS = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\{|\[\s*[\[{\"\]])")
"""What JSON begins with that has members, or may have."""
_ELEMENT = re.compile(rb"(?:\xef\xbb\xbf)?\s*<")
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


class Unread:
    """A body that passes as it is. Implements `Document`."""

    def feed(self, data: bytes) -> bytes:
        """See `Document`."""
        return data

    def finish(self) -> bytes:
        """See `Document`."""
        return b""


class Sniffed:
    """A body that is known by its first bytes. Implements `Document`."""

    def __init__(self, decide: Callable[[bytes], Document]) -> None:
        self._decide = decide
        self._head = b""
        self._document: Document | None = None

    def feed(self, data: bytes) -> bytes:
        """See `Document`."""
        if self._document is None:
            self._head = data = self._head + data
            enough = min(len(data) - len(data.lstrip(_SPACE)) + _ENOUGH, _MOST_SPACE)
            if len(data) < enough:
                return b""
            self._document = self._decide(data[:enough])
        return self._document.feed(data)

    def finish(self) -> bytes:
        """See `Document`."""
        if self._document is not None:
            return self._document.finish()
        if not self._head:
            return b""
        document = self._decide(self._head)
        return document.feed(self._head) + document.finish()


def document_of(media: Media, rules: MaskRules, reading: Reading) -> Document | None:
    """Return what reads a body; None where it passes as it is.

    Raises:
        Unreadable: it cannot be read as `rules` ask for, and not all of them let it pass unread.
    """
    if not rules and media.form not in (Form.JSON, Form.LINES, Form.XML):
        return None
    if media.form is Form.XML:
        if not is_utf8(media.charset):
            raise Unreadable(f"it is XML in {media.charset[:40]}, and only UTF-8 is read")
        return XmlDocument(reading)
    if media.form is Form.EVENTS:
        _pass_or_refuse(media, rules)
    document = _document(media, rules, reading)
    return document if is_utf8(media.charset) else Transcoded(media.charset, document)


def _document(media: Media, rules: MaskRules, reading: Reading) -> Document:
    match media.form:
        case Form.JSON:
            return JsonDocument(reading)
        case Form.LINES:
            return JsonDocument(reading, root=reading.looked.paths.row)
        case Form.EVENTS if rules.detect:
            return Text(reading, events=True)
        case Form.EVENTS:
            return Unread()
        case Form.TABLE if media.parameters.get("header", "").lower() == "absent" and rules.fields:
            raise Unreadable("it is CSV without a first line of names, so no field of it can be found")
        case _:
            return Sniffed(lambda head: _known_by(head, media, rules, reading))


def _known_by(head: bytes, media: Media, rules: MaskRules, reading: Reading) -> Document:
    """Decide by the first bytes of what says to be a table, text, anything or nothing."""
    charset = marked(head)
    if charset:
        return Transcoded(charset, Sniffed(lambda text: _known_by(text, media, rules, reading)))
    if rules.fields and _MEMBERS.match(head):
        return JsonDocument(reading, root=reading.looked.paths.row)
    if media.form is Form.TABLE:
        return Table(reading)
    if rules.fields and _ELEMENT.match(head) and not _passes(media, rules):
        return XmlDocument(reading)
    _pass_or_refuse(media, rules)
    if not rules.detect:
        return Unread()
    if _is_text(head):
        return Text(reading)
    if all(media.among(rule.unread) for rule in rules.detect):
        return Unread()
    raise Unreadable(f"it is {media.type or 'of no type'} and no text, so nothing can be found in it")


def _pass_or_refuse(media: Media, rules: MaskRules) -> None:
    """Refuse what has no fields that could be found, where there are rules for fields and one of them minds."""
    if rules.fields and not _passes(media, rules):
        raise Unreadable(f"it is {media.type or 'of no type'}, and no field can be found in that")


def _passes(media: Media, rules: MaskRules) -> bool:
    return all(media.among(rule.unread) for rule in rules.fields)


def _is_text(head: bytes) -> bool:
    """Whether the first bytes could be text: in UTF-8, or in an older charset with few signs beyond ASCII."""
    if _NO_TEXT.search(head):
        return False
    try:
        head[:-3].decode()
    except UnicodeDecodeError:
        return sum(byte >= 0x80 for byte in head) * 4 < len(head)
    return True
