"""Where a token comes from: what the environment offers, or what was named.

| name | by | where it is |
| --- | --- | --- |
| token-file | a file, read anew each time | `--token-file` |
| token | the variable BLASTWALL_TOKEN | anywhere |
| github | ACTIONS_ID_TOKEN_REQUEST_URL and …_TOKEN | GitHub Actions, with `permissions: id-token: write` |
| azure-devops | SYSTEM_OIDCREQUESTURI and SYSTEM_ACCESSTOKEN | Azure Pipelines, with the token mapped into the step |
| workload-identity | AZURE_FEDERATED_TOKEN_FILE | AKS and wherever else Azure workload identity is |
| managed-identity | IDENTITY_ENDPOINT; by name also the metadata service | App Service, containers, machines |
| login | `blastwall login` | a person's machine |
| az | the Azure CLI's login | a person's machine |

Each request goes to the address that the environment itself names; the answer's token is shown to the gateway alone.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from blastwall.connecting.proofs import Fetch, NoProof, Proof, proof_of

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

NAMES = ("token-file", "token", "github", "azure-devops", "workload-identity", "managed-identity", "login", "az")
"""Every source, in the order in which they are looked for."""

SECRET_VARIABLES = frozenset(
    {"BLASTWALL_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "SYSTEM_ACCESSTOKEN", "IDENTITY_HEADER", "MSI_SECRET"}
)
"""What sources need and a client that `connect` starts does not."""

_SECONDS = 20.0
_MOST_BYTES = 256 << 10
_MOST_TOKEN = 64 << 10


class NoSource(Exception):
    """Nothing here gives a token; the text says what was looked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a token is wanted for. `login` is what `blastwall login` kept for the gateway, where it did."""

    audience: str
    environment: Mapping[str, str] = field(repr=False)
    token_file: Path | None = None
    login: Proof | None = field(default=None, repr=False)


def fetch_by(name: str, asked: Asked) -> Fetch:
    """Return what fetches tokens from the source of this name, whether or not it seems to be there."""
    return partial(_SOURCES[name].fetch, asked)


def detect(asked: Asked) -> str:
    """Return the first source that is there.

    Raises:
        NoSource: there is none.
    """
    found = next((name for name in NAMES if _SOURCES[name].present(asked)), None)
    if found is None:
        raise NoSource(
            "no token: this is no GitHub Actions or Azure Pipelines job with a right to one, no Azure workload or "
            "managed identity, and nobody is logged in; run `blastwall login`, set BLASTWALL_TOKEN or give --token-file"
        )
    return found


# ── files and variables ──────────────────────────────────────────────────────────────────────────────────────────────


async def _token_file(asked: Asked) -> Proof:
    path = asked.token_file
    if path is None:
        raise NoProof("give the file with --token-file")
    try:
        text = (await asyncio.to_thread(path.read_text, encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise NoProof(f"the token file {path} cannot be read: {reason}") from None
    return _checked(text, f"the token file {path}")


async def _token(asked: Asked) -> Proof:
    return _checked(asked.environment.get("BLASTWALL_TOKEN", "").strip(), "BLASTWALL_TOKEN")


async def _login(asked: Asked) -> Proof:
    if asked.login is None:
        raise NoProof("you are not logged in at this gateway; run `blastwall login`")
    if asked.login.ends <= time.time():
        raise NoProof("your login has ended; run `blastwall login`")
    return asked.login


def _checked(token: str, source: str) -> Proof:
    if not token or len(token) > _MOST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise NoProof(f"{source} holds no token" if not token else f"{source} holds something else than one token")
    return proof_of(token, time.time())


# ── pipelines ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _github(asked: Asked) -> Proof:
    """https://docs.github.com/actions/reference/security/oidc#methods-for-requesting-the-oidc-token."""
    url = _variable(
        asked, "ACTIONS_ID_TOKEN_REQUEST_URL", "GitHub Actions; the job needs `permissions: id-token: write`"
    )
    bearer = _variable(asked, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "GitHub Actions")
    joined = f"{url}{'&' if urlsplit(url).query else '?'}audience={quote(asked.audience, safe='')}"
    answer = await _request("GET", joined, bearer, "GitHub Actions")
    return _checked(str(answer.get("value") or ""), "GitHub's answer")


async def _azure_devops(asked: Asked) -> Proof:
    """https://learn.microsoft.com/rest/api/azure/devops/distributedtask/oidctoken/create."""
    url = _variable(asked, "SYSTEM_OIDCREQUESTURI", "Azure Pipelines")
    bearer = _variable(
        asked, "SYSTEM_ACCESSTOKEN", "Azure Pipelines; map it: `env: {SYSTEM_ACCESSTOKEN: $(System.AccessToken)}`"
    )
    connection = asked.environment.get("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", "")
    wanted = f"&serviceConnectionId={quote(connection, safe='')}" if connection else ""
    answer = await _request("POST", f"{url}?api-version=7.1{wanted}", bearer, "Azure Pipelines")
    return _checked(str(answer.get("oidcToken") or ""), "Azure Pipelines' answer")


def _variable(asked: Asked, name: str, whose: str) -> str:
    value = asked.environment.get(name, "")
    if not value:
        raise NoProof(f"{name} is not set; it comes from {whose}")
    return value


async def _request(method: str, url: str, bearer: str, whom: str) -> Mapping[str, object]:
    """Ask the pipeline's service for a token. Its address and the right to ask come from the job's environment."""
    import aiohttp

    if urlsplit(url).scheme != "https":
        raise NoProof(f"the address where {whom} gives tokens is not https")
    headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/json", "Content-Type": "application/json"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS), trust_env=True) as session,
            session.request(method, url, headers=headers, allow_redirects=False) as response,
        ):
            body = await response.content.read(_MOST_BYTES)
            return _object(body, response.status, whom)
    except (aiohttp.ClientError, OSError) as error:
        raise NoProof(f"{whom} cannot be asked for a token: {type(error).__name__}") from None
    except TimeoutError:
        raise NoProof(f"{whom} did not answer within {_SECONDS:.0f} s") from None


def _object(body: bytes, status: int, whom: str) -> Mapping[str, object]:
    import json

    if status != 200:
        raise NoProof(f"{whom} refuses a token: it answered {status}")
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise NoProof(f"{whom} answered without JSON")
    return answer


# ── Azure ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _workload_identity(asked: Asked) -> Proof:
    from blastwall.config.azure import AzureIdentity
    from blastwall.vault.azure_identities import credential_of

    authority = asked.environment.get("AZURE_AUTHORITY_HOST", "").rstrip("/") or None
    try:
        identity = AzureIdentity(identity="workload-identity", authority=authority)
        credential = await credential_of(identity)
    except (ValueError, OSError) as error:
        raise NoProof(f"the workload identity cannot be used: {_first_line(error)}") from None
    return await _entra(asked, "workload identity", credential)


async def _managed_identity(asked: Asked) -> Proof:
    from blastwall.config.azure import AzureIdentity
    from blastwall.vault.azure_identities import credential_of

    client = asked.environment.get("AZURE_CLIENT_ID") or None
    credential = await credential_of(AzureIdentity(identity="managed-identity", client_id=client))
    return await _entra(asked, "managed identity", credential)


async def _az(asked: Asked) -> Proof:
    from blastwall.vault.azure_identities import load_sdk

    await load_sdk("azure.identity.aio")
    from azure.identity.aio import AzureCliCredential

    return await _entra(asked, "Azure CLI", AzureCliCredential())


async def _entra(asked: Asked, whose: str, credential: AsyncTokenCredential) -> Proof:
    """Have Microsoft Entra make a token for the audience: the gateway's app registration."""
    from azure.core.exceptions import AzureError

    try:
        async with credential:
            token = await credential.get_token(f"{asked.audience}/.default")
    except (AzureError, ValueError, OSError) as error:
        raise NoProof(f"{whose} gives no token for {asked.audience} (--audience): {_first_line(error)}") from None
    return Proof(token.token, float(token.expires_on))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:300]


# ── all of them ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Source:
    present: Callable[[Asked], bool]
    fetch: Callable[[Asked], Awaitable[Proof]]


def _has(*names: str) -> Callable[[Asked], bool]:
    return lambda asked: all(asked.environment.get(name) for name in names)


_SOURCES = {
    "token-file": _Source(lambda asked: asked.token_file is not None, _token_file),
    "token": _Source(_has("BLASTWALL_TOKEN"), _token),
    "github": _Source(_has("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"), _github),
    "azure-devops": _Source(_has("SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN"), _azure_devops),
    "workload-identity": _Source(_has("AZURE_FEDERATED_TOKEN_FILE"), _workload_identity),
    "managed-identity": _Source(
        lambda asked: any(asked.environment.get(name) for name in ("IDENTITY_ENDPOINT", "MSI_ENDPOINT")),
        _managed_identity,
    ),
    "login": _Source(lambda asked: asked.login is not None, _login),
    "az": _Source(lambda asked: which("az", path=asked.environment.get("PATH", os.defpath)) is not None, _az),
}
