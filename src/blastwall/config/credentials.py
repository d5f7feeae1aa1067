"""Where secrets come from, and what the gateway logs in with at a resource."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from blastwall.config.azure import AzureIdentity, EntraSource, LocalSecret, word_as_identity
from blastwall.config.types import Duration, Name, NonEmpty, Period, Strict

_SECRET_URL = re.compile(r"https://[A-Za-z0-9.\-]+(:\d{1,5})?/secrets/[A-Za-z0-9\-]{1,127}(/[0-9a-f]{32})?")


def _secret_url(url: str) -> str:
    if _SECRET_URL.fullmatch(url) is None:
        raise ValueError("expects https://VAULT.vault.azure.net/secrets/NAME, with /VERSION to stay with one version")
    return url


class SecretSource(LocalSecret):
    """Where a secret is read from: files and variables anew for each login, Key Vault each `refresh`."""

    keyvault: Annotated[str, AfterValidator(_secret_url)] | None = Field(
        None,
        description="URL of an Azure Key Vault secret, `https://VAULT.vault.azure.net/secrets/NAME`; a new version is "
        "used within `refresh`. With `/VERSION` it stays with that one.",
    )
    identity: Annotated[AzureIdentity, BeforeValidator(word_as_identity)] | None = Field(
        None, description="Who the gateway is to Key Vault; default: `managed-identity`."
    )
    refresh: Period = Field(timedelta(minutes=5), description="How often Key Vault is asked for the secret.")
    stale: Duration = Field(
        timedelta(hours=24),
        description="How long the last value is used while Key Vault cannot be reached; not beyond the secret's own "
        "expiry. A vault that answers that the secret is disabled, deleted or forbidden is believed at once.",
    )

    @model_validator(mode="after")
    def _one(self) -> SecretSource:
        if sum(source is not None for source in (self.env, self.file, self.keyvault)) != 1:
            raise ValueError("give one of `env`, `file` and `keyvault`")
        unused = {"identity", "refresh", "stale"} & self.model_fields_set
        if self.keyvault is None and unused:
            raise ValueError(f"{', '.join(f'`{key}`' for key in sorted(unused))} belongs to `keyvault`")
        return self

    @property
    def vault_identity(self) -> AzureIdentity:
        """Who the gateway is to Key Vault."""
        return self.identity if self.identity is not None else AzureIdentity()


class CredentialSource(Strict):
    """What Blastwall shows to the resource."""

    user: NonEmpty | None = Field(None, description="Login name at the resource, where the kind wants one.")
    password: SecretSource | None = Field(None, description="Where its password is read from.")
    entra: Annotated[EntraSource, BeforeValidator(word_as_identity)] | None = Field(
        None,
        description="Instead of a password, a Microsoft Entra token: `managed-identity`, `workload-identity`, or keys; "
        "needs `tls: verify-full`.",
    )
    for_: list[Name] = Field(
        default_factory=list, alias="for", description="Groups that use this credential; default: everybody else."
    )

    @model_validator(mode="after")
    def _one(self) -> CredentialSource:
        if (self.password is None) == (self.entra is None):
            raise ValueError("give either `password` or `entra`")
        return self
