"""What clients of Microsoft Entra ask before and for a token, in Entra's forms.

    GET  /{tenant}/v2.0/.well-known/openid-configuration    and without v2.0
    GET  /{tenant}/discovery/v2.0/keys                      and without v2.0
    GET  /common/discovery/instance
    POST /{tenant}/oauth2/v2.0/token                        and without v2.0

The only grant is `client_credentials` with a `client_assertion`, the agent's own token (RFC 7523), as `az login
--service-principal --federated-token`, `ClientAssertionCredential` and `WorkloadIdentityCredential` send it. Who asks
is said by the assertion, so `client_id` is not read.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from blastwall.api.oauth import OAuthError
from blastwall.api.requests import BadRequest, read_form, source_of
from blastwall.control.access import Remote
from blastwall.control.control import Control
from blastwall.control.exchanging import NoSuchTarget
from blastwall.control.failures import TooManyFailures
from blastwall.control.token_giving import ANY_TENANT, Authority, NoSuchTenant
from blastwall.gate.ports import Refusal
from blastwall.identity import IssuedToken, Unavailable

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_RETRY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class _Fault:
    """An error of Entra's: `code` is its number, which stands before the text as `AADSTS…`."""

    status: int
    error: str
    code: int
    text: str
    wait: float | None = None


class EntraError(OAuthError):
    """An error in Entra's form; Microsoft's clients print its `error_description`."""

    def __init__(self, fault: _Fault) -> None:
        at, trace = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ"), str(uuid.uuid4())
        text = f"AADSTS{fault.code}: {fault.text} Trace ID: {trace} Timestamp: {at}"
        more = {"error_codes": [fault.code], "timestamp": at, "trace_id": trace, "correlation_id": trace}
        super().__init__(fault.error, text, fault.status, fault.wait, more)


def _fault(error: Exception) -> _Fault:
    """Say an error in Entra's words: https://learn.microsoft.com/entra/identity-platform/reference-error-codes."""
    if isinstance(error, TooManyFailures):
        return _Fault(429, "temporarily_unavailable", 90055, f"{error}.", error.wait)
    if isinstance(error, Unavailable):
        return _Fault(503, "temporarily_unavailable", 90033, f"{error.told}.", _RETRY_SECONDS)
    if isinstance(error, NoSuchTenant):
        return _Fault(400, "invalid_request", 90002, f"The tenant was not found: {error}.")
    if isinstance(error, NoSuchTarget):
        text = "There is nothing here of that name, or nothing that this agent may connect to."
        return _Fault(400, "invalid_resource", 500011, text)
    if isinstance(error, Refusal):
        return _Fault(401, "invalid_client", 700027, f"The client assertion is refused: {error.told}.")
    return _Fault(400, "invalid_request", 900144, f"{error}.")


_FAULTS = (BadRequest, Refusal, NoSuchTarget, NoSuchTenant, TooManyFailures)


async def configuration_v2(control: Control, request: Request) -> Response:
    """OpenID Connect Discovery 1.0, as Entra's second version has it."""
    found = _authority(control, request)
    return JSONResponse(_configuration(found, "v2.0/"))


async def configuration(control: Control, request: Request) -> Response:
    """The same with the addresses of Entra's first version."""
    found = _authority(control, request)
    return JSONResponse(_configuration(found, ""))


def _authority(control: Control, request: Request) -> Authority:
    try:
        return control.token_giving.authority(Remote(source_of(request)), str(request.path_params["tenant"]))
    except _FAULTS as error:
        raise EntraError(_fault(error)) from None


def _configuration(found: Authority, version: str) -> dict[str, object]:
    base = f"{found.url}/{found.tenant}"
    return {
        "issuer": found.issuer,
        "token_endpoint": f"{base}/oauth2/{version}token",
        "authorization_endpoint": f"{base}/oauth2/{version}authorize",
        "jwks_uri": f"{base}/discovery/{version}keys",
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "response_types_supported": ["token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "tenant_region_scope": None,
        "cloud_instance_name": urlsplit(found.url).netloc,
    }


async def keys(control: Control, request: Request) -> Response:
    """The keys that verify gateway tokens (RFC 7517)."""
    try:
        found = await control.token_giving.keys(Remote(source_of(request)), str(request.path_params["tenant"]))
    except _FAULTS as error:
        raise EntraError(_fault(error)) from None
    return JSONResponse({"keys": list(found)})


async def instances(control: Control, request: Request) -> Response:
    """Say that this authority is one of its own: what clients ask of an authority that they do not know."""
    try:
        found = control.token_giving.authority(Remote(source_of(request)), ANY_TENANT)
    except _FAULTS as error:
        raise EntraError(_fault(error)) from None
    host = urlsplit(found.url).netloc
    return JSONResponse(
        {
            "tenant_discovery_endpoint": f"{found.url}/{found.tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
        }
    )


async def token_v2(control: Control, request: Request) -> Response:
    """Give a gateway token for an assertion; `scope` says for what."""
    issued, _ = await _give(control, request, "scope")
    lasts = int(issued.lifetime)
    return JSONResponse(
        {"token_type": "Bearer", "expires_in": lasts, "ext_expires_in": lasts, "access_token": issued.secret}
    )


async def token(control: Control, request: Request) -> Response:
    """The same as Entra's first version has it; `resource` says for what, and numbers are text."""
    issued, asked = await _give(control, request, "resource")
    lasts = str(int(issued.lifetime))
    return JSONResponse(
        {
            "token_type": "Bearer",
            "expires_in": lasts,
            "ext_expires_in": lasts,
            "expires_on": str(int(issued.ends)),
            "not_before": str(int(issued.ends - issued.lifetime)),
            "resource": asked,
            "access_token": issued.secret,
        }
    )


async def _give(control: Control, request: Request, what: str) -> tuple[IssuedToken, str]:
    try:
        fields = await read_form(request)
        assertion, asked = _asked(fields, what)
        tenant = str(request.path_params["tenant"])
        return await control.token_giving.give(Remote(source_of(request)), tenant, assertion, asked), asked
    except _FAULTS as error:
        raise EntraError(_fault(error)) from None


def _asked(fields: dict[str, str], what: str) -> tuple[bytes, str]:
    if fields.get("grant_type") != "client_credentials":
        raise EntraError(
            _Fault(400, "unsupported_grant_type", 70003, "The only grant type here is client_credentials.")
        )
    if "client_secret" in fields:
        text = "Secrets are not taken here: send the agent's own token as client_assertion."
        raise EntraError(_Fault(401, "invalid_client", 7000215, text))
    if fields.get("client_assertion_type") != ASSERTION:
        raise BadRequest(f"client_assertion_type must be {ASSERTION}")
    assertion, asked = fields.get("client_assertion", ""), fields.get(what, "")
    if not assertion or not asked:
        raise BadRequest(f"{what if assertion else 'client_assertion'} is missing")
    if " " in asked:
        raise EntraError(_Fault(400, "invalid_scope", 70011, "Name one scope: a token is for one service alone."))
    return assertion.encode(), asked
