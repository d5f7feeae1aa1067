"""The configured agents and users, and which of them a token's claims stand for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from blastwall.config.callers import Agent, User
from blastwall.gate.ports import IPAddress, Refusal
from blastwall.identity.claims import IDENTIFYING, Flat, identifying
from blastwall.identity.matching import Matcher, UnusableMatch, compile_match
from blastwall.identity.refusals import shown
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.outbound import unmapped


@dataclass(frozen=True, slots=True)
class Entry:
    """One configured agent or user. `session_max` is in seconds, `max_sessions` how many may be open at once."""

    kind: PrincipalKind
    name: str
    issuer: str
    matcher: Matcher
    groups: frozenset[str]
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    session_max: float | None = None
    max_sessions: int | None = None

    def principal(self, flat: Flat) -> Principal:
        """Return the principal that this entry makes of a token's claims."""
        subject = flat.get("sub", ("",))[0]
        return Principal(self.kind, self.name, self.issuer, subject, self.groups, identifying(flat))

    def check_source(self, source: IPAddress) -> None:
        """Refuse a source outside the entry's networks.

        Raises:
            Refusal: the source is outside.
        """
        address = unmapped(source)
        if self.networks and not any(address in network for network in self.networks):
            raise Refusal(
                f"{self.kind} {self.name} may not connect from {address}: outside its `networks`",
                f"the proof is valid but not accepted from {address}; call from a network that its agent may use",
            )


class Directory:
    """Who is configured.

    Raises:
        UnusableMatch: a `match:` or `behind_agents:` cannot be used.
    """

    def __init__(self, agents: Iterable[Agent], users: Iterable[User]) -> None:
        self._entries: dict[str, list[Entry]] = {}
        for entry in [*map(_of_agent, agents), *map(_of_user, users)]:
            self._entries.setdefault(entry.issuer, []).append(entry)

    def find(self, issuer: str, flat: Flat) -> Entry:
        """Return the one entry that the claims of a verified token of `issuer` match.

        Raises:
            Refusal: none does, or several do.
        """
        found = [entry for entry in self._entries.get(issuer, ()) if entry.matcher.matches(flat)]
        if len(found) == 1:
            return found[0]
        subject = shown(flat.get("sub", ("",))[0])
        if not found:
            raise Refusal(
                f"token of issuer {issuer} with subject '{subject}' matches no agent or user: {_listed(flat)}",
                f"the token is valid but matches no configured agent (its subject is '{subject}'); "
                "ask the gateway's operator to register it",
            )
        names = ", ".join(f"{entry.kind} {entry.name}" for entry in found)
        raise Refusal(
            f"token of issuer {issuer} with subject '{subject}' matches several: {names}; make their `match` exclusive",
            f"the token is valid but matches more than one configured agent (its subject is '{subject}'); "
            "ask the gateway's operator to tell them apart",
        )


def _listed(flat: Flat) -> str:
    return shown(", ".join(f"{name}={value}" for name, value in identifying(flat).items()))


def _of_agent(agent: Agent) -> Entry:
    return Entry(
        PrincipalKind.AGENT,
        agent.name,
        agent.issuer,
        compile_match(f"agent {agent.name}", agent.match),
        frozenset(agent.groups),
        tuple(agent.networks),
        agent.session_max.total_seconds() if agent.session_max else None,
        agent.max_sessions,
    )


def _check_behind(where: str, claim: str, value: str) -> None:
    """Refuse what would never be found in an agent's claims, so that they could approve what their own run asks for."""
    if claim not in IDENTIFYING:
        raise UnusableMatch(f"{where}: this claim is not kept of an agent's token; name one that is, like `actor_id`")
    if value.startswith(("glob:", "regex:")):
        raise UnusableMatch(f"{where}: this is compared as it stands; write the one value that names this person")


def _of_user(user: User) -> Entry:
    matcher = compile_match(f"user {user.name}", user.match)
    for claim, value in user.behind_agents.items():
        _check_behind(f"user {user.name}: behind_agents: {claim}", claim, value)
    return Entry(PrincipalKind.USER, user.name, user.issuer, matcher, frozenset(user.groups))
