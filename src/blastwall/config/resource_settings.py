"""What is behind the gateway: `resources:`, and where each of them is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from blastwall.config.azure import AzureIdentity
from blastwall.config.credentials import CredentialSource
from blastwall.config.types import File, HostName, Name, NonEmpty, Period, Port, Size, Strict
from blastwall.model.resource import HostTarget, TlsMode

_PLACE = re.compile(r"(?P<host>[A-Za-z0-9._\-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>\d{1,5}))?")


def _host_and_port(text: str) -> str:
    match = _PLACE.fullmatch(text)
    if match is None or not 1 <= int(match["port"] or 1) <= 65535:
        raise ValueError("expects HOST or HOST:PORT, an IPv6 address in brackets")
    return text


def _place(text: str, port: int | None) -> tuple[str, int | None]:
    match = _PLACE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} was not checked")
    return match["host"].strip("[]"), int(match["port"]) if match["port"] else port


HostAndPort = Annotated[str, AfterValidator(_host_and_port)]


class WarmSettings(Strict):
    """Upstream connections that are kept after a session, for the next one of the same principal."""

    connections: Annotated[int, Field(ge=1)] = Field(description="So many are parked at most, over all workers.")
    idle: Period = Field(timedelta(seconds=60), description="A parked connection is closed after this time.")
    age: Period = Field(
        timedelta(minutes=10), description="A connection is parked no more once it is so old: it logs in anew."
    )


class Upstream(Strict):
    """The resource's own address."""

    host: NonEmpty | None = Field(
        None, description="Host name or address; with `verify-full` the certificate must carry it."
    )
    hosts: list[HostAndPort] = Field(
        default_factory=list,
        description="Instead of `host`, several as `HOST` or `HOST:PORT`, tried in their order at each login.",
    )
    target: HostTarget = Field(
        HostTarget.ANY,
        description="Which of them will do: `any` that lets the gateway in, or the `primary`, which takes writes "
        "(PostgreSQL 14 or later; SQL Server).",
    )
    port: Port | None = Field(None, description="Port; default: the protocol's own.")
    database: str | None = Field(None, description="The default database, where the protocol has databases.")
    databases: list[NonEmpty] = Field(default_factory=list, description="Further databases that clients may name.")
    tls: TlsMode = Field(TlsMode.VERIFY_FULL, description="How the connection to the resource is secured.")
    ca: File | None = Field(None, description="PEM file of the CA of its certificate; default: the system's.")
    warm: WarmSettings | None = Field(None, description="Keeping connections warm; default: each session logs in.")

    @model_validator(mode="after")
    def _somewhere(self) -> Upstream:
        if (self.host is None) == (not self.hosts):
            raise ValueError("give either `host` or `hosts`")
        return self

    @property
    def places(self) -> tuple[tuple[str, int | None], ...]:
        """Hosts and their ports, in their order; no port stands for the protocol's own."""
        given = [self.host] if self.host is not None else []
        return (*((host, self.port) for host in given), *(_place(each, self.port) for each in self.hosts))


def _one_or_several(value: object) -> str:
    return "several" if isinstance(value, list) else "one"


class RecordSettings(Strict):
    """What is recorded of a resource's sessions besides statements and rulings."""

    results: Literal["none", "masked"] = Field(
        "none", description="`masked`: the first rows of each result, masked for everybody; also those of COPY TO."
    )
    rows: Annotated[int, Field(ge=1, le=10_000)] = Field(100, description="Rows recorded of one statement's result.")
    bytes: Size = Field(64 << 10, description="Bytes of values recorded of one statement's result.")


class ResourceSettings(Strict):
    """One thing behind the gateway."""

    name: Name = Field(description="Its name in policies, recordings and logs.")
    kind: NonEmpty = Field(description="Its protocol.")
    listen: Port = Field(
        description="The port on which clients reach it. Resources whose clients say a host name may share one."
    )
    hosts: list[HostName] = Field(
        default_factory=list,
        description="Names by which clients reach it, where it shares its port; default: whatever name.",
    )
    plain_text: bool = Field(
        False, description="Accept clients without TLS; only where `listen` is a loopback address."
    )
    azure: str = Field("", description="Its Azure resource id.")
    tags: dict[str, str] = Field(default_factory=dict, description="Tags that policies read.")
    upstream: Upstream = Field(description="Where it is.")
    credential: Annotated[
        Annotated[CredentialSource, Tag("one")]
        | Annotated[list[CredentialSource], Field(min_length=1), Tag("several")],
        Discriminator(_one_or_several),
    ] = Field(description="What the gateway logs in with; a list gives groups (`for`) their own.")
    record: RecordSettings = Field(default_factory=RecordSettings, description="What is recorded of results.")
    settings: dict[str, object] = Field(default_factory=dict, description="The protocol's own settings.")

    @property
    def credentials(self) -> tuple[CredentialSource, ...]:
        """The credentials as a tuple, however they were written."""
        return tuple(self.credential) if isinstance(self.credential, list) else (self.credential,)


def identities_of(settings: ResourceSettings) -> Iterator[tuple[tuple[str | int, ...], AzureIdentity]]:
    """Yield the Azure identities of a resource's credentials, each with its key below the resource."""
    several = isinstance(settings.credential, list)
    for number, credential in enumerate(settings.credentials):
        base = ("credential", number) if several else ("credential",)
        if credential.entra is not None:
            yield (*base, "entra"), credential.entra
        if credential.password is not None and credential.password.keyvault is not None:
            yield (*base, "password", "identity"), credential.password.vault_identity
