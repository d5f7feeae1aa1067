"""A resource: one thing behind the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address

from pydantic import BaseModel


class TlsMode(StrEnum):
    """How the gateway secures the upstream connection; `VERIFY_FULL` checks chain and host name."""

    DISABLE = "disable"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to dial. `ca` is a PEM file or None for the system's."""

    host: str
    port: int
    tls: TlsMode = TlsMode.VERIFY_FULL
    ca: str | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class HostTarget(StrEnum):
    """Which of several hosts will do: any that lets the gateway in, or the one that takes writes."""

    ANY = "any"
    PRIMARY = "primary"


@dataclass(frozen=True, slots=True)
class RecordedResults:
    """How much of each result is recorded."""

    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing behind the gateway. `databases` are the ones that a client may name; the first is the default.

    `standbys` are further hosts, tried in their order after `upstream`, of which one fits `target`. `results` says how
    much of results is recorded; None: nothing. `plane` is "control" where it manages resources, else "data": what is
    managed has a place of its own in Azure's tree, of which `azure` says nothing. `sign_in` is the URL of the control
    port, where clients get tokens of the gateway's.
    """

    name: str
    kind: str
    upstream: Address
    databases: tuple[str, ...] = ()
    azure: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    settings: BaseModel | None = None
    standbys: tuple[Address, ...] = ()
    target: HostTarget = HostTarget.ANY
    results: RecordedResults | None = None
    plane: str = "data"
    sign_in: str = ""

    @property
    def hosts(self) -> tuple[Address, ...]:
        """Every host, in the order in which they are tried."""
        return (self.upstream, *self.standbys)


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
