"""The use-case of `blastwall connect`: where a resource's listener is, for who may connect there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from blastwall.control.access import Access, Remote, UseCases, use_case
from blastwall.control.exchanging import NoSuchTarget, may_connect
from blastwall.gate.ports import Grants, Policy, Subject
from blastwall.model.resource import Resource


@dataclass(frozen=True, slots=True)
class Listener:
    """How a resource is reached here. `databases` are those that the caller may connect to, the default first.

    `hosts` are the names by which alone it is reached; without any every name does.
    """

    resource: str
    kind: str
    port: int
    databases: tuple[str, ...]
    hosts: tuple[str, ...] = ()


class Connecting(UseCases):
    """Says where a listener is. Whether a login is let in is asked again at the login."""

    def __init__(
        self,
        policy: Callable[[], Policy],
        grants: Grants,
        resources: Callable[[], Mapping[str, Resource]],
        ports: Callable[[], Mapping[str, int]],
        hosts: Callable[[], Mapping[str, tuple[str, ...]]] = dict,
    ) -> None:
        self._policy = policy
        self._grants = grants
        self._resources = resources
        self._ports = ports
        self._hosts = hosts

    @use_case(Access.AGENT)
    async def listener(self, caller: Remote, name: str) -> Listener:
        """Return where the listener of a resource is.

        Raises:
            NoSuchTarget: there is no such resource for this caller; a name that there is not looks alike.
        """
        resource, port = self._resources().get(name), self._ports().get(name)
        principal = caller.principal
        if resource is None or port is None or principal is None:
            raise NoSuchTarget("there is no such resource, or none that you may connect to")
        policy = self._policy()
        permitted = tuple(
            database
            for database in resource.databases or ("",)
            if may_connect(policy, self._grants, Subject(principal, resource, database, caller.source, resource.plane))
        )
        if not permitted:
            raise NoSuchTarget("there is no such resource, or none that you may connect to")
        hosts = self._hosts().get(name, ())
        return Listener(resource.name, resource.kind, port, tuple(filter(None, permitted)), hosts)
