"""Segments of a path and parameters of a query, read so that no two servers can read them differently.

What could be read in two ways is not read at all (`Unclear`): who judges says that it is unclassified, and why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote_to_bytes

from blastwall.protocols.http.request import Headers

_PLAIN = re.compile(r"[A-Za-z0-9_.~!$&'()*,=:@-]+")
_FOREIGN = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@%-]")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

OVERRIDES = frozenset(
    {
        "x-http-method", "x-http-method-override", "x-method-override", "x-original-method", "x-original-url",
        "x-rewrite-url", "x-override-url",
    }
)  # fmt: skip
"""Header fields by which some servers take another method or path than the request's. They are never passed on."""

MOST_SEGMENTS = 64


class Unclear(ValueError):
    """A request that cannot be read with certainty; the text says what is odd about it and what to send instead."""


def segments(path: str, *, once: bool = False) -> tuple[str, ...]:
    """Return the decoded segments of a normalised path; `/` has none, a trailing slash gives an empty last one.

    A segment may have a slash in it where `%2F` was sent. `once` is whether the server is known to decode no more than
    once, so that what comes out may look like an escape.

    Raises:
        Unclear: an escape is broken or hides a control character, a backslash, another escape or a dot segment.
    """
    if path == "/":
        return ()
    found = tuple(_segment(raw, once=once) for raw in path[1:].split("/"))
    if len(found) > MOST_SEGMENTS:
        raise Unclear(f"its path has more than {MOST_SEGMENTS} segments")
    return found


def _segment(raw: str, *, once: bool) -> str:
    if _PLAIN.fullmatch(raw) and raw not in (".", ".."):
        return raw
    if _FOREIGN.search(raw):
        raise Unclear("its path has a character that none may have")
    name = decoded(raw)
    if "\\" in name:
        raise Unclear("its path has a backslash in it, which some servers take for a slash")
    if any(part in (".", "..") for part in name.split("/")):
        raise Unclear("its path hides a dot segment behind an escaped slash")
    if not once and _ESCAPED.search(name):
        raise Unclear("its path is escaped twice")
    return name


def decoded(text: str) -> str:
    """Undo percent-escapes.

    Raises:
        Unclear: an escape is broken, the bytes are not UTF-8, or a control character comes out.
    """
    if _ESCAPE.search(text):
        raise Unclear("a percent sign in its URL is no escape")
    try:
        found = unquote_to_bytes(text).decode()
    except UnicodeError:
        raise Unclear("an escape in its URL is not UTF-8") from None
    if _CONTROLS.search(found):
        raise Unclear("its URL hides a control character")
    return found


def parameters(query: str | None) -> Mapping[str, str]:
    """Return the parameters of a query by their lower-case names, values decoded (`+` is kept).

    Raises:
        Unclear: one comes twice, is escaped badly, or has a name that is escaped.
    """
    found: dict[str, str] = {}
    if query is not None and "#" in query:
        raise Unclear("its query has a fragment")
    for piece in (query or "").split("&"):
        name, _, value = piece.partition("=")
        if not piece:
            continue
        name = decoded(name).lower()
        if name in found:
            raise Unclear(f"the parameter {name[:40]!r} comes twice, and servers differ in which one counts")
        found[name] = decoded(value)
    return found


def check_fields(headers: Headers, *, once: Iterable[str] = ()) -> None:
    """Check that no header field changes which method or path the resource reads, and that these come once at most.

    Raises:
        Unclear: one does.
    """
    if not OVERRIDES.isdisjoint(headers.names):
        name = next(name for name in headers.names if name in OVERRIDES)
        raise Unclear(f"the header {name} would have some servers read another request than the one that is judged")
    if len(headers) == len(frozenset(headers.names)):
        return
    for name in once:
        if len(headers.all(name)) > 1:
            raise Unclear(f"the header {name} comes twice, and servers differ in which one counts")
