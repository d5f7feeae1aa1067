"""The gate of one node: what all of its sessions share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from blastwall.clocks import steady
from blastwall.gate.faults import described
from blastwall.gate.granted import NoGrants
from blastwall.gate.journal import Journal, Unrecorded
from blastwall.gate.ports import (
    Approvals,
    Budgets,
    Containment,
    Grants,
    Identity,
    IPAddress,
    Masking,
    Meter,
    Policy,
    Recorder,
    RecordingFailed,
    SessionRecord,
    Vault,
    Watcher,
)
from blastwall.gate.session import SessionGate
from blastwall.gate.shared import Facts, HoldTimes, Scheduler, Shared, Slots, Timer
from blastwall.model.events import SessionOpened
from blastwall.model.resource import Resource
from blastwall.workers import Counts, LocalCounts

_log = structlog.get_logger(__name__)


class Gate:
    """Judges, records and answers for every session of this node. Everything is called on one loop.

    Args:
        identity: who is asking.
        policy: what is permitted.
        vault: the credentials.
        approvals: where people approve.
        masking: what is hidden.
        containment: who is cut off.
        recorder: where sessions are recorded.
        budgets: how much each principal may take in all.
        hold: how long held statements wait.
        clock: the time, in epoch seconds.
        steady: a clock that never jumps.
        binding_key: keys the hash that an approval is bound by; at least 32 bytes.
        grants: who is granted what just in time; where left out, nobody anything.
        meter: where everything is counted.
        counts: how many sessions each principal has, over the processes of the node; this one's where left out.
        later: calls back after some seconds; the running loop's `call_later` where left out.
        watcher: who is told of refused statements.
    """

    def __init__(  # noqa: PLR0917 - one place for each port
        self,
        identity: Identity,
        policy: Policy,
        vault: Vault,
        approvals: Approvals,
        masking: Masking,
        containment: Containment,
        recorder: Recorder,
        budgets: Budgets,
        *,
        hold: HoldTimes,
        clock: Callable[[], float],
        steady: Callable[[], float] = steady,
        binding_key: bytes,
        meter: Meter,
        grants: Grants | None = None,
        counts: Counts | None = None,
        later: Scheduler | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        if len(binding_key) < 32:
            raise ValueError("the binding key must have at least 32 bytes")
        self._shared = Shared(
            identity=identity,
            policy=policy,
            vault=vault,
            approvals=approvals,
            masking=masking,
            budgets=budgets,
            containment=containment,
            grants=grants if grants is not None else NoGrants(),
            hold=hold,
            clock=clock,
            steady=steady,
            binding_key=binding_key,
            later=later if later is not None else _call_later,
            slots=Slots(counts if counts is not None else LocalCounts()),
            watcher=watcher,
        )
        self._recorder = recorder
        self._meter = meter
        self._open: dict[str, SessionGate] = {}

    @property
    def sessions(self) -> int:
        """How many sessions are open, those not yet logged in included."""
        return len(self._open)

    @property
    def open_sessions(self) -> tuple[str, ...]:
        """The ids of those sessions."""
        return tuple(self._open)

    def set_hold(self, hold: HoldTimes) -> None:
        """Put other waiting times in force; statements that wait already keep theirs."""
        self._shared.hold = hold

    def open(
        self,
        session: str,
        resource: Resource,
        source: IPAddress,
        end: Callable[[str], None],
        reconsider: Callable[[], None] | None = None,
        *,
        proves_each: bool = False,
    ) -> SessionGate:
        """Begin a session's record and return its gate.

        Where the record cannot be begun the gate refuses the login, so that the client hears why.

        Args:
            session: the session's id.
            resource: what the client connected to.
            source: where the client is.
            end: ends the session at once; called with what the client is told. May be called repeatedly.
            reconsider: called when policy has changed.
            proves_each: whether each request carries a proof, which counts only as long as it lasts.
        """
        meter = self._meter.of(resource.name)
        facts = Facts(session, resource, source, end, reconsider, proves_each)
        now = self._shared.clock()
        opened = SessionOpened(now, session, resource.name, resource.kind, resource.azure, str(source))
        journal = Journal(self._record(session), session, meter)
        journal.begin(opened)
        gate = SessionGate(self._shared, facts, journal, meter, self._forget)
        self._open[session] = gate
        meter.opened()
        return gate

    def _record(self, session: str) -> SessionRecord:
        try:
            return self._recorder.open(session)
        except RecordingFailed as failure:
            return Unrecorded(failure)

    def settle(self) -> None:
        """Record now what was asked in this turn of the loop, and answer it."""
        self._recorder.write_awaited()

    def policy_changed(self) -> None:
        """Have every session ask again for what was allowed and not yet executed."""
        self._tell_all(SessionGate.reconsider)

    def grants_changed(self) -> None:
        """A grant was opened or has ended: end what rested on it, have every session of its principal ask again."""
        self._tell_all(SessionGate.grants_changed)

    def _tell_all(self, told: Callable[[SessionGate], None]) -> None:
        self._shared.generation.number += 1
        for gate in tuple(self._open.values()):
            try:
                told(gate)
            except Exception as fault:  # noqa: BLE001 - one session that fails must not keep the others as they were
                _log.error("session_not_reconsidered", session=gate.session, fault=described(fault))

    def _forget(self, session: str) -> None:
        self._open.pop(session, None)


def _call_later(seconds: float, callback: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(seconds, callback)
