"""A kind of resource that speaks HTTP, as the gateway knows it: a flavour, and what all of them share."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from importlib.resources.abc import Traversable
from typing import Literal

from pydantic import BaseModel

from blastwall.model.credential import Credential
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.resource import Address, Resource
from blastwall.model.statement import Statement
from blastwall.protocols.contract import Arrival, Companion, Opening, Reception
from blastwall.protocols.http.azure_clients import OTHER_IDENTITIES, environment
from blastwall.protocols.http.faults import Unreadable
from blastwall.protocols.http.flavour import Flavour
from blastwall.protocols.http.forwarding import HttpForwarder
from blastwall.protocols.http.reception import HttpReception
from blastwall.protocols.http.session import HttpSession
from blastwall.protocols.http.stated import stated, written
from blastwall.protocols.kind import ClientAddress


class HttpKind:
    """Implements `ProtocolKind` for a flavour."""

    def __init__(self, flavour: Flavour) -> None:
        self._flavour = flavour

    @property
    def kind(self) -> str:
        return self._flavour.kind

    @property
    def port(self) -> int:
        return self._flavour.port

    @property
    def plane(self) -> str:
        return self._flavour.plane

    @property
    def scope(self) -> str:
        return self._flavour.scope

    @property
    def masked_by(self) -> Literal["columns", "fields"]:
        return "fields"

    @property
    def proves_each(self) -> bool:
        return True

    @property
    def reception(self) -> Callable[[Arrival], Reception]:
        return HttpReception

    @property
    def settings(self) -> type[BaseModel]:
        return self._flavour.settings

    def credential_fault(self, settings: BaseModel, *, user: bool, token: bool) -> str:
        return self._flavour.credential_fault(settings, user=user, token=token)

    @property
    def pack(self) -> Traversable | None:
        return self._flavour.pack

    def session(self, opening: Opening) -> HttpSession:
        return HttpSession(opening, self._flavour)

    def companion(self, opening: Opening, credential: Credential, name: str) -> Companion | None:
        """No session looks anything up."""
        return None

    def estimate(self, database: str, effects: Sequence[Effect]) -> tuple[str, Hashable] | None:
        return None

    def auditor(self, opening: Opening, credential: Credential, database: str) -> None:
        """Nothing speaks for all that answers to HTTP."""

    def classify(self, text: str, database: str, resource: Resource) -> Sequence[Statement]:
        """Classify `METHOD URL`, header fields that decide, and after an empty line the body.

        What would be refused before it is judged is unclassified.
        """
        try:
            request = written(text, self._flavour.path)
        except Unreadable as fault:
            effect = Effect(Action.UNCLASSIFIED, Object((), "resource"))
            return (Statement(text, (effect,), "", "", doubt=f"no request that would be read: it has {fault}"),)
        return (stated(request, self._flavour.judge(request, resource)),)

    def environment(self, address: ClientAddress) -> Mapping[str, str]:
        """Return the flavour's, before which stands what all clients of Azure read where they bring tokens."""
        direct = address.direct
        common = {} if direct is None else environment(direct, manages=self.plane == "control")
        return {**common, **self._flavour.environment(address)}

    @property
    def strays(self) -> frozenset[str]:
        return self._flavour.strays | (OTHER_IDENTITIES if self.scope else frozenset())

    def forwarder(self, gateway: Address) -> HttpForwarder:
        return HttpForwarder(gateway)

    def socket_name(self, port: int) -> str:
        return f".s.HTTP.{port}"

    def command(self, address: ClientAddress) -> Sequence[str]:
        return self._flavour.command(address)
