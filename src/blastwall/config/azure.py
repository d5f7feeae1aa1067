"""How the gateway proves itself to Azure: sections of `blastwall.yaml` that name an identity, never a secret."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from blastwall.config.types import File, Strict

IdentityKind = Literal["managed-identity", "workload-identity", "client-secret", "client-certificate"]

_HTTPS = re.compile(r"https://[A-Za-z0-9.\-]+(:\d{1,5})?/?")
_KINDS = ("managed-identity", "workload-identity", "client-secret", "client-certificate")
_NEEDS: dict[str, tuple[str, ...]] = {
    "managed-identity": (),
    "workload-identity": (),
    "client-secret": ("tenant", "client_id", "secret"),
    "client-certificate": ("tenant", "client_id", "certificate"),
}
_TAKES: dict[str, frozenset[str]] = {
    "managed-identity": frozenset({"client_id"}),
    "workload-identity": frozenset({"client_id", "tenant", "token_file", "authority"}),
    "client-secret": frozenset({"client_id", "tenant", "secret", "authority"}),
    "client-certificate": frozenset({"client_id", "tenant", "certificate", "authority"}),
}


def _https(url: str) -> str:
    if _HTTPS.fullmatch(url) is None:
        raise ValueError("expects https://HOST, without a path")
    return url.rstrip("/")


def word_as_identity(value: object) -> object:
    """Let a kind stand alone: `managed-identity` is `{identity: managed-identity}`."""
    if isinstance(value, str):
        if value not in _KINDS:
            raise ValueError(f"expects one of {', '.join(_KINDS)}, or keys and values")
        return {"identity": value}
    return value


Host = Annotated[str, AfterValidator(_https)]
"""An https URL of a host alone."""


class LocalSecret(Strict):
    """Where a secret lies that does not come from Azure itself."""

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = Field(
        None, description="Name of an environment variable."
    )
    file: File | None = Field(None, description="A file that holds the secret; one trailing newline is dropped.")

    @model_validator(mode="after")
    def _one(self) -> LocalSecret:
        if (self.env is None) == (self.file is None):
            raise ValueError("give either `env` or `file`")
        return self


class AzureIdentity(Strict):
    """Who the gateway is to Azure. A kind alone may stand for it: `managed-identity`."""

    identity: IdentityKind = Field("managed-identity", description="How the gateway proves itself to Azure.")
    client_id: str | None = Field(
        None,
        min_length=1,
        description="Client id: of a user-assigned managed identity (default: the system-assigned one), or of the app "
        "registration; for workload identity default `AZURE_CLIENT_ID`.",
    )
    tenant: str | None = Field(
        None, min_length=1, description="Tenant id; for workload identity default `AZURE_TENANT_ID`."
    )
    token_file: File | None = Field(
        None, description="Workload identity: the federated token's file; default `AZURE_FEDERATED_TOKEN_FILE`."
    )
    secret: LocalSecret | None = Field(None, description="Client secret: where it is read from.")
    certificate: File | None = Field(
        None, description="Client certificate: PEM file of the certificate and its private key."
    )
    authority: Host | None = Field(
        None,
        description="Where tokens are made: `https://login.microsoftonline.us` for Azure Government, "
        "`https://login.chinacloudapi.cn` for Azure China; default: `AZURE_AUTHORITY_HOST`, or the public cloud's.",
    )
    ca: File | None = Field(
        None, description="PEM file of the CA of the authority and the vault; default: the system's."
    )

    @model_validator(mode="after")
    def _whole(self) -> AzureIdentity:
        missing = [key for key in _NEEDS[self.identity] if getattr(self, key) is None]
        if missing:
            raise ValueError(f"{self.identity} needs {', '.join(f'`{key}`' for key in missing)}")
        keys = ("client_id", "tenant", "token_file", "secret", "certificate", "authority")
        unused = [key for key in keys if getattr(self, key) is not None and key not in _TAKES[self.identity]]
        if unused:
            raise ValueError(f"{self.identity} takes no {', '.join(f'`{key}`' for key in unused)}")
        return self


class EntraSource(AzureIdentity):
    """A Microsoft Entra token in a password's place. A kind alone may stand for it: `managed-identity`."""

    scope: Annotated[str, Field(pattern=r"^(https|api)://\S+/\.default$")] | None = Field(
        None, description="What the token is made for; default: what the kind's are in Azure's public cloud."
    )

    @property
    def made_for(self) -> str:
        """The scope. The loader gives every source its kind's; ValueError where it has none."""
        if self.scope is None:
            raise ValueError("this source was not loaded: it does not say what its token is made for")
        return self.scope


class AzureSettings(Strict):
    """What `check --dial` may ask Azure itself."""

    identity: Annotated[AzureIdentity, BeforeValidator(word_as_identity)] = Field(
        description="Who asks; it needs to read the resources (the role Reader)."
    )
    management: Host = Field(
        "https://management.azure.com",
        description="Azure Resource Manager; `https://management.usgovcloudapi.net` or "
        "`https://management.chinacloudapi.cn` in sovereign clouds.",
    )
