"""What policy says of a statement, with its obligations."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Decision(StrEnum):
    """In rising order of restriction: ALLOW, HOLD, DENY."""

    ALLOW = "allow"
    HOLD = "hold"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Approval:
    """`count` members of `group` must approve."""

    group: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Obligations:
    """What an allowed statement must still obey. Row limits are None where there is none.

    `limit_rows` is the most rows that the client may get of it, `limit_affected` the most that it may change.
    """

    approvals: tuple[Approval, ...] = ()
    limit_rows: int | None = None
    limit_affected: int | None = None

    @property
    def limited(self) -> bool:
        """Whether a row limit applies; without one, an allowed statement is sent on as any other."""
        return self.limit_rows is not None or self.limit_affected is not None


NONE = Obligations()


@dataclass(frozen=True, slots=True)
class Observation:
    """What a policy in observe mode would have decided; recorded, never enforced."""

    policy: str
    decision: Decision


@dataclass(frozen=True, slots=True)
class Ruling:
    """The most restrictive answer over a statement's effects.

    `policies` are the ids that decided; `version` names the policy set (a digest); `reason` is said to the client and
    names no policy's text. `retry` is set where a quota refused what policy may allow a little later. `grants` are the
    ids of the open grants without which this would be a Deny; `grantable` are the actions, by name, for which a grant
    would mend a Deny.
    """

    decision: Decision
    reason: str = ""
    policies: tuple[str, ...] = ()
    version: str = ""
    obligations: Obligations = NONE
    observed: tuple[Observation, ...] = ()
    retry: bool = False
    grants: tuple[str, ...] = ()
    grantable: tuple[str, ...] = ()
