"""All use-cases of a running gateway's control port, and how its callers become known."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from blastwall.control.access import Remote
from blastwall.control.changes import Changes
from blastwall.control.failures import FailureLimit
from blastwall.control.passing import Passing
from blastwall.control.people import People
from blastwall.control.repeating import Repeating
from blastwall.control.roles import Roles
from blastwall.control.status import Inside, Status
from blastwall.control.watching import Watching
from blastwall.gate.ports import Containment, Grants, IPAddress, Policy, Refusal
from blastwall.identity import OidcIdentity, Unavailable
from blastwall.model.resource import Resource
from blastwall.store import Store
from blastwall.store.changes import ChangeTable
from blastwall.store.idempotency import IdempotencyTable
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
    people: People
    repeating: Repeating
    changes: Changes
    watching: Watching


def build_control(
    identity: OidcIdentity,
    *,
    policy: Callable[[], Policy],
    containment: Containment,
    grants: Grants,
    resources: Callable[[], Mapping[str, Resource]],
    waiting_for: Callable[[], Sequence[str]],
    registry: CollectorRegistry,
    store: Store,
    now: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    member: Member | None = None,
    roles: Callable[[], Roles] = Roles,
    inside: Callable[[], Inside] = Inside,
    changes: Changes | None = None,
) -> Control:
    """Join the use-cases of a running gateway. What is called for is what is in force at the time of a call.

    Args:
        identity: who is asking.
        policy: the policy in force.
        containment: who is cut off.
        grants: who is granted what just in time.
        resources: the resources by name.
        waiting_for: what keeps the gateway from taking new sessions, empty when nothing does.
        registry: the metrics that are shown; this adds its own.
        store: the state.
        now: the time, in epoch seconds.
        monotonic: a clock in seconds that never jumps.
        member: which of the node's processes this is; where left out, the only one.
        roles: which roles users have; where left out, nobody has any.
        inside: what people may know of the running gateway.
        changes: this process's feed of what changes; where left out, one of its own.
    """
    failures = FailureLimit(monotonic)
    feed = changes if changes is not None else Changes(ChangeTable(store), now)
    return Control(
        Callers(identity, failures, roles),
        Passing(
            identity,
            policy=policy,
            containment=containment,
            grants=grants,
            resources=resources,
            failures=failures,
            registry=registry,
        ),
        Status(waiting_for, registry, member, inside),
        People(),
        Repeating(IdempotencyTable(store), now),
        feed,
        Watching(feed),
    )
