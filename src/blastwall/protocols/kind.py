"""What a folder under `protocols/` supplies: its kind of resource, and all that is asked of it beside sessions."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.resources.abc import Traversable
from typing import Literal, Protocol

from pydantic import BaseModel

from blastwall.model.credential import Credential
from blastwall.model.effects import Effect
from blastwall.model.resource import Address, Resource
from blastwall.model.statement import Statement
from blastwall.protocols.contract import Answer, Arrival, Companion, Opening, Output, ProtocolSession, Reception, Side


class Weight(StrEnum):
    """How much a finding matters: as it should be, worth knowing, or a way around the gateway."""

    GOOD = "good"
    NOTE = "note"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something of a resource that says whether the gateway can be gone around, and what to do about it."""

    weight: Weight
    what: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Estimated:
    """How many rows a statement would change, by what the resource knows without running any of it.

    `rows` is None where nobody can tell; `note` says what to know of it. `counted` is set where each was seen: they are
    things rather than rows, and `note` begins with their name.
    """

    rows: int | None
    note: str
    counted: bool = False


AUDIT = "audit"
"""The question to an auditor; its reply is a tuple of `Finding`."""


class Forwarder(Protocol):
    """One client connection of `connect`'s, passed on to a resource's listener with the proof that the client lacks.

    It asks once, by `Ask(Login)`, and is answered with `Admit`, whose credential's secret is the proof that the gateway
    is shown, or with `Deny`. Dials, sends, TLS and closes as a session does. The client's side is never secured: it is
    this machine's own.
    """

    def receive(self, side: Side, data: bytes) -> Sequence[Output]: ...

    def receive_eof(self, side: Side) -> Sequence[Output]: ...

    def dial_failed(self, side: Side, reason: str) -> Sequence[Output]:
        """Tell the client, in its protocol, why the gateway cannot be reached."""

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> Sequence[Output]: ...

    def answer(self, number: int, answer: Answer) -> Sequence[Output]: ...


@dataclass(frozen=True, slots=True)
class Direct:
    """How clients that bring Azure's tokens reach a resource at the gateway itself, and where they get such tokens.

    `url` is the resource's at the gateway; `tenant` that of gateway tokens. `endpoint` and `header` are the App
    Service protocol's, `metadata` stands in place of the metadata service's address (its path is appended), and
    `instance` is that path appended. `bundle` is a PEM file of every CA that clients may trust, the gateway's among
    them; None where the system's do.
    """

    url: str
    tenant: str
    endpoint: str
    header: str = field(repr=False)
    metadata: str = field(repr=False)
    instance: str = field(repr=False)
    bundle: str | None = None


@dataclass(frozen=True, slots=True)
class ClientAddress:
    """How a client reaches a resource's listener, or the port that `connect` opens. `ca` (PEM) verifies the gateway.

    `host` is a folder where the port is a socket in it. `secret` is empty where none is needed. `direct` is set where
    clients may go to the gateway by themselves, with tokens of their own.
    """

    host: str
    port: int
    database: str
    user: str
    secret: str = field(repr=False)
    ca: str | None = None
    plain_text: bool = False
    direct: Direct | None = None


class ProtocolKind(Protocol):
    """A kind of resource: what a folder under `protocols/` exports, in its tuple `PROTOCOLS`."""

    @property
    def kind(self) -> str:
        """The `kind:` of a resource in the configuration."""

    @property
    def port(self) -> int:
        """The upstream port where the configuration names none."""

    @property
    def plane(self) -> str:
        """What policies read as `context.plane`: "control" where it manages resources, else "data"."""

    @property
    def scope(self) -> str:
        """What an Entra token for it is made for, where the configuration names no scope; "" where none is usual."""

    @property
    def proves_each(self) -> bool:
        """Whether each request carries a proof, which counts only as long as it lasts; else it opens sessions only."""

    @property
    def masked_by(self) -> Literal["columns", "fields"]:
        """What its answers have that a masking rule can name: columns of tables, or fields of documents."""

    @property
    def reception(self) -> Callable[[Arrival], Reception] | None:
        """What receives clients at a port that several resources share; None where they say no name to choose by."""

    @property
    def settings(self) -> type[BaseModel]:
        """Model of the resource's `settings:` in the configuration; unknown keys are errors."""

    def credential_fault(self, settings: BaseModel, *, user: bool, token: bool) -> str:
        """Say what is wrong with a credential for a resource of these settings; "" where nothing is.

        `user` is whether it names a user, `token` whether its secret is an Entra token.
        """

    @property
    def pack(self) -> Traversable | None:
        """The default pack: a Cedar file of forbids, on unless the configuration turns it off."""

    def session(self, opening: Opening) -> ProtocolSession: ...

    def companion(self, opening: Opening, credential: Credential, name: str) -> Companion | None: ...

    def estimate(self, database: str, effects: Sequence[Effect]) -> tuple[str, Hashable] | None:
        """Return a companion and the question whose reply is an `Estimated`; None where nothing can be said."""

    def auditor(self, opening: Opening, credential: Credential, database: str) -> Companion | None:
        """Return a companion that answers `AUDIT`: what the resource says of itself; None where it cannot be asked."""

    def environment(self, address: ClientAddress) -> Mapping[str, str]:
        """Environment variables that make the protocol's ordinary clients use the gateway."""

    @property
    def strays(self) -> frozenset[str]:
        """Variables that would lead ordinary clients elsewhere, or have them want what a local port does not give."""

    def forwarder(self, gateway: Address) -> Forwarder:
        """Pass one client connection of `connect`'s on to the resource's listener at `gateway`."""

    def socket_name(self, port: int) -> str:
        """The name of the socket file by which the ordinary clients know a port."""

    def classify(self, text: str, database: str, resource: Resource) -> Sequence[Statement]:
        """Classify a text for a resource offline, against an empty catalog: what `policy test` and `explain` judge."""

    def command(self, address: ClientAddress) -> Sequence[str]:
        """The ordinary client's command line, without the secret."""
