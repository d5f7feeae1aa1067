"""Use-cases of looking at agents and resources: what they are, what they do now, what an agent can reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from blastwall.config.callers import Agent
from blastwall.config.model import Configuration
from blastwall.control.access import Access, Caller, UseCases, use_case
from blastwall.control.archive import Archive
from blastwall.control.policy_subject import LOOPBACK, Who, subject_of
from blastwall.control.reach import Reached, reach
from blastwall.control.reading import Desk
from blastwall.model.principal import PrincipalKind
from blastwall.model.resource import Resource
from blastwall.policy.known import PackSource
from blastwall.policy.policy_set import PolicySet
from blastwall.protocols.kind import ProtocolKind
from blastwall.recording.summary import Summary
from blastwall.store.containments import ContainmentTable, Kind


class InForce(Protocol):
    """A configuration in force, with what follows from it: `app.plan.Plan`."""

    @property
    def configuration(self) -> Configuration: ...
    @property
    def kinds(self) -> Mapping[str, ProtocolKind]: ...
    @property
    def resources(self) -> Mapping[str, Resource]: ...
    @property
    def packs(self) -> tuple[PackSource, ...]: ...
    @property
    def policies(self) -> PolicySet: ...


class NoSuchAgent(Exception):
    """No agent of this name is configured."""


class NoSuchResource(Exception):
    """No resource of this name is configured."""


@dataclass(frozen=True, slots=True)
class Place:
    """What an agent can do in one database of a resource."""

    resource: str
    database: str
    actions: Mapping[str, Reached]


@dataclass(frozen=True, slots=True)
class AgentCard:
    """An agent. `last_seen` is in seconds since the epoch; None where it has no recorded session."""

    agent: Agent
    sessions_live: int
    last_seen: float | None
    contained: bool
    reach: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class ResourceCard:
    """A resource, without its credential."""

    resource: Resource
    listen: str
    sessions_live: int
    contained: bool


class Overview(UseCases):
    """Agents and resources.

    Args:
        plan: the configuration in force.
        archive: the recordings.
        containments: who is cut off.
        now: the time, in epoch seconds.
    """

    def __init__(
        self,
        plan: Callable[[], InForce],
        archive: Archive,
        containments: ContainmentTable,
        now: Callable[[], float],
    ) -> None:
        self._plan = plan
        self._archive = archive
        self._containments = containments
        self._now = now
        self._desk = Desk()
        self._policies: PolicySet | None = None
        self._reached: dict[str, tuple[Place, ...]] = {}

    @use_case(Access.VIEWER)
    async def agents(self, caller: Caller) -> list[AgentCard]:
        """Return all agents, by name.

        Raises:
            Busy: too many ask.
            StateError: the state cannot be read.
        """
        return await self._cards(sorted(self._plan().configuration.agents, key=lambda agent: agent.name))

    @use_case(Access.VIEWER)
    async def agent(self, caller: Caller, name: str) -> AgentCard:
        """Return one agent.

        Raises:
            NoSuchAgent: there is none of this name.
            Busy: too many ask.
            StateError: the state cannot be read.
        """
        found = [agent for agent in self._plan().configuration.agents if agent.name == name]
        if not found:
            raise NoSuchAgent(f"no agent is named {name}")
        return (await self._cards(found))[0]

    @use_case(Access.VIEWER)
    async def resources(self, caller: Caller) -> list[ResourceCard]:
        """Return all resources, by name.

        Raises:
            Busy: too many ask.
            StateError: the state cannot be read.
        """
        plan = self._plan()
        live, contained = await self._live(), await self._contained()
        ports = {each.name: f"{plan.configuration.listen}:{each.listen}" for each in plan.configuration.resources}
        return [
            ResourceCard(
                resource,
                ports[name],
                sum(each.resource == name for each in live),
                (Kind.RESOURCE, name) in contained,
            )
            for name, resource in sorted(plan.resources.items())
        ]

    @use_case(Access.VIEWER)
    async def resource(self, caller: Caller, name: str) -> ResourceCard:
        """Return one resource.

        Raises:
            NoSuchResource: there is none of this name.
            Busy: too many ask.
            StateError: the state cannot be read.
        """
        for card in await self.resources(caller):
            if card.resource.name == name:
                return card
        raise NoSuchResource(f"no resource is named {name}")

    async def _cards(self, agents: Iterable[Agent]) -> list[AgentCard]:
        plan = self._plan()
        contained, live = await self._contained(), await self._live()
        seen = _last_seen(await self._archive.sessions())
        issuers = {name for kind, name in contained if kind.value == "issuer"}
        return [
            AgentCard(
                agent,
                sum((each.principal_kind, each.principal) == ("agent", agent.name) for each in live),
                seen.get(agent.name),
                (Kind.AGENT, agent.name) in contained or agent.issuer in issuers,
                await self._reach(plan, agent),
            )
            for agent in agents
        ]

    async def _live(self) -> list[Summary]:
        live = await self._archive.live()
        return [each for each in await self._archive.sessions() if live.is_live(each)]

    async def _contained(self) -> set[tuple[Kind, str]]:
        return {(each.kind, each.name) for each in await self._containments.in_force(self._now())}

    async def _reach(self, plan: InForce, agent: Agent) -> tuple[Place, ...]:
        """Return what an agent can reach; it changes with the configuration only, so it is asked once for each."""
        if self._policies is not plan.policies:
            self._policies, self._reached = plan.policies, {}
        known = self._reached
        if agent.name not in known:
            known[agent.name] = await self._desk.run(_reach_of, plan, agent)
        return known[agent.name]


def _reach_of(plan: InForce, agent: Agent) -> tuple[Place, ...]:
    """Judge in a set of its own: the sessions' is used by the loop at the same time."""
    policies = PolicySet(tuple(plan.policies.rules.values()), plan.policies.version)
    who = Who(PrincipalKind.AGENT, agent.name)
    source = agent.networks[0].network_address if agent.networks else LOOPBACK
    found = []
    for resource in plan.resources.values():
        for database in resource.databases or ("",):
            subject = subject_of(
                plan.configuration, plan.kinds, who, resource=resource.name, database=database or None, source=source
            )
            found.append(Place(resource.name, database, reach(policies, subject)))
    return tuple(found)


def _last_seen(summaries: Iterable[Summary]) -> dict[str, float]:
    seen: dict[str, float] = {}
    for each in summaries:
        if each.principal_kind == "agent":
            seen[each.principal] = max(seen.get(each.principal, 0.0), each.ended)
    return seen
