"""All use-cases of a running gateway's control port."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from blastwall.config.model import Configuration
from blastwall.containment import StoredContainment
from blastwall.control.approving import Approving
from blastwall.control.archive import Archive
from blastwall.control.callers import Callers
from blastwall.control.changes import Changes
from blastwall.control.connecting import Connecting
from blastwall.control.containing import Containing
from blastwall.control.devices import Devices
from blastwall.control.exchanging import Exchanges
from blastwall.control.failures import FailureLimit
from blastwall.control.granting import Granting
from blastwall.control.overview import InForce, Overview
from blastwall.control.passing import Passing
from blastwall.control.people import People
from blastwall.control.playground import Playground
from blastwall.control.recordings import Shelf
from blastwall.control.repeating import Repeating
from blastwall.control.roles import Roles
from blastwall.control.sessions import Sessions
from blastwall.control.signing_in import SigningIn
from blastwall.control.status import Inside, Status
from blastwall.control.targets import Reachable
from blastwall.control.telling import Telling
from blastwall.control.token_giving import TokenGiving
from blastwall.control.watching import Watching
from blastwall.gate.ports import Grants, Policy
from blastwall.identity import OidcIdentity
from blastwall.model.resource import Resource
from blastwall.store.changes import ChangeTable
from blastwall.store.containments import ContainmentTable
from blastwall.store.database import Store
from blastwall.store.idempotency import IdempotencyTable
from blastwall.store.logins import DeviceCodeTable
from blastwall.store.passes import PassTable
from blastwall.workers import Member


@dataclass(frozen=True, slots=True)
class Control:
    """What `api` is a face of."""

    callers: Callers
    passing: Passing
    token_giving: TokenGiving
    status: Status
    people: People
    repeating: Repeating
    changes: Changes
    watching: Watching
    signing_in: SigningIn
    devices: Devices
    public: Callable[[], str]
    containing: Containing
    connecting: Connecting
    sessions: Sessions
    overview: Overview
    playground: Playground
    approving: Approving
    granting: Granting


class NoConfiguration(Exception):
    """There is no configuration in force."""


def _no_plan() -> InForce:
    raise NoConfiguration


def build_control(
    identity: OidcIdentity,
    *,
    policy: Callable[[], Policy],
    containment: StoredContainment,
    telling: Telling,
    granting: Granting,
    grants: Grants,
    resources: Callable[[], Mapping[str, Resource]],
    waiting_for: Callable[[], Sequence[str]],
    registry: CollectorRegistry,
    store: Store,
    approving: Approving,
    now: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    member: Member | None = None,
    roles: Callable[[], Roles] = Roles,
    inside: Callable[[], Inside] = Inside,
    changes: Changes | None = None,
    plan: Callable[[], InForce] = _no_plan,
    archive: Archive | None = None,
    public: Callable[[], str] = lambda: "https://localhost",
    ports: Callable[[], Mapping[str, int]] = dict,
    reachable: Callable[[], Sequence[Reachable]] = tuple,
) -> Control:
    """Join the use-cases of a running gateway. What is called for is what is in force at the time of a call.

    Args:
        identity: who is asking.
        policy: the policy in force.
        containment: who is cut off.
        telling: what tells people elsewhere.
        granting: the use-cases of just-in-time access.
        grants: who is granted what just in time.
        resources: the resources by name.
        waiting_for: what keeps the gateway from taking new sessions, empty when nothing does.
        registry: the metrics that are shown; this adds its own.
        store: the state.
        approving: what people decide on statements that wait.
        now: the time, in epoch seconds.
        monotonic: a clock in seconds that never jumps.
        member: which of the node's processes this is; where left out, the only one.
        roles: which roles users have; where left out, nobody has any.
        inside: what people may know of the running gateway.
        changes: this process's feed of what changes; where left out, one of its own.
        plan: the configuration; where left out, what needs one fails, and nobody signs in.
        archive: the recordings; where left out, those of a folder that is not there.
        public: the URL under which people reach the control port.
        ports: on which port each resource's listener is, by the resource's name.
        reachable: what gateway tokens can be asked for.
    """

    def configuration() -> Configuration | None:
        try:
            return plan().configuration
        except NoConfiguration:
            return None

    failures, login_failures = FailureLimit(monotonic), FailureLimit(monotonic)
    exchanges = Exchanges(failures, registry)
    recordings = archive if archive is not None else Archive(Shelf(Path("recordings")), Member(), "node", tuple)
    feed = changes if changes is not None else Changes(ChangeTable(store), now)
    return Control(
        Callers(identity, failures, login_failures, roles),
        Passing(
            identity,
            policy=policy,
            containment=containment,
            grants=grants,
            resources=resources,
            exchanges=exchanges,
        ),
        TokenGiving(
            identity,
            policy=policy,
            containment=containment,
            grants=grants,
            reachable=reachable,
            public=public,
            exchanges=exchanges,
        ),
        Status(waiting_for, registry, member, inside),
        People(),
        Repeating(IdempotencyTable(store), now),
        feed,
        Watching(feed),
        SigningIn(identity, configuration=configuration, public=public, failures=login_failures, now=now),
        Devices(identity, DeviceCodeTable(store), configuration=configuration, now=now, monotonic=monotonic),
        public,
        Containing(containment, ContainmentTable(store), PassTable(store), now, changes=feed, telling=telling),
        Connecting(policy, grants, resources, ports, lambda: {each.resource.name: each.hosts for each in reachable()}),
        Sessions(recordings),
        Overview(plan, recordings, ContainmentTable(store), now),
        Playground(plan),
        approving,
        granting,
    )
