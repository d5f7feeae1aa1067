"""Styles: what is shown in a value's place.

Whatever is shown is made of characters that need no quoting in an array or composite literal, in JSON or in COPY.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha256

from blastwall.masking import detectors
from blastwall.masking.fold import fold, readings
from blastwall.model.masks import MaskStyle

REDACTED = "[redacted]"
_LEAST_KEY = 16
_BLOCK = 64
"""Bytes that SHA-256 takes at a time."""
_SHOWN_AT_MOST = 4
_NOTHING_SHOWN_BELOW = 8
_SAFE = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-")

Restyle = Callable[[str], str]


def restyle(style: MaskStyle, key: bytes) -> Restyle:
    """Return the function that shows a whole value in `style`; NULL shows as `[redacted]` where a text must stand.

    Raises:
        ValueError: the style is keyed and the key too short to protect anything.
    """
    if style is MaskStyle.PARTIAL:
        return partial
    if style in (MaskStyle.HASH, MaskStyle.TOKEN):
        return _keyed(style, key)
    return lambda _: REDACTED


def _keyed(style: MaskStyle, key: bytes) -> Restyle:
    """HMAC-SHA256, 128 bits of it, under a key of the style's own.

    Equal values give equal results in every column and resource under one key, and the same value's hash and token
    cannot be matched with each other.
    """
    if len(key) < _LEAST_KEY:
        raise ValueError(f"masking with `{style}` needs a key of at least {_LEAST_KEY} bytes: set `masking_key`")
    own = hmac.digest(key, b"blastwall masking " + style.encode(), "sha256")
    prefix = "hash_" if style is MaskStyle.HASH else "tok_"
    inner, outer = (sha256(bytes(byte ^ pad for byte in own.ljust(_BLOCK, b"\0"))) for pad in (0x36, 0x5C))

    def show(value: str) -> str:
        """HMAC by RFC 2104, from what of it is the same for all values: a third of what the library's own takes."""
        inside, outside = inner.copy(), outer.copy()
        inside.update(_bytes(value))
        outside.update(inside.digest())
        return prefix + outside.digest()[:16].hex()

    return show


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def whole(shown: str, value: str) -> str:
    """Return `shown` in the shape of an array literal where `value` has it, so that a driver can still parse it."""
    if value.endswith("}") and (value.startswith("{") or (value.startswith("[") and "]={" in value)):
        return "{" + shown + "}"
    return shown


def partial(value: str) -> str:
    """Show the harmless part of a value: the domain of an address, the end of a card or IBAN, or a little of the end.

    Of anything else at most a quarter and at most four characters are shown, nothing of a value under eight
    characters. The stars say nothing of the length.
    """
    for folded in readings(value):
        for name, show in _PARTS.items():
            if (0, len(folded.data)) in detectors.FINDERS[name](folded.data, False):
                return show(folded.data)
    return "****" + _tail(fold(value).data)


def partial_found(name: str, folded: bytes) -> str:
    """Show the harmless part of what detector `name` found; a credential has none."""
    if name in detectors.CREDENTIALS:
        return "****"
    show = _PARTS.get(name)
    return show(folded) if show else "****" + _tail(folded)


def _tail(folded: bytes) -> str:
    """Count what is seen, not invisible characters; show only characters that are safe everywhere."""
    shown = min(_SHOWN_AT_MOST, len(folded) // 4) if len(folded) >= _NOTHING_SHOWN_BELOW else 0
    return _safe(folded[-shown:].decode("latin-1")) if shown else ""


def _safe(text: str) -> str:
    return "".join(char if char in _SAFE else "*" for char in text)


def _email(found: bytes) -> str:
    text = found.decode("latin-1")
    local, _, domain = text.rpartition("@")
    first = local[:1] if local[:1] in _SAFE and len(local) > 1 else ""
    return f"{first}***@{_safe(domain)}" if domain else "****"


def _card(found: bytes) -> str:
    digits = bytes(byte for byte in found if byte in b"0123456789")
    return "****" + digits[-4:].decode()


def _iban(found: bytes) -> str:
    plain = "".join(char for char in found.decode("latin-1").upper() if char.isalnum())
    return plain[:2] + "****" + plain[-4:]


_PARTS: dict[str, Callable[[bytes], str]] = {"email": _email, "card": _card, "iban": _iban}
