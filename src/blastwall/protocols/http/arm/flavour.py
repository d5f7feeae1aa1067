"""What the kind `azure-arm` has of its own."""

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
from blastwall.protocols.http.arm.endpoints import endpoints
from blastwall.protocols.http.arm.inside import BATCHES
from blastwall.protocols.http.arm.judging import judge
from blastwall.protocols.http.arm.settings import ArmSettings
from blastwall.protocols.http.flavour import Answer, Judged, Refusal, Response
from blastwall.protocols.http.links import link_edits
from blastwall.protocols.http.normalise import PathRule
from blastwall.protocols.http.passing import bearer, local_url, passed_on, sent_headers
from blastwall.protocols.http.request import Headers, Request
from blastwall.protocols.http.services import Service, challenged
from blastwall.protocols.kind import ClientAddress

SCOPE = "https://management.azure.com/.default"

LARGEST_BODY = 1 << 20
"""Bytes. ARM takes templates of 4 MiB; what is judged before it is sent is kept to what a statement may be."""

_LINKS = ("$.nextLink", "$.resourceLocation")
_BATCHED_LINKS = tuple(
    f"$.responses[*].{place}"
    for place in ("content.nextLink", "headers.Location", "headers.Azure-AsyncOperation", "headers.Operation-Location")
)
_CODES = {
    400: "InvalidRequestContent",
    401: "InvalidAuthenticationToken",
    403: "AuthorizationFailed",
    404: "NotFound",
    413: "RequestContentTooLarge",
    421: "InvalidHost",
    429: "TooManyRequests",
    431: "InvalidHeader",
    502: "GatewayError",
    503: "ServerBusy",
    504: "GatewayTimeout",
}
"""Codes of "Common API error responses" that the clients know what to do with."""

_STRAYS = frozenset(
    {
        "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_USERNAME", "AZURE_PASSWORD",
        "ARM_CLIENT_SECRET", "ARM_CLIENT_CERTIFICATE", "ARM_CLIENT_CERTIFICATE_PATH", "ARM_ACCESS_KEY",
    }
)  # fmt: skip
_QUOTE = re.compile(r'["\\\x00-\x1f\x7f-\uffff]')


class ArmFlavour(Service):
    """Implements `Flavour`."""

    kind = "azure-arm"
    plane = "control"
    scope = SCOPE
    path = PathRule(parameters=True)
    settings: type[BaseModel] = ArmSettings
    strays = _STRAYS
    pack: Traversable | None = files(__package__).joinpath("pack.cedar")

    def credential_fault(self, settings: BaseModel, *, user: bool, token: bool) -> str:
        return "" if token else "give `entra`: Resource Manager takes no other credential than an Entra token"

    def environment(self, address: ClientAddress) -> Mapping[str, str]:
        """What Terraform, and the Azure CLI for its own clouds, read, unless they go to the gateway by themselves."""
        if address.direct is not None:
            return {}
        return {
            "ARM_METADATA_HOSTNAME": local_url(address).partition("://")[2],
            "ARM_CLOUD_METADATA_URL": f"{local_url(address)}/metadata/endpoints?api-version=2019-05-01",
        }

    def command(self, address: ClientAddress) -> Sequence[str]:
        return ("curl", f"{local_url(address)}/subscriptions?api-version=2022-12-01")

    def local(self, request: Request, resource: Resource) -> Response | None:
        return endpoints(request, resource)

    def challenge(self, request: Request, resource: Resource, reason: str) -> Response:
        """ARM's own challenge, which names the authority where a token is to be had: never the resource's."""
        said = _QUOTE.sub(" ", reason)
        asks = f'Bearer realm="blastwall", error="invalid_token", error_description="{said}"'
        return challenged(self.refusal(request, resource, Refusal(401, reason)), asks)

    def wants(self, request: Request, resource: Resource) -> int:
        """Every body: also one that its method does not have may say something to a server."""
        return LARGEST_BODY

    def judge(self, request: Request, resource: Resource) -> Judged:
        return judge(request, resource)

    def authorise(self, request: Request, resource: Resource, credential: Credential) -> Headers:
        return sent_headers(request, bearer(credential))

    def answered(self, request: Request, resource: Resource, status: int, headers: Headers) -> Answer:
        answer = passed_on(request, resource, status, headers)
        return answer if answer.refused else replace(answer, edits=_edits(request, resource))

    def refusal(self, request: Request | None, resource: Resource, refusal: Refusal) -> Response:
        """An error as ARM words it: az prints code and message, the SDKs raise them."""
        message = f"{refusal.reason} ({refusal.link})" if refusal.link else refusal.reason
        error = {"error": {"code": _CODES.get(refusal.status, "GatewayError"), "message": message}}
        fields = [("Content-Type", "application/json; charset=utf-8"), ("Cache-Control", "no-store")]
        return Response(refusal.status, Headers(fields), json.dumps(error).encode())


def _edits(request: Request, resource: Resource) -> Mapping[str, Callable[[str], str]]:
    """A next page must lead to the gateway; so must what a client polls."""
    return link_edits(_BATCHED_LINKS if request.path.lower() in BATCHES else _LINKS, request, resource)
