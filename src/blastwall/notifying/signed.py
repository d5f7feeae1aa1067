"""A message as a service of one's own gets it: JSON, signed as Standard Webhooks has it.

The specification is at https://www.standardwebhooks.com.

What is signed is `ID.TIMESTAMP.BODY`, with HMAC-SHA256. The receiver compares in constant time, refuses a timestamp
that is more than five minutes off, and an id that it has seen.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping

import msgspec

from blastwall.model.told import Told

_PREFIX = b"whsec_"
SHORTEST_KEY = 24
"""Bytes; what Standard Webhooks asks for."""


class WeakKey(Exception):
    """The key is too short to sign with."""


def write(told: Told, link: str, at: float) -> bytes:
    """Return the request's body."""
    facts = [{"label": label, "value": value} for label, value in told.facts]
    return msgspec.json.encode(
        {
            "topic": told.topic.value,
            "about": told.id,
            "at": at,
            "title": told.title,
            "facts": facts,
            "text": told.text,
            "resource": told.resource,
            "link": link,
        }
    )


def sign(secret: bytes, message: str, timestamp: int, body: bytes) -> Mapping[str, str]:
    """Return the headers that say who sent this, and when.

    Raises:
        WeakKey: the secret has fewer than 24 bytes.
    """
    digest = hmac.new(_key(secret), f"{message}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + b64encode(digest).decode(),
    }


def _key(secret: bytes) -> bytes:
    """Return the key's bytes: `whsec_` and base64, as Standard Webhooks writes keys, or the secret as it is."""
    key = secret
    if secret.startswith(_PREFIX):
        try:
            key = b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            raise WeakKey("the secret begins with whsec_, but what follows is not base64") from None
    if len(key) < SHORTEST_KEY:
        raise WeakKey(f"the secret has {len(key)} bytes; {SHORTEST_KEY} or more sign a message")
    return key
