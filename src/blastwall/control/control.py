"""All use-cases of a running gateway's control port, and how its callers become known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from blastwall.control.access import Remote
from blastwall.control.failures import FailureLimit
from blastwall.control.passing import Passing
from blastwall.control.roles import Roles
from blastwall.control.status import Status
from blastwall.gate.ports import Containment, IPAddress, Policy, Refusal
from blastwall.identity import OidcIdentity, Unavailable
from blastwall.model.resource import Resource
from blastwall.workers import Member


@dataclass(frozen=True, slots=True)
class Callers:
    """Turns what a request shows into a caller."""

    identity: OidcIdentity
    failures: FailureLimit
    roles: Callable[[], Roles]

    async def remote(self, source: IPAddress, bearer: bytes | None) -> Remote:
        """Return the caller at `source`, known where they show a token.

        Raises:
            Refusal: the token does not hold.
            TooManyFailures: the source has failed too often.
        """
        if bearer is None:
            return Remote(source)
        self.failures.check(source)
        try:
            claimant = await self.identity.verify(bearer, source)
        except Unavailable:
            raise
        except Refusal:
            self.failures.failed(source)
            raise
        return Remote(source, claimant.principal, self.roles().of(claimant.principal))


@dataclass(frozen=True, slots=True)
class Control:
    """What `api` is a face of."""

    callers: Callers
    passing: Passing
    status: Status


def build_control(
    identity: OidcIdentity,
    *,
    policy: Callable[[], Policy],
    containment: Containment,
    resources: Callable[[], Mapping[str, Resource]],
    waiting_for: Callable[[], Sequence[str]],
    registry: CollectorRegistry,
    now: Callable[[], float],
    member: Member | None = None,
    roles: Callable[[], Roles] = Roles,
) -> Control:
    """Join the use-cases of a running gateway.

    Args:
        identity: who is asking.
        policy: the policy in force at the time of the call.
        containment: who is cut off.
        resources: the resources by name, at the time of the call.
        waiting_for: what keeps the gateway from taking new sessions, empty when nothing does.
        registry: the metrics that are shown; this adds its own.
        now: a clock in seconds.
        member: which of the node's processes this is; where left out, the only one.
        roles: which roles users have, at the time of the call; where left out, nobody has any.
    """
    failures = FailureLimit(now)
    return Control(
        Callers(identity, failures, roles),
        Passing(
            identity,
            policy=policy,
            containment=containment,
            resources=resources,
            failures=failures,
            registry=registry,
        ),
        Status(waiting_for, registry, member),
    )
