"""Who is asking: the verified identity of an agent or user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class PrincipalKind(StrEnum):
    """An agent is a non-human caller, a user a person."""

    AGENT = "agent"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified identity.

    `issuer` is the configured issuer's name, `name` the configured agent's or user's. `claims` holds the token's
    identifying claims as strings (never the token): they become tags of the principal's policy entity.
    """

    kind: PrincipalKind
    name: str
    issuer: str
    subject: str
    groups: frozenset[str] = frozenset()
    claims: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes two principals the same one."""
        return (self.kind, self.name, self.issuer, self.subject)
