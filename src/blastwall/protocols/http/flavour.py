"""What the kinds of this protocol have of their own: how a request is judged, authorised, answered and refused.

A session reads requests, has them ruled on and passes them; what a request means, a flavour says. It holds no state of
a connection: everything is a function of the request and the resource.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from typing import Protocol

from pydantic import BaseModel

from blastwall.model.credential import Credential
from blastwall.model.effects import Effect
from blastwall.model.resource import Resource
from blastwall.model.statement import Literal
from blastwall.protocols.http.normalise import PathRule
from blastwall.protocols.http.request import Headers, Request
from blastwall.protocols.kind import ClientAddress


@dataclass(frozen=True, slots=True)
class Judged:
    """What a request would do.

    `operation` is Azure's own word ("Microsoft.Compute/virtualMachines/delete") or the method. `doubt` says why an
    effect is `unclassified`. `fields` are the header fields that decide over it: they are part of the statement's text,
    so that what is approved is what is sent. `secrets` are parts of that text that no recording may hold; its `start`
    and `end` count characters of what `statement_text` gives for these fields. `reveals` marks an answer that hands out
    a credential: its body is recorded by no more than its size.
    """

    effects: tuple[Effect, ...]
    operation: str
    doubt: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    secrets: tuple[Literal, ...] = ()
    reveals: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """An answer of the gateway's own. Length and connection fields are added when it is written."""

    status: int
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is refused: `reason` for the client, `link` where people decide on it.

    `status` is 401 where a proof is missing or worth nothing, 403 where policy refuses, 400, 413 or 431 where the
    request cannot be read, 429 where it may be sent later, 502 to 504 where the resource cannot be reached or its
    answer cannot be passed on.
    """

    status: int
    reason: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """How the resource's answer is passed on.

    `headers` replace the resource's. `edits` name values of a JSON or XML body that are replaced, by the path of
    masking rules (`$.nextLink`): each is called with the text and returns what the client gets. `refused` says why it
    is not passed on at all (a redirect to a foreign host). `renew` has the request sent once more with a renewed
    credential, for the claims that the resource asks for; `""` asks for none in particular.
    """

    headers: Headers
    edits: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    refused: str = ""
    renew: str | None = None


class Flavour(Protocol):
    """One `kind:` of resource that speaks HTTP."""

    @property
    def kind(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def plane(self) -> str:
        """What policies read as `context.plane`: `control` or `data`."""

    @property
    def scope(self) -> str:
        """The scope of Entra tokens for it (`https://management.azure.com/.default`); empty where there is none."""

    @property
    def upgrades(self) -> bool:
        """Whether a connection may be upgraded to WebSocket."""

    @property
    def path(self) -> PathRule:
        """What its paths may have that others may not."""

    @property
    def settings(self) -> type[BaseModel]: ...

    def credential_fault(self, settings: BaseModel, *, user: bool, token: bool) -> str:
        """See `ProtocolKind.credential_fault`."""

    def environment(self, address: ClientAddress) -> Mapping[str, str]:
        """See `ProtocolKind.environment`."""

    @property
    def strays(self) -> frozenset[str]:
        """See `ProtocolKind.strays`."""

    def command(self, address: ClientAddress) -> Sequence[str]:
        """See `ProtocolKind.command`."""

    @property
    def pack(self) -> Traversable | None: ...

    def local(self, request: Request, resource: Resource) -> Response | None:
        """Answer a request that the gateway answers by itself and to anybody (what a client reads before its login)."""

    def challenge(self, request: Request, resource: Resource, reason: str) -> Response:
        """Answer a request without a proof that holds: 401, in words that the clients of this kind act on."""

    def wants(self, request: Request, resource: Resource) -> int:
        """How many bytes of the body, decoded, are read before the request is judged: a longer one is refused.

        0: the body is not read, and streams.
        """

    def judge(self, request: Request, resource: Resource) -> Judged:
        """Say what the request would do. What cannot be told is `unclassified`. Never raises."""

    def authorise(self, request: Request, resource: Resource, credential: Credential) -> Headers:
        """Return the header fields that the resource gets, with the credential in place of the client's proof.

        Hop-by-hop and forwarding fields are gone already, and `Host` is the upstream's; framing fields are added after.
        """

    def body(self, request: Request, resource: Resource, credential: Credential) -> bytes | None:
        """Return the body that the resource gets in place of the one that was read; None: that one.

        For bodies that carry credentials of the client's (a batch of requests, each with its own). Its length is that
        of the framing fields that are added, and it has no content coding.
        """

    def answered(self, request: Request, resource: Resource, status: int, headers: Headers) -> Answer:
        """Say how the head of the resource's answer, and which values of its body, are passed on."""

    def refusal(self, request: Request | None, resource: Resource, refusal: Refusal) -> Response:
        """Return a refusal as this kind's clients print it; None where the request could not be read."""


def statement_text(request: Request, fields: tuple[tuple[str, str], ...] = ()) -> str:
    """Return the text of a request's statement: method, URL, `fields`, and the body where it was read and is text."""
    head = "\n".join((f"{request.method} {request.url}", *(f"{name}: {value}" for name, value in fields)))
    if not request.body:
        return head
    try:
        return f"{head}\n\n{request.body.decode()}"
    except UnicodeDecodeError:
        return head
