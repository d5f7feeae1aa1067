"""Construct the parts of a gateway from a plan, one small function each, and join them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from blastwall.api import RunningServer, create_app
from blastwall.api import serve as serve_api
from blastwall.app.certificate import Certificate, certificate_of
from blastwall.app.current import CurrentVault
from blastwall.app.masks import masking_key
from blastwall.app.places import node_name, signing_key_path
from blastwall.app.plan import Plan
from blastwall.approvals.unattended import Unattended
from blastwall.config.model import Configuration, HoldSettings
from blastwall.containment import StoredContainment
from blastwall.control.control import Control, build_control
from blastwall.gate import Gate, HoldTimes
from blastwall.identity import OidcIdentity
from blastwall.masking.configured import ConfiguredMasking
from blastwall.policy.policies import Policies
from blastwall.protocols.contract import Limits
from blastwall.recording.keys import load_or_create_key
from blastwall.recording.recorder import Recorder
from blastwall.relay import Metrics, Relay, RelayLimits, Served
from blastwall.store import Store, open_store
from blastwall.store.containments import ContainmentTable
from blastwall.store.passes import PassTable

_BINDING_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Parts:
    """A gateway's parts. A reload replaces what is inside them, never the parts."""

    recorder: Recorder
    containment: StoredContainment
    identity: OidcIdentity
    policies: Policies
    masking: ConfiguredMasking
    vault: CurrentVault
    gate: Gate
    relay: Relay
    certificate: Certificate
    metrics: Metrics


async def build(plan: Plan, stack: AsyncExitStack) -> Parts:
    """Construct everything but the faces and start what runs by itself; `stack` stops it, the recorder last.

    Raises:
        OSError, ssl.SSLError: a file cannot be read or made.
        KeyUnusable, KeyFileUnusable, SecretUnavailable: a key of the gateway's own cannot be had.
        RecordingFailed: recordings cannot be written.
        StateError: the state cannot be used.
    """
    configuration = plan.configuration
    recorder = await _recorder(configuration, stack)
    store = await _store(configuration, stack)
    containment = StoredContainment(ContainmentTable(store), time.time)
    await containment.start()
    stack.push_async_callback(containment.stop)
    identity = _identity(configuration, store)
    stack.push_async_callback(identity.close)
    policies, metrics = Policies(plan.policies), Metrics()
    masking = ConfiguredMasking(plan.masks, await masking_key(configuration))
    vault = CurrentVault(configuration.resources)
    stack.push_async_callback(vault.close)
    certificate = certificate_of(configuration)
    gate = Gate(
        identity,
        policies,
        vault,
        Unattended(),
        masking,
        containment,
        recorder,
        hold=hold_times(configuration.hold),
        clock=time.time,
        binding_key=secrets.token_bytes(_BINDING_KEY_BYTES),
        meter=metrics,
    )
    relay = Relay(gate, vault, metrics, certificate.listeners, RelayLimits.of(configuration.limits))
    return Parts(recorder, containment, identity, policies, masking, vault, gate, relay, certificate, metrics)


async def _recorder(configuration: Configuration, stack: AsyncExitStack) -> Recorder:
    key = load_or_create_key(signing_key_path(configuration))
    recorder = Recorder(configuration.recordings, node_name(configuration), key)
    await recorder.start()
    stack.push_async_callback(recorder.stop)
    return recorder


async def _store(configuration: Configuration, stack: AsyncExitStack) -> Store:
    store = await open_store(configuration.state)
    stack.push_async_callback(store.close)
    return store


def _identity(configuration: Configuration, store: Store) -> OidcIdentity:
    return OidcIdentity(
        configuration.issuers,
        configuration.agents,
        configuration.users,
        configuration.passes,
        store=PassTable(store),
        now=time.time,
    )


def hold_times(settings: HoldSettings) -> HoldTimes:
    """Return how long held statements wait."""
    return HoldTimes(settings.timeout.total_seconds(), settings.in_transaction.total_seconds())


def served(plan: Plan) -> tuple[Served, ...]:
    """Return what the relay serves, and where."""
    configuration = plan.configuration
    sizes = Limits(statement=configuration.limits.statement_size)
    return tuple(
        Served(
            plan.resources[each.name], plan.kinds[each.kind], configuration.listen, each.listen, each.plain_text, sizes
        )
        for each in configuration.resources
    )


def control_of(parts: Parts, plan: Callable[[], Plan], waiting_for: Callable[[], Sequence[str]]) -> Control:
    """Join the use-cases of the control port; `plan` is the one in force at the time of a call."""
    return build_control(
        parts.identity,
        policy=lambda: parts.policies,
        containment=parts.containment,
        resources=lambda: plan().resources,
        waiting_for=waiting_for,
        registry=parts.metrics.registry,
        now=time.monotonic,
    )


async def serve_control(configuration: Configuration, control: Control, certificate: Certificate) -> RunningServer:
    """Open the control port.

    Raises:
        OSError: it cannot be bound.
    """
    host = configuration.control.listen or configuration.listen
    return await serve_api(create_app(control), host, configuration.control.port, certificate.control)
