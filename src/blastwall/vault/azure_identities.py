"""The SDK's credential of a configured identity. Each is made for one use, so nothing that it caches is ever stale.

The SDKs are imported when they are first needed, in another thread: it takes about a second.
"""

from __future__ import annotations

import asyncio
import logging
from importlib import import_module
from typing import TYPE_CHECKING, TypedDict, cast

from blastwall.config.azure import AzureIdentity, LocalSecret
from blastwall.vault.readers import EnvironmentReader, FileReader, SecretReader

if TYPE_CHECKING:
    from pathlib import Path

    from azure.identity.aio import (
        CertificateCredential,
        ClientSecretCredential,
        ManagedIdentityCredential,
        WorkloadIdentityCredential,
    )

    Credential = ManagedIdentityCredential | WorkloadIdentityCredential | ClientSecretCredential | CertificateCredential

_PUBLIC_AUTHORITIES = ("login.microsoftonline.com", "login.microsoftonline.us", "login.chinacloudapi.cn")
SECONDS = 10.0
"""How long one question to Azure may take; the renewal decides whether to ask again, not the SDK."""


class Transport(TypedDict, total=False):
    """How the SDKs talk: they retry nothing, and trust the CA that is configured."""

    retry_total: int
    connection_timeout: float
    read_timeout: float
    connection_verify: str


class _Authority(Transport, total=False):
    authority: str
    disable_instance_discovery: bool


def transport(ca: Path | None) -> Transport:
    """Return the options of one SDK client."""
    options = Transport(retry_total=0, connection_timeout=5.0, read_timeout=SECONDS)
    if ca is not None:
        options["connection_verify"] = str(ca)
    return options


async def load_sdk(module: str) -> None:
    """Import a module of the SDK without holding up the loop; its own log says nothing that errors do not say."""
    await asyncio.to_thread(import_module, module)
    logging.getLogger("azure").setLevel(logging.CRITICAL)
    logging.getLogger("msal").setLevel(logging.CRITICAL)


def called(identity: AzureIdentity) -> str:
    """Return an identity's name for errors: its kind, and its client id where it has one."""
    return f"{identity.identity} {identity.client_id}" if identity.client_id is not None else identity.identity


async def credential_of(identity: AzureIdentity) -> Credential:
    """Return a fresh credential, to be used as a context manager.

    Raises:
        SecretUnavailable: the client secret cannot be read.
        ValueError, OSError: something is missing from configuration and environment, or a file cannot be used.
    """
    await load_sdk("azure.identity.aio")
    from azure.identity.aio import (
        CertificateCredential,
        ClientSecretCredential,
        ManagedIdentityCredential,
        WorkloadIdentityCredential,
    )

    tenant, client = identity.tenant or "", identity.client_id or ""
    if identity.identity == "managed-identity":
        return ManagedIdentityCredential(client_id=identity.client_id, **transport(identity.ca))
    if identity.identity == "workload-identity":
        file = str(identity.token_file) if identity.token_file is not None else None
        return WorkloadIdentityCredential(
            tenant_id=identity.tenant, client_id=identity.client_id, token_file_path=file, **_authority(identity)
        )
    if identity.secret is not None:
        secret = (await local_reader(identity.secret).read()).decode()
        return ClientSecretCredential(tenant, client, secret, **_authority(identity))
    return CertificateCredential(tenant, client, str(identity.certificate), **_authority(identity))


def _authority(identity: AzureIdentity) -> _Authority:
    options = cast("_Authority", transport(identity.ca))
    if identity.authority is not None:
        options["authority"] = identity.authority
        host = identity.authority.removeprefix("https://")
        options["disable_instance_discovery"] = host not in _PUBLIC_AUTHORITIES
    return options


def local_reader(source: LocalSecret) -> SecretReader:
    """Return the reader of a secret in a variable or a file."""
    if source.env is not None:
        return EnvironmentReader(source.env)
    if source.file is not None:
        return FileReader(source.file)
    raise ValueError("the configuration's model lets no source without `env` or `file` pass")
