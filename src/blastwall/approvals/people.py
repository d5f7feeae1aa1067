"""The people who may approve: which groups they are in now, and which of several identities are one person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from blastwall.config.callers import User
from blastwall.model.principal import Principal, PrincipalKind


@dataclass(frozen=True, slots=True)
class Person:
    """A person by the identity that they showed."""

    issuer: str
    subject: str
    name: str

    @classmethod
    def of(cls, principal: Principal) -> Person:
        """Return the person that a verified identity is of."""
        return cls(principal.issuer, principal.subject, principal.name)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for a statement, with the claims of their token."""

    kind: str
    name: str
    issuer: str
    subject: str
    claims: Mapping[str, str] = field(default_factory=dict)


class People:
    """The configured users. A reload replaces them; what is asked of them is always as of now."""

    def __init__(self, users: Iterable[User]) -> None:
        self.replace(users)

    def replace(self, users: Iterable[User]) -> None:
        """Put other users in force."""
        self._users = {(user.issuer, user.name): user for user in users}

    def groups(self, person: Person) -> frozenset[str]:
        """Return the groups that a person is in now; none where they are configured no more."""
        user = self._users.get((person.issuer, person.name))
        return frozenset() if user is None else frozenset(user.groups)

    def marks(self, person: Person) -> frozenset[tuple[str, ...]]:
        """Return what tells a person; two identities that share any of it are one person."""
        user = self._users.get((person.issuer, person.name))
        name = person.name if user is None or user.person is None else user.person
        return frozenset({("identity", person.issuer, person.subject), ("person", name)})

    def asked(self, person: Person, asker: Asker) -> str:
        """Return why a person counts as the one who asks; nothing where they are somebody else."""
        if (person.issuer, person.subject) == (asker.issuer, asker.subject):
            return "it was asked for by your own identity"
        if asker.kind == PrincipalKind.USER and not self.marks(person).isdisjoint(
            self.marks(Person(asker.issuer, asker.subject, asker.name))
        ):
            return "it was asked for by another of your identities"
        user = self._users.get((person.issuer, person.name))
        behind = {} if user is None else user.behind_agents
        claim = next((claim for claim, value in behind.items() if asker.claims.get(claim) == value), None)
        return "" if claim is None else f"the agent that asks was started by you, as its claim `{claim}` says"
