"""What the kind `azure-blob` has of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from xml.sax.saxutils import escape

from pydantic import BaseModel

from blastwall.model.credential import Credential
from blastwall.model.resource import Resource
from blastwall.protocols.http.blob.batch import rewritten_batch
from blastwall.protocols.http.blob.copying import SOURCE, with_source
from blastwall.protocols.http.blob.judging import OLDEST, judge
from blastwall.protocols.http.blob.settings import BlobSettings
from blastwall.protocols.http.flavour import Answer, Judged, Refusal, Response
from blastwall.protocols.http.normalise import PathRule
from blastwall.protocols.http.parts import Unclear, parameters
from blastwall.protocols.http.passing import bearer, local_url, passed_on, sent_headers, service_url
from blastwall.protocols.http.request import Headers, Request
from blastwall.protocols.http.services import PLAIN_CHALLENGE, Service, challenged, message
from blastwall.protocols.http.shared_key import shared_key
from blastwall.protocols.kind import ClientAddress

SCOPE = "https://storage.azure.com/.default"

_SMALL = 256 << 10
_BATCH = 4 << 20
"""The service's own limit of a batch's body ("Blob Batch", remarks)."""
_READ_BODIES = {"batch": _BATCH, "acl": _SMALL, "properties": _SMALL, "tags": _SMALL, "query": _SMALL,
                "userdelegationkey": _SMALL}  # fmt: skip
"""The operations whose body says what is done, by `comp`. What is stored is never read."""

_NOT_TAKEN = ("AuthenticationFailed", "InvalidAuthenticationInfo")

_STRAYS = frozenset(
    {"AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_CONNECTION_STRING"}
)

_CODES = {
    400: "InvalidInput",
    401: "NoAuthenticationInformation",
    403: "AuthorizationPermissionMismatch",
    413: "RequestBodyTooLarge",
    421: "InvalidUri",
    429: "ServerBusy",
    431: "InvalidHeaderValue",
    502: "InternalError",
    503: "ServerBusy",
    504: "OperationTimedOut",
}
"""Codes of "Common REST API error codes" that the clients know what to do with."""


class BlobFlavour(Service):
    """Implements `Flavour`."""

    kind = "azure-blob"
    scope = SCOPE
    path = PathRule(slashes=True, parameters=True)
    settings: type[BaseModel] = BlobSettings
    strays = _STRAYS
    pack: Traversable | None = files(__package__).joinpath("pack.cedar")

    def credential_fault(self, settings: BaseModel, *, user: bool, token: bool) -> str:
        """An account's key signs in the account's name."""
        return "" if token or user else "give `user`: the name of the storage account whose key it is"

    def environment(self, address: ClientAddress) -> Mapping[str, str]:
        """What the Azure CLI reads; SDKs take a URL in code."""
        return {"AZURE_STORAGE_SERVICE_ENDPOINT": service_url(address), "AZURE_STORAGE_AUTH_MODE": "login"}

    def command(self, address: ClientAddress) -> Sequence[str]:
        return ("curl", f"{local_url(address)}/?comp=list")

    def challenge(self, request: Request, resource: Resource, reason: str) -> Response:
        return challenged(self.refusal(request, resource, Refusal(401, reason)), PLAIN_CHALLENGE)

    def wants(self, request: Request, resource: Resource) -> int:
        if request.method not in ("PUT", "POST"):
            return 0
        return _READ_BODIES.get(_comp(request), 0)

    def judge(self, request: Request, resource: Resource) -> Judged:
        return judge(request, resource)

    def authorise(self, request: Request, resource: Resource, credential: Credential) -> Headers:
        """Show a token as it is, or sign with the account's key (`user` is the account)."""
        headers = with_source(sent_headers(request), request, resource, credential)
        if "x-ms-version" not in headers:
            headers = headers.having(("x-ms-version", OLDEST))
        return headers.having(_authorization(replace(request, headers=headers), credential))

    def body(self, request: Request, resource: Resource, credential: Credential) -> bytes | None:
        """Give each part of a batch the gateway's credential. What cannot be read is sent empty, and fails."""
        if request.method != "POST" or _comp(request) != "batch":
            return None

        def authorised(part: Request) -> Headers:
            sent = replace(part, headers=sent_headers(part).without([SOURCE]))
            return sent.headers.having(_authorization(sent, credential))

        try:
            return rewritten_batch(request, authorised)
        except Unclear:
            return b""

    def answered(self, request: Request, resource: Resource, status: int, headers: Headers) -> Answer:
        """An error that says so means the same as a 401: the service did not take the signature."""
        refused = status in (400, 403) and headers.get("x-ms-error-code") in _NOT_TAKEN
        return passed_on(request, resource, status, _plain_sources(headers), refused=refused)

    def refusal(self, request: Request | None, resource: Resource, refusal: Refusal) -> Response:
        code = _CODES.get(refusal.status, "InternalError")
        error = f"<Error><Code>{code}</Code><Message>{escape(message(refusal))}</Message></Error>"
        fields = [("Content-Type", "application/xml"), ("x-ms-error-code", code)]
        return Response(refusal.status, Headers(fields), f'<?xml version="1.0" encoding="utf-8"?>{error}'.encode())


def _comp(request: Request) -> str:
    """Return what the query says that is done; an unreadable query says nothing."""
    try:
        return parameters(request.query).get("comp", "").lower()
    except Unclear:
        return ""


def _authorization(request: Request, credential: Credential) -> tuple[str, str]:
    if credential.token:
        return bearer(credential)
    try:
        return "Authorization", shared_key(credential.user, credential.secret.strip(), request)
    except ValueError:  # no account's key: the service says so, and that is what the owner reads
        return "Authorization", f"SharedKey {credential.user}:"


def _plain_sources(headers: Headers) -> Headers:
    """Leave the query of a finished copy's source out: it may hold a signature that somebody else had used."""
    source = headers.get(SOURCE)
    return headers.having((SOURCE, source.partition("?")[0])) if "?" in source else headers
