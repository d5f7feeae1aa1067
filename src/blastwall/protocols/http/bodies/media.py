"""What a body is said to be: media type and charset (RFC 9110 8.3)."""

from __future__ import annotations

import re
from enum import Enum, auto
from fnmatch import fnmatchcase
from typing import NamedTuple

_PARAMETER = re.compile(r';\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;",]*))')
_TYPE = re.compile(r"\s*([!#$&^_.+0-9a-z-]+/[!#$&^_.+*0-9a-z-]+)\s*(?:;|$)")
_JSON = re.compile(r"(?:application|text)/(?:json|[^/]+\+json)|application/vnd\.microsoft\.[^/]*json")
_LINES = frozenset(
    {
        "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl", "text/jsonl",
        "application/jsonlines", "application/x-jsonlines", "application/x-json-stream", "application/stream+json",
    }
)  # fmt: skip
_XML = re.compile(r"(?:application|text)/xml|[^/]+/[^/]+\+xml")
_TABLES = {"text/csv": ",", "application/csv": ",", "text/x-csv": ",", "text/tab-separated-values": "\t"}


class Form(Enum):
    """What is made of a body: OTHER is known by its bytes alone."""

    JSON = auto()
    LINES = auto()
    TABLE = auto()
    XML = auto()
    EVENTS = auto()
    OTHER = auto()


class Media(NamedTuple):
    """A body's type, lower-case and empty where it has none, its form, and what its parameters say, by name."""

    type: str
    form: Form
    parameters: dict[str, str]

    @property
    def charset(self) -> str:
        """The charset that is named, in lower case."""
        return self.parameters.get("charset", "").strip().lower()

    def among(self, patterns: tuple[str, ...]) -> bool:
        """Whether one of these patterns (`image/*`) is of this type."""
        return any(fnmatchcase(self.type, pattern.lower()) for pattern in patterns)


def media_of(content_type: str) -> Media:
    """Read a `Content-Type`; one that cannot be read is no type."""
    lowered = content_type.lower()
    found = _TYPE.match(lowered)
    if found is None:
        return Media("", Form.OTHER, {})
    parameters: dict[str, str] = {}
    for name, quoted, plain in _PARAMETER.findall(content_type):
        parameters.setdefault(name.lower(), quoted or plain)
    return Media(found[1], _form(found[1]), parameters)


def _form(name: str) -> Form:
    if name in _LINES:
        return Form.LINES
    if _JSON.fullmatch(name):
        return Form.JSON
    if name in _TABLES:
        return Form.TABLE
    if _XML.fullmatch(name):
        return Form.XML
    return Form.EVENTS if name == "text/event-stream" else Form.OTHER
