"""What the kind `azure-keyvault` has of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from importlib.resources.abc import Traversable

from pydantic import BaseModel

from blastwall.model.credential import Credential
from blastwall.model.resource import Resource
from blastwall.protocols.http.flavour import Answer, Judged, Refusal, Response
from blastwall.protocols.http.keyvault.judging import judge
from blastwall.protocols.http.keyvault.settings import KeyVaultSettings, settings_of
from blastwall.protocols.http.links import ForeignLink, link_edits, rewritten
from blastwall.protocols.http.normalise import PathRule
from blastwall.protocols.http.passing import bearer, local_url, passed_on, sent_headers, service_url
from blastwall.protocols.http.request import Headers, Request
from blastwall.protocols.http.services import Service, challenged, message
from blastwall.protocols.kind import ClientAddress

SCOPE = "https://vault.azure.net/.default"

LARGEST_BODY = 1 << 20
"""Bytes. A secret has 25 KiB at most; a backup, with all versions of a thing in it, is the largest body."""

_IDS = tuple(
    f"$.{place}{name}"
    for place in ("", "value[*].")
    for name in ("id", "kid", "sid", "recoveryId", "key.kid", "policy.id")
)
"""Members that name a thing by its URL: clients ask there for it."""

_LABEL = re.compile(r"(?!\d+\.\d+\.\d+\.\d+)[^.:\[\]]+\.(.+)")
_CODES = {400: "BadParameter", 401: "Unauthorized", 403: "Forbidden", 413: "RequestTooLarge", 429: "Throttled"}


class KeyVaultFlavour(Service):
    """Implements `Flavour`."""

    kind = "azure-keyvault"
    scope = SCOPE
    path = PathRule(slashes=True)
    settings: type[BaseModel] = KeyVaultSettings
    pack: Traversable | None = files(__package__).joinpath("pack.cedar")

    def credential_fault(self, settings: BaseModel, *, user: bool, token: bool) -> str:
        return "" if token else "give `entra`: a vault takes no other credential than an Entra token"

    def environment(self, address: ClientAddress) -> Mapping[str, str]:
        """What the SDKs' examples read; the Azure CLI takes `--id` or `--vault-name` alone."""
        return {"KEY_VAULT_URL": service_url(address), "VAULT_URL": service_url(address)}

    def command(self, address: ClientAddress) -> Sequence[str]:
        return ("curl", f"{local_url(address)}/secrets?api-version=7.4")

    def challenge(self, request: Request, resource: Resource, reason: str) -> Response:
        """The vault's own challenge, which clients wait for: they ask first without a token.

        Clients want the vault's host to lie below that of `resource`, and read the tenant off `authorization`; they go
        to neither.
        """
        host = _LABEL.fullmatch(request.authority)
        audience = f"https://{host[1] if host else request.authority}"
        authority = f"https://{request.authority}/{settings_of(resource).tenant}"
        asks = f'Bearer authorization="{authority}", resource="{audience}"'
        return challenged(self.refusal(request, resource, Refusal(401, reason)), asks)

    def wants(self, request: Request, resource: Resource) -> int:
        return 0 if request.method in ("GET", "HEAD", "DELETE", "OPTIONS") else LARGEST_BODY

    def judge(self, request: Request, resource: Resource) -> Judged:
        return judge(request)

    def authorise(self, request: Request, resource: Resource, credential: Credential) -> Headers:
        return sent_headers(request, bearer(credential))

    def answered(self, request: Request, resource: Resource, status: int, headers: Headers) -> Answer:
        answer = passed_on(request, resource, status, headers)
        return answer if answer.refused else replace(answer, edits=_edits(request, resource))

    def refusal(self, request: Request | None, resource: Resource, refusal: Refusal) -> Response:
        error = {"error": {"code": _CODES.get(refusal.status, "GatewayError"), "message": message(refusal)}}
        return Response(refusal.status, Headers([("Content-Type", "application/json")]), json.dumps(error).encode())


def _edits(request: Request, resource: Resource) -> Mapping[str, Callable[[str], str]]:
    """Names of things lead to the gateway where they are the vault's; a next page must."""

    def renamed(name: str) -> str:
        try:
            return rewritten(name, request, resource)
        except ForeignLink:
            return name

    return {**dict.fromkeys(_IDS, renamed), **link_edits(["$.nextLink"], request, resource)}
