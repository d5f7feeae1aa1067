"""Requests for the tests of flavours, written as one line, and effects in short."""

from __future__ import annotations

from blastwall.model.effects import Effect
from blastwall.protocols.http.request import Headers, Request

GATEWAY = "shop.gw.example"


def asked(line: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> Request:
    """Return the request of a line such as `GET /shop/a?comp=tags`."""
    method, _, target = line.partition(" ")
    path, mark, query = target.partition("?")
    return Request(method, GATEWAY, path, query if mark else None, Headers((headers or {}).items()), body)


def told(effects: tuple[Effect, ...]) -> str:
    """Return effects as `create blob/shop/a; read blob/shop/b`."""
    return "; ".join(f"{effect.action} {'/'.join(effect.object.path)}" for effect in effects)
