"""What Azure's SDKs report, said to the operator: the codes, and what to do; never the services' own text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from blastwall.vault.readers import SecretUnavailable
from blastwall.vault.renewal import FetchFailed

_CODE = re.compile(r"\b(AADSTS|AKV)\d+\b")
_TRANSIENT = frozenset({408, 410, 429, *range(500, 600)})
_LONGEST_WAIT = 3600.0

_ENTRA: Mapping[str, str] = {
    "AADSTS90002": "there is no such tenant; correct `tenant`",
    "AADSTS700016": "the tenant has no such application; correct `client_id` or `tenant`",
    "AADSTS7000215": "the client secret is wrong; give its value, not its id",
    "AADSTS7000222": "the client secret has expired; make a new one",
    "AADSTS700027": "the certificate is not registered with the application",
    "AADSTS700024": "the federated token has expired; see that its file is renewed",
    "AADSTS70021": "no federated credential matches; add one with the token's issuer, subject and audience",
    "AADSTS700211": "no federated credential has the token's issuer; correct it",
    "AADSTS700212": "no federated credential has the token's audience; correct it",
    "AADSTS700213": "no federated credential has the token's subject; correct it",
    "AADSTS500011": "the tenant does not know what the token is asked for; correct `scope`",
}
"""Codes of Entra ("Microsoft Entra authentication and authorization error codes")."""

_VAULT: Mapping[str, str] = {
    "SecretDisabled": "the secret is disabled; enable it, or name another one",
    "ForbiddenByRbac": "the identity may not read it; give it the role Key Vault Secrets User",
    "AccessDenied": "the identity may not read it; give it the permission Get on secrets",
    "ForbiddenByFirewall": "the vault's firewall does not let the gateway in",
    "ForbiddenByConnection": "the vault takes private connections only; give the gateway a private endpoint",
    "SecretNotFound": "there is no such secret; make it, or correct the name",
    "SecretNotYetValid": "the secret is not valid yet (`nbf`)",
    "SecretExpired": "the secret has expired (`exp`); make a new version",
    "AKV10032": "the vault is in another tenant than the identity; correct `tenant`, or choose the other identity",
    "AKV10001": "the vault refuses the token",
}
"""Codes of Key Vault ("Azure Key Vault REST API error codes") and their inner ones."""


def told(source: str, error: Exception, *, vault: bool) -> FetchFailed:
    """Return what an SDK's error means for `source`. `vault`: the answer of a vault may withdraw a secret."""
    if isinstance(error, TimeoutError):
        return FetchFailed(f"{source}: no answer in time", again=0.0)
    if isinstance(error, SecretUnavailable):
        return FetchFailed(f"{source}: {error}")  # the identity's own secret, whose text is ours
    response = next(_responses(error), None)
    status = response.status_code if response is not None else None
    text = " ".join(str(one) for one in _chain(error))
    codes = [*_vault_codes(error), *(match[0] for match in _CODE.finditer(text))]
    known = next((_VAULT.get(code) or _ENTRA.get(code) for code in codes if code in _VAULT or code in _ENTRA), "")
    named = f" ({', '.join(dict.fromkeys(codes))})" if codes else ""
    if status in _TRANSIENT:
        why = "it is throttled" if status == 429 else f"it answers {status}"
        return FetchFailed(f"{source}: {why}{named}; it is asked again", again=_retry_after(response))
    refused = vault and status in {401, 403, 404} and _by_the_vault(error)
    if status is None and not known:
        return _unanswered(source, error, text)
    if not known and status == 400 and "CredentialUnavailableError" in {type(one).__name__ for one in _chain(error)}:
        known = "no identity is assigned to this machine, or none with this `client_id`; assign it, or correct that"
    reason = known or f"it is refused with {status}"
    return FetchFailed(f"{source}: {reason}{named}", withdrawn=refused)


def _unanswered(source: str, error: Exception, text: str) -> FetchFailed:
    """Return what an error without a response means: nobody answered, or the SDK did not even ask."""
    if "not configured to acquire tokens for tenant" in text:
        return FetchFailed(f"{source}: the vault is in another tenant than the identity; correct `tenant`")
    if isinstance(error, ValueError):
        return FetchFailed(f"{source}: the identity's configuration is not complete or its file cannot be used")
    if isinstance(error, OSError):
        return FetchFailed(f"{source}: a file of the identity's cannot be read: {error.strerror}")
    if "unavailable" in text and "IMDS" in text:
        reason = "this machine's managed identity service does not answer; is an identity assigned to it?"
        return FetchFailed(f"{source}: {reason}", again=0.0)
    return FetchFailed(f"{source}: it cannot be reached, or its certificate does not hold", again=0.0)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


class _Response:
    """Status and headers of an answer, whatever the SDK's type for it."""

    def __init__(self, status_code: int, headers: Mapping[str, str]) -> None:
        self.status_code = status_code
        self.headers = headers


def _responses(error: BaseException) -> Iterator[_Response]:
    for one in _chain(error):
        response: object = getattr(one, "response", None)
        status: object = getattr(response, "status_code", None)
        headers: object = getattr(response, "headers", None)
        if isinstance(status, int) and isinstance(headers, Mapping):
            yield _Response(status, headers)


def _vault_codes(error: BaseException) -> Iterator[str]:
    """Yield the inner code and the code of an OData error, the more telling one first."""
    for one in _chain(error):
        found: object = getattr(one, "error", None)
        inner: object = getattr(found, "innererror", None)
        for holder in (inner, found):
            code: object = holder.get("code") if isinstance(holder, dict) else getattr(holder, "code", None)
            if isinstance(code, str) and code.isalnum() and len(code) < 64:
                yield code


def _by_the_vault(error: BaseException) -> bool:
    """Whether a vault refused, not the service that makes tokens: only its errors are OData errors."""
    return next(_vault_codes(error), None) is not None


def _retry_after(response: _Response | None) -> float:
    value = next((v for k, v in response.headers.items() if k.lower() == "retry-after"), "") if response else ""
    try:
        return min(max(float(value), 0.0), _LONGEST_WAIT)
    except ValueError:
        return 0.0
