"""A flavour for tests: every path is an object, a marked one is refused by nobody but policy, and answers pass."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources.abc import Traversable

from pydantic import BaseModel, ConfigDict

from blastwall.model.credential import Credential
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.resource import Resource
from blastwall.protocols.http.flavour import Answer, Judged, Refusal, Response
from blastwall.protocols.http.normalise import STRICT, PathRule
from blastwall.protocols.http.request import Headers, Request
from blastwall.protocols.kind import ClientAddress

_ACTIONS = {"GET": Action.READ, "HEAD": Action.READ, "OPTIONS": Action.CONNECT, "POST": Action.CREATE,
            "PUT": Action.UPDATE, "PATCH": Action.UPDATE, "DELETE": Action.DELETE}  # fmt: skip
REFUSED = "x-blastwall-refusal"


class PlainSettings(BaseModel):
    """None."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PlainFlavour:
    """Implements `Flavour`. JSON bodies are judged, up to `most` bytes; `renews` has a 401 renewed."""

    kind = "plain"
    port = 80
    plane = "data"
    scope = ""
    settings: type[BaseModel] = PlainSettings
    strays: frozenset[str] = frozenset()

    def __init__(
        self, path: PathRule = STRICT, most: int = 1 << 20, *, renews: bool = False, upgrades: bool = False
    ) -> None:
        self.path = path
        self._most = most
        self.upgrades = upgrades
        self._renews = renews

    @property
    def pack(self) -> Traversable | None:
        return None

    def credential_fault(self, settings: BaseModel, *, user: bool, token: bool) -> str:
        return ""

    def environment(self, address: ClientAddress) -> Mapping[str, str]:
        return {"PLAIN_URL": f"https://{address.host}:{address.port}"}

    def command(self, address: ClientAddress) -> Sequence[str]:
        return ("plainclient", f"https://{address.host}:{address.port}")

    def local(self, request: Request, resource: Resource) -> Response | None:
        if request.path == "/healthz":
            return Response(200, Headers([("Content-Type", "text/plain")]), b"well\n")
        return None

    def challenge(self, request: Request, resource: Resource, reason: str) -> Response:
        return self._told(401, reason, ("WWW-Authenticate", 'Bearer realm="blastwall"'))

    def wants(self, request: Request, resource: Resource) -> int:
        return self._most if "json" in request.headers.get("content-type") else 0

    def judge(self, request: Request, resource: Resource) -> Judged:
        action = _ACTIONS.get(request.method, Action.UNCLASSIFIED)
        return Judged((Effect(action, Object(("paths", request.path), "path")),), request.method)

    def authorise(self, request: Request, resource: Resource, credential: Credential) -> Headers:
        return request.headers.having(("Authorization", f"Bearer {credential.secret.decode()}"))

    def body(self, request: Request, resource: Resource, credential: Credential) -> bytes | None:
        return None

    def answered(self, request: Request, resource: Resource, status: int, headers: Headers) -> Answer:
        if headers.get("location").startswith("http"):
            return Answer(headers, refused="the resource's answer leads elsewhere")
        return Answer(headers, renew="" if status == 401 and self._renews else None)

    def refusal(self, request: Request | None, resource: Resource, refusal: Refusal) -> Response:
        return self._told(refusal.status, refusal.reason, (REFUSED, "yes"))

    def _told(self, status: int, reason: str, *fields: tuple[str, str]) -> Response:
        headers = Headers([("Content-Type", "application/json"), *fields])
        return Response(status, headers, json.dumps({"error": reason}).encode())
