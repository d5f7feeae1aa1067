"""POST /token (RFC 8693, token exchange) and POST /revoke (RFC 7009)."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from blastwall.api.requests import BadRequest, read_form, source_of
from blastwall.control.access import Remote
from blastwall.control.control import Control
from blastwall.control.exchanging import NoSuchTarget
from blastwall.control.failures import TooManyFailures
from blastwall.gate.ports import Refusal
from blastwall.identity import Unavailable

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_TYPE = "urn:ietf:params:oauth:token-type:"
ACCESS_TOKEN = _TYPE + "access_token"
SUBJECT_TYPES = frozenset({_TYPE + "jwt", ACCESS_TOKEN, _TYPE + "id_token"})
_RETRY_SECONDS = 30


class OAuthError(Exception):
    """An error as RFC 6749 section 5.2 has it, with the codes that RFC 8693 section 2.2.2 adds.

    `wait` is in seconds; `more` are further fields.
    """

    def __init__(
        self,
        code: str,
        description: str,
        status: int = 400,
        wait: float | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(code)
        body = {"error": code, "error_description": plain(description), **(more or {})}
        self.response = JSONResponse(body, status)
        if wait is not None:
            self.response.headers["Retry-After"] = str(max(1, round(wait)))


def plain(text: str) -> str:
    """Return a description in the characters that RFC 6749 appendix A.8 permits."""
    permitted = "".join(character if " " <= character <= "~" else "?" for character in text)
    return permitted.replace('"', "'").replace("\\", "/")


async def exchange(control: Control, request: Request) -> Response:
    """Give a pass for a token.

    A pass is no bearer token of HTTP, so its `token_type` is `N_A` (RFC 8693, section 2.2.1): it is shown as the
    password of the resource's own protocol.
    """
    try:
        fields = await read_form(request)
        token, resource = _exchange_of(fields)
        issued = await control.passing.exchange(Remote(source_of(request)), token, resource)
    except (BadRequest, Refusal, NoSuchTarget, TooManyFailures) as error:
        raise _oauth_error(error) from None
    return JSONResponse(
        {
            "access_token": issued.secret,
            "issued_token_type": ACCESS_TOKEN,
            "token_type": "N_A",
            "expires_in": int(issued.lifetime),
            "pass_id": issued.id,
        }
    )


def _exchange_of(fields: dict[str, str]) -> tuple[bytes, str]:
    if fields.get("grant_type") != GRANT:
        raise OAuthError("unsupported_grant_type", f"the only grant type here is {GRANT}")
    if fields.get("subject_token_type") not in SUBJECT_TYPES:
        raise BadRequest("subject_token_type must be one of: " + ", ".join(sorted(SUBJECT_TYPES)))
    if fields.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise BadRequest(f"requested_token_type can only be {ACCESS_TOKEN}")
    if "actor_token" in fields or "actor_token_type" in fields:
        raise BadRequest("delegation (actor_token) is not supported")
    if fields.get("scope"):
        raise OAuthError("invalid_scope", "a pass has no scope: policy decides what its agent may do")
    return _required(fields, "subject_token"), _target_of(fields)


def _required(fields: dict[str, str], name: str) -> bytes:
    value = fields.get(name, "")
    if not value:
        raise BadRequest(f"{name} is missing")
    return value.encode()


def _target_of(fields: dict[str, str]) -> str:
    named = {fields[name] for name in ("resource", "audience") if fields.get(name)}
    if len(named) != 1:
        raise OAuthError("invalid_target", "name one resource, as `resource` or `audience`: a pass is for one alone")
    return named.pop()


def _oauth_error(error: Exception) -> OAuthError:
    if isinstance(error, TooManyFailures):
        return OAuthError("temporarily_unavailable", str(error), 429, error.wait)
    if isinstance(error, Unavailable):
        return OAuthError("temporarily_unavailable", error.told, 503, _RETRY_SECONDS)
    if isinstance(error, NoSuchTarget):
        return OAuthError("invalid_target", "there is no such resource, or none that this agent may connect to")
    return OAuthError("invalid_request", error.told if isinstance(error, Refusal) else str(error))


async def revoke(control: Control, request: Request) -> Response:
    """Revoke a pass. Holding it is the authorization; an unknown one is answered alike (RFC 7009, section 2.2)."""
    try:
        token = _required(await read_form(request), "token")
        await control.passing.revoke(Remote(source_of(request)), token)
    except (BadRequest, Refusal) as error:
        raise _oauth_error(error) from None
    return Response(status_code=200)
