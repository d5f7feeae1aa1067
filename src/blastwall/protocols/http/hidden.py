"""Parts of a statement's text that no recording may hold, whichever request they are in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from blastwall.model.statement import Literal

_PARAMETER = re.compile(r"(?:^|[?&;])([^=&;?\s\"'<>]{1,80})=([^&\s\"'<>]+)", re.MULTILINE)
_FIELD = re.compile(r"^(?:proxy-)?authorization[ \t]*:[ \t]*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_SECRET_NAMES = frozenset(
    {
        "sig", "signature", "access_token", "refresh_token", "id_token", "token", "client_secret", "password", "passwd",
        "secret", "api_key", "apikey", "api-key", "key", "subscription-key", "code", "sas", "x-amz-signature",
        "x-amz-security-token", "assertion", "client_assertion",
    }
)  # fmt: skip
"""Parameters that carry a credential where they are used at all, among them SAS's signature."""


def is_secret(name: str) -> bool:
    """Whether what stands under a name in lower case is a credential, wherever that name is used."""
    return name in _SECRET_NAMES


def hidden_parts(text: str) -> tuple[Literal, ...]:
    """Return what must be hidden of a request's text: values of parameters that carry credentials, authorisations."""
    if "=" not in text and "\n" not in text:
        return ()
    return tuple(Literal(start, end, secret=True) for start, end in sorted(_spans(text)))


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for found in _PARAMETER.finditer(text):
        if is_secret(unquote(found[1]).lower()):
            yield found.span(2)
    for found in _FIELD.finditer(text):
        yield found.span(1)
