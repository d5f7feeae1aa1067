"""Asks the flavour about one request, as the tests write it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from blastwall.model.resource import Address, Resource
from blastwall.protocols.http.arm.flavour import ArmFlavour
from blastwall.protocols.http.flavour import Judged
from blastwall.protocols.http.request import Headers, Request

FLAVOUR = ArmFlavour()
ARM = Resource("arm", "azure-arm", Address("management.azure.com", 443), plane="control")
HOST = "arm.gw.example"
GROUP = "/subscriptions/s1/resourcegroups/shop"

Body = bytes | str | Mapping[str, object] | Sequence[object] | None


def request(
    method: str, path: str, body: Body = None, *, query: str | None = "api-version=2021-04-01", **fields: str
) -> Request:
    """Return a request with a JSON body; `fields` are header fields, with `_` for `-`."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    headers |= {name.replace("_", "-"): value for name, value in fields.items()}
    content = (
        body
        if body is None or isinstance(body, bytes)
        else (body if isinstance(body, str) else json.dumps(body)).encode()
    )
    return Request(method, HOST, path, query, Headers(headers.items()), content)


def ask(
    method: str, path: str, body: Body = None, *, query: str | None = "api-version=2021-04-01", **fields: str
) -> Judged:
    """Return what a request would do."""
    return FLAVOUR.judge(request(method, path, body, query=query, **fields), ARM)


def shown(judged: Judged) -> set[str]:
    """Return the effects in short, ids from the group on."""
    return {f"{each.action} {each.object.azure.replace(GROUP, 'G') or each.object.kind}" for each in judged.effects}
