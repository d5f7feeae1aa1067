"""What the kind `http` has of its own: any API that takes a bearer, basic or header credential."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import cast

from pydantic import BaseModel

from blastwall.model.credential import Credential
from blastwall.model.resource import Resource
from blastwall.protocols.http.flavour import Answer, Judged, Refusal, Response
from blastwall.protocols.http.links import link_edits
from blastwall.protocols.http.passing import bearer, local_url, passed_on, sent_headers
from blastwall.protocols.http.request import Headers, Request
from blastwall.protocols.http.rest.judging import judge
from blastwall.protocols.http.rest.settings import RestSettings, settings_of
from blastwall.protocols.http.services import PLAIN_CHALLENGE, Service, challenged
from blastwall.protocols.kind import ClientAddress


class RestFlavour(Service):
    """Implements `Flavour`."""

    kind = "http"
    settings: type[BaseModel] = RestSettings
    pack: Traversable | None = files(__package__).joinpath("pack.cedar")

    def credential_fault(self, settings: BaseModel, *, user: bool, token: bool) -> str:
        """Basic authentication has a user's name and a password."""
        if cast("RestSettings", settings).auth != "basic":
            return ""
        if token:
            return "`auth: basic` takes a password; an Entra token goes with `auth: bearer`"
        return "" if user else "give `user`: `auth: basic` shows a user's name and a password"

    def environment(self, address: ClientAddress) -> Mapping[str, str]:
        """No variable is common to the clients of any API."""
        return {"BLASTWALL_URL": local_url(address)}

    def command(self, address: ClientAddress) -> Sequence[str]:
        return ("curl", local_url(address))

    def challenge(self, request: Request, resource: Resource, reason: str) -> Response:
        return challenged(self.refusal(request, resource, Refusal(401, reason)), PLAIN_CHALLENGE)

    def wants(self, request: Request, resource: Resource) -> int:
        return 0 if request.method in ("GET", "HEAD", "OPTIONS") else settings_of(resource).bodies

    def judge(self, request: Request, resource: Resource) -> Judged:
        return judge(request, settings_of(resource))

    def authorise(self, request: Request, resource: Resource, credential: Credential) -> Headers:
        settings = settings_of(resource)
        return sent_headers(request, _shown(settings, credential), cookies=settings.cookies)

    def answered(self, request: Request, resource: Resource, status: int, headers: Headers) -> Answer:
        settings = settings_of(resource)
        answer = passed_on(request, resource, status, headers, cookies=settings.cookies)
        if answer.refused or "json" not in headers.get("content-type").lower():
            return answer
        return replace(answer, edits=link_edits(settings.links, request, resource))

    def refusal(self, request: Request | None, resource: Resource, refusal: Refusal) -> Response:
        """Problem details (RFC 9457)."""
        problem = {"title": HTTPStatus(refusal.status).phrase, "status": refusal.status, "detail": refusal.reason}
        problem |= {"instance": refusal.link} if refusal.link else {}
        return Response(
            refusal.status, Headers([("Content-Type", "application/problem+json")]), json.dumps(problem).encode()
        )


def _shown(settings: RestSettings, credential: Credential) -> tuple[str, str]:
    secret = credential.secret.decode("latin-1").strip()
    if settings.auth == "header":
        return settings.header, secret
    if settings.auth == "basic":
        pair = f"{credential.user}:".encode() + credential.secret.strip()
        return "Authorization", f"Basic {base64.b64encode(pair).decode()}"
    return bearer(credential)
