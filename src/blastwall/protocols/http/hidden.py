"""Parts of a statement's text that no recording may hold, whichever request they are in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from urllib.parse import unquote

from blastwall.model.statement import Literal
from blastwall.protocols.http.json_spans import MOST

_PARAMETER = re.compile(r"(?:^|[?&;])([^=&;?\s\"'<>]{1,80})=([^&\s\"'<>]+)", re.MULTILINE)
_FIELD = re.compile(r"^(?:proxy-)?authorization[ \t]*:[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
SECRET_NAMES = frozenset(
    {
        "sig", "signature", "access_token", "refresh_token", "id_token", "token", "client_secret", "password", "passwd",
        "secret", "api_key", "apikey", "api-key", "key", "subscription-key", "code", "sas", "x-amz-signature",
        "x-amz-security-token", "assertion", "client_assertion",
    }
)  # fmt: skip
"""Parameters that carry a credential where they are used at all, among them SAS's signature."""


def hidden_parts(text: str) -> tuple[Literal, ...]:
    """Return what must be hidden of a request's text: values of parameters that carry credentials, authorisations."""
    if "=" not in text and "\n" not in text:
        return ()
    found = sorted(islice(_spans(text), MOST + 1))
    if len(found) > MOST:
        field = _FIELD.search(text)
        found = [(min(found[0][0], len(text) if field is None else field.start(1)), len(text))]
    return tuple(Literal(start, end, secret=True) for start, end in _apart(found))


def _apart(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Join sorted spans that overlap."""
    last: tuple[int, int] | None = None
    for start, end in spans:
        if last is not None and start < last[1]:
            last = (last[0], max(last[1], end))
        else:
            if last is not None:
                yield last
            last = (start, end)
    if last is not None:
        yield last


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for found in _PARAMETER.finditer(text):
        if unquote(found[1]).lower() in SECRET_NAMES:
            yield found.span(2)
    for found in _FIELD.finditer(text):
        yield found.span(1)
