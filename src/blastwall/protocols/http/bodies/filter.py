"""One body on its way to the client: decoded, read, masked and edited, and kept for the recording.

    filter = body_filter(headers, rules, edits, record)      None: the body passes untouched
    filter.head(headers)                                     the answer's fields, to be sent before the body
    filter.feed(data) …  filter.finish()                     what the client gets, without content coding
    filter.masked, filter.recorded                           for `Finished.masked` and `Rows`

`Unreadable` before the first byte was sent is a 502 to the client; after it the answer is cut off, so that the client
sees that it is not whole. It is never passed on unread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from blastwall.masking.documents import Document, Unreadable
from blastwall.masking.documents.looked import Reading
from blastwall.model.masks import NO_MASKS, MaskRules, ResultRecord
from blastwall.protocols.http.bodies.codings import Coding, codings
from blastwall.protocols.http.bodies.heads import changed, is_part
from blastwall.protocols.http.bodies.kept import Kept
from blastwall.protocols.http.bodies.media import Form, Media, media_of
from blastwall.protocols.http.bodies.reading import Unread, document_of
from blastwall.protocols.http.request import Headers

Edits = Mapping[str, Callable[[str], str]]

__all__ = ("BodyFilter", "Unreadable", "body_filter")


class BodyFilter:
    """One body. `masked` counts hidden values by rule."""

    def __init__(self, body: _Body, document: Document | None, kept: Kept | None) -> None:
        """Take what reads the body, None where it passes as it is, and what is kept of it.

        Raises:
            Unreadable: it has to be read, and its coding is not known.
        """
        self.masked: Mapping[str, int] = body.masked
        self._coding = None if document is None else body.codings()
        self._document = document
        self.streams = body.media.form in (Form.EVENTS, Form.LINES)
        """Whether its parts are waited for one by one: what is settled must not wait for more."""

        self._rules = body.rules
        self._kept = kept

    def head(self, headers: Headers) -> Headers:
        """Return the answer's fields for the body as it is sent: without a length, where that may change."""
        return headers if self._document is None else changed(headers, self._rules)

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes, their transfer coding undone, and return what goes to the client.

        Raises:
            Unreadable: nothing more of the body may be sent; its text says why.
        """
        if self._document is None:
            if self._kept is not None:
                self._kept.passed(data)
            return data
        document, kept = self._document, self._kept
        pieces: list[bytes] = []
        for piece in self._decoded(data):
            shown = document.feed(piece)
            if kept is not None:
                kept.take(piece, shown)
            pieces.append(shown)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def finish(self) -> bytes:
        """Return the rest, after the last byte.

        Raises:
            Unreadable: the body ends too early.
        """
        if self._document is None:
            return b""
        if self._coding is not None:
            self._coding.finish()
        shown = self._document.finish()
        if self._kept is not None:
            self._kept.take(b"", shown)
        return shown

    @property
    def recorded(self) -> str | None:
        """What a recording holds of the body as far as it has come; None where nothing of it is asked for."""
        return None if self._kept is None else self._kept.text()

    def _decoded(self, data: bytes) -> Iterable[bytes]:
        return (data,) if self._coding is None else self._coding.feed(data)


def body_filter(
    headers: Headers, rules: MaskRules, edits: Edits, record: ResultRecord | None = None, *, reveals: bool = False
) -> BodyFilter | None:
    """Return what an answer's body goes through; None where it passes untouched and nothing is kept of it.

    Args:
        headers: the answer's fields, as the resource sent them.
        rules: those in force for this principal (`Allow.mask`).
        edits: what replaces texts of the body, by their paths (`Answer.edits`).
        record: what the recording is to hold (`Allow.record`); nobody is exempt from its rules.
        reveals: the answer hands out a credential: no more of it than its size is recorded.

    Raises:
        Unreadable: the body cannot be read as the rules ask for.
    """
    body = _Body(headers, media_of(",".join(headers.all("content-type"))), rules, edits)
    document = body.reader(body.rules, edits, body.masked)
    kept = None if record is None else body.kept(record, document is not None, reveals)
    return None if document is None and kept is None else BodyFilter(body, document, kept)


class _Body:
    """What is known of a body before its first byte."""

    def __init__(self, headers: Headers, media: Media, rules: MaskRules, edits: Edits) -> None:
        self.headers = headers
        self.media = media
        self.rules = _applied(rules)
        self.edits = edits
        self.masked: dict[str, int] = {}

    def codings(self) -> Coding | None:
        """Return what undoes its codings."""
        return codings(",".join(self.headers.all("content-encoding")).split(","))

    def reader(self, rules: MaskRules, edits: Edits, masked: dict[str, int]) -> Document | None:
        """Return what reads it by these rules, None where nothing has to be read."""
        if not rules and not edits:
            return None
        if is_part(self.headers):
            if rules:
                raise Unreadable("it is a part, which cannot be read without the rest: ask for all of it")
            return None
        return document_of(self.media, rules, Reading(rules, edits, masked))

    def kept(self, record: ResultRecord, read: bool, reveals: bool) -> Kept:
        """Return what keeps it: as the client gets it where the same rules are in force, else by its own reading."""
        rules, kept = _applied(record.rules), Kept(record.bytes, self.media.type)
        if reveals:
            return kept.by_size("a credential")
        if read and rules == self.rules:
            return kept
        try:
            own = self.reader(rules, self.edits if read else {}, {})
            return kept.reading(own or Unread(), None if read else self.codings())
        except Unreadable as error:
            return kept.by_size(str(error))


@lru_cache(maxsize=256)
def _applied(rules: MaskRules) -> MaskRules:
    """Return the rules without those for columns, which no body has."""
    if not rules.columns:
        return rules
    return MaskRules(detect=rules.detect, key=rules.key, fields=rules.fields) or NO_MASKS
