"""Construct the parts of a gateway from a plan, one small function each, and join them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from blastwall.api import RunningServer, create_app
from blastwall.api import serve as serve_api
from blastwall.app.approving import Approvers, approvers_of, approving_of, state_seal
from blastwall.app.certificate import Certificate, certificate_of
from blastwall.app.current import CurrentVault
from blastwall.app.masks import masking_key
from blastwall.app.minting import minting_of
from blastwall.app.notifier import Alarm, Notifier
from blastwall.app.places import node_name, signing_key_path
from blastwall.app.plan import Plan
from blastwall.app.recording_keys import recording_keys
from blastwall.budgets import Presences, StoredBudgets, bounds_of
from blastwall.config.hold import HoldSettings
from blastwall.config.model import Configuration, Recordings
from blastwall.config.resource_settings import WarmSettings
from blastwall.containment import StoredContainment
from blastwall.control.archive import Archive, share_live
from blastwall.control.changes import Changes
from blastwall.control.control import Control, build_control
from blastwall.control.granting import Granting, InForce
from blastwall.control.recordings import shelf_of
from blastwall.control.roles import roles_of
from blastwall.control.status import Inside
from blastwall.control.targets import Reachable
from blastwall.gate import Gate, HoldTimes
from blastwall.gate.shared import counted
from blastwall.grants import StoredGrants
from blastwall.identity import Minting, OidcIdentity
from blastwall.masking.configured import ConfiguredMasking
from blastwall.model.principal import PrincipalKind
from blastwall.policy.policies import Policies
from blastwall.protocols.contract import Limits
from blastwall.recording.keys import load_or_create_key
from blastwall.recording.layout import chain_name, retired
from blastwall.recording.recorder import Recorder
from blastwall.relay import Metrics, Relay, RelayLimits, Served, WarmLimits
from blastwall.relay.listener import cannot_listen
from blastwall.store.changes import ChangeTable
from blastwall.store.containments import ContainmentTable
from blastwall.store.database import Store, open_store
from blastwall.store.grants import GrantTable
from blastwall.store.passes import PassTable
from blastwall.store.spending import SpendingTable
from blastwall.workers import Member


class _Runs(Protocol):
    """What runs by itself between its start and its stop."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


P = TypeVar("P", bound=_Runs)


@dataclass(frozen=True, slots=True)
class Parts:
    """A gateway's parts. A reload replaces what is inside them, never the parts."""

    recorder: Recorder
    store: Store
    changes: Changes
    archive: Archive
    containment: StoredContainment
    grants: StoredGrants
    identity: OidcIdentity
    policies: Policies
    masking: ConfiguredMasking
    vault: CurrentVault
    budgets: StoredBudgets
    approvers: Approvers
    gate: Gate
    relay: Relay
    certificate: Certificate
    metrics: Metrics
    notifier: Notifier


async def build(plan: Plan, stack: AsyncExitStack, member: Member) -> Parts:
    """Construct everything but the faces and start what runs by itself; `stack` stops it, the recorder last.

    Raises:
        OSError, ssl.SSLError: a file cannot be read or made.
        KeyUnusable, KeyFileUnusable, SecretUnavailable: a key of the gateway's own cannot be had.
        RecordingFailed: recordings cannot be written.
        StateError: the state cannot be used.
    """
    configuration = plan.configuration
    recorder = await _recorder(configuration, stack, member)
    store = await _store(configuration, stack)
    changes = Changes(ChangeTable(store), time.time)
    stack.push_async_callback(changes.close)
    containment = await _started(StoredContainment(ContainmentTable(store), time.time), stack)
    policies, metrics = Policies(plan.policies), Metrics()
    notifier = Notifier(configuration, store, metrics.registry)
    await notifier.start(stack, member)
    alarm = Alarm(containment, changes, notifier.telling)
    budgets = await _budgets(configuration, store, alarm, member, stack)
    identity = _identity(configuration, store, await minting_of(configuration, store, containment))
    stack.push_async_callback(identity.close)
    masking = ConfiguredMasking(plan.masks, await masking_key(configuration))
    vault = CurrentVault(configuration.resources)
    stack.push_async_callback(vault.close)
    certificate = certificate_of(configuration)
    approvers = await approvers_of(
        configuration,
        store,
        containment,
        changes=changes,
        telling=notifier.telling,
        member=member,
        stack=stack,
    )
    grants = StoredGrants(GrantTable(store), configuration.control.url)
    gate = Gate(
        identity,
        policies,
        vault,
        approvers.stored,
        masking,
        containment,
        recorder,
        budgets,
        hold=hold_times(configuration),
        clock=time.time,
        binding_key=approvers.binding_key,
        meter=metrics,
        grants=grants,
        counts=member.counts,
        watcher=notifier.telling,
    )
    await grants.start(gate.grants_changed)
    stack.push_async_callback(grants.stop)
    node = node_name(configuration)
    shelf = shelf_of(configuration, await recording_keys(configuration))
    archive = Archive(shelf, member, node, lambda: gate.open_sessions)
    share_live(lambda: gate.open_sessions, member)
    limits = RelayLimits.of(configuration.limits)
    relay = Relay(gate, vault, metrics, certificate.listeners, limits, member)
    approvers.previews.estimate = relay.estimate
    return Parts(
        recorder,
        store,
        changes,
        archive,
        containment,
        grants,
        identity,
        policies,
        masking,
        vault,
        budgets,
        approvers,
        gate,
        relay,
        certificate,
        metrics,
        notifier,
    )


async def _recorder(configuration: Configuration, stack: AsyncExitStack, member: Member) -> Recorder:
    """Start this worker's recorder; the first one also keeps what workers recorded that the node has no more."""
    key = load_or_create_key(signing_key_path(configuration))
    node = node_name(configuration)
    old = retired(configuration.recordings.to, node, member.of)
    settings = share(configuration.recordings, member.of + len(old))
    keyring = await recording_keys(configuration)
    made = partial(Recorder, settings, key=key, workers=member.of, keyring=keyring)
    recorder = await _started(made(chain_name(node, member.number)), stack)
    for name in old if member.first else ():
        await _started(made(name), stack)
    return recorder


async def _started(part: P, stack: AsyncExitStack) -> P:
    await part.start()
    stack.push_async_callback(part.stop)
    return part


def share(settings: Recordings, chains: int) -> Recordings:
    """Return the settings of one chain of several: `max_size` is the node's, each chain has an equal share of it."""
    if settings.max_size is None or chains == 1:
        return settings
    return settings.model_copy(update={"max_size": max(1, settings.max_size // chains)})


async def _store(configuration: Configuration, stack: AsyncExitStack) -> Store:
    store = await open_store(configuration.state)
    stack.push_async_callback(store.close)
    store.seal = await state_seal(configuration)
    return store


async def _budgets(
    configuration: Configuration, store: Store, alarm: Alarm, member: Member, stack: AsyncExitStack
) -> StoredBudgets:
    """Start counting. A state in a file is this node's alone, so no other node has sessions."""
    table = SpendingTable(store)
    presences = None
    if not store.sqlite:
        count = partial(_sessions, member)
        presences = Presences(table, node_name(configuration), count, time.time, speaks=member.first)
    budgets = StoredBudgets(table, alarm, time.time, presences)
    bound(budgets, configuration)
    return await _started(budgets, stack)


def _sessions(member: Member, agent: str) -> int:
    return member.counts.total(counted(PrincipalKind.AGENT, agent))


def bound(budgets: StoredBudgets, configuration: Configuration) -> None:
    """Put a configuration's budgets and quotas in force."""
    limited = {agent.name for agent in configuration.agents if agent.max_sessions is not None}
    budgets.reconfigure(bounds_of(configuration.budgets, configuration.agents), limited)


def _identity(configuration: Configuration, store: Store, minting: Minting) -> OidcIdentity:
    return OidcIdentity(
        configuration.issuers,
        configuration.agents,
        configuration.users,
        configuration.passes,
        store=PassTable(store),
        now=time.time,
        minting=minting,
    )


def hold_times(configuration: Configuration) -> HoldTimes:
    """Return how long held statements wait."""
    agents = {
        each.name: _times(configuration.hold.of(each.hold)) for each in configuration.agents if each.hold is not None
    }
    return replace(_times(configuration.hold), agents=agents)


def _times(settings: HoldSettings) -> HoldTimes:
    return HoldTimes(
        settings.timeout.total_seconds(),
        settings.in_transaction.total_seconds(),
        settings.mode == "fail",
        settings.approval_ttl.total_seconds(),
    )


def served(plan: Plan) -> tuple[Served, ...]:
    """Return what the relay serves, and where."""
    configuration = plan.configuration
    limits = configuration.limits
    sizes = Limits(statement=limits.statement_size, message=limits.message_size)
    return tuple(
        Served(
            plan.resources[each.name],
            plan.kinds[each.kind],
            configuration.listen,
            each.listen,
            each.plain_text,
            sizes,
            warm_limits(each.upstream.warm),
            tuple(each.hosts),
        )
        for each in configuration.resources
    )


def warm_limits(settings: WarmSettings | None) -> WarmLimits:
    """Return the limits that a resource's configuration sets; none are parked where it sets none."""
    if settings is None:
        return WarmLimits()
    return WarmLimits(settings.connections, settings.idle.total_seconds(), settings.age.total_seconds())


def control_of(
    parts: Parts,
    plan: Callable[[], Plan],
    *,
    waiting_for: Callable[[], Sequence[str]],
    generation: Callable[[], int],
    public: Callable[[], str],
    member: Member,
) -> Control:
    """Join the use-cases of the control port; `plan`, `generation` and `public` are those at the time of a call."""

    def inside() -> Inside:
        return Inside(
            generation(), parts.policies.version, parts.containment.blind, parts.recorder.counters, parts.grants.overdue
        )

    return build_control(
        parts.identity,
        policy=lambda: parts.policies,
        containment=parts.containment,
        telling=parts.notifier.telling,
        granting=_granting(parts, plan),
        grants=parts.grants,
        resources=lambda: plan().resources,
        waiting_for=waiting_for,
        registry=parts.metrics.registry,
        store=parts.store,
        approving=approving_of(parts.approvers, plan),
        changes=parts.changes,
        member=member,
        roles=lambda: roles_of(plan().configuration.control.roles),
        inside=inside,
        plan=plan,
        public=public,
        ports=lambda: {each.name: each.listen for each in plan().configuration.resources},
        reachable=lambda: reachable(plan()),
        archive=parts.archive,
    )


def reachable(plan: Plan) -> tuple[Reachable, ...]:
    """Return what gateway tokens can be asked for."""
    return tuple(
        Reachable(plan.resources[each.name], plan.kinds[each.kind].scope, tuple(each.hosts), each.listen)
        for each in plan.configuration.resources
    )


def _granting(parts: Parts, plan: Callable[[], Plan]) -> Granting:
    return Granting(
        GrantTable(parts.store),
        parts.grants,
        parts.approvers.people,
        InForce(lambda: parts.policies.current, lambda: plan().resources, lambda: plan().configuration),
        now=time.time,
        cut=parts.approvers.worth.cuts,
        changes=parts.changes,
        telling=parts.notifier.telling,
        registry=parts.metrics.registry,
    )


async def serve_control(configuration: Configuration, control: Control, certificate: Certificate) -> RunningServer:
    """Open the control port.

    Raises:
        ListenFailed: it cannot be bound.
    """
    host, port = configuration.control.listen or configuration.listen, configuration.control.port
    try:
        return await serve_api(create_app(control), host, port, certificate.control)
    except OSError as error:
        raise cannot_listen("control", host, port, error) from None
