"""A running gateway: started in order, reloaded as a whole, drained and stopped in order."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import AsyncExitStack

import structlog

from blastwall.app.advice import unset_variables
from blastwall.app.build import Parts, bound, build, control_of, hold_times, serve_control, served
from blastwall.app.logs import set_up
from blastwall.app.masks import masking_key
from blastwall.app.metrics import GatewayMetrics
from blastwall.app.places import KeyFileUnusable
from blastwall.app.plan import Plan, Unusable, prepare
from blastwall.app.reload import NeedsRestart, refuse_restarts
from blastwall.control.pulse import Pulse
from blastwall.control.status import READY, share_metrics
from blastwall.relay import ListenFailed, RelayLimits
from blastwall.vault import SecretUnavailable
from blastwall.workers import Member

_log = structlog.get_logger("blastwall.app")


class Gateway:
    """One gateway. `start` makes it, `stop` ends it; both are called once, on one loop."""

    def __init__(self, plan: Plan, parts: Parts, stack: AsyncExitStack, member: Member) -> None:
        self._plan = plan
        self._member = member
        self._complete = member.restarts > 0
        self._parts = parts
        self._stack = stack
        self._stage = "starting"
        self.generation = 1
        self.refused_reloads = 0
        self.control_port = 0

    @classmethod
    async def start(cls, plan: Plan, member: Member | None = None) -> Gateway:
        """Build and start everything: recordings, state, listeners, and in the first worker the control port.

        Raises:
            RecordingFailed, StateError, ListenFailed, SecretUnavailable, KeyUnusable, KeyFileUnusable, OSError,
            ssl.SSLError: a part cannot start; whatever had started is stopped.
        """
        member = member if member is not None else Member()
        async with AsyncExitStack() as stack:
            parts = await build(plan, stack, member)
            gateway = cls(plan, parts, stack, member)
            await gateway._open()
            gateway._stack = stack.pop_all()
        gateway._stage = ""
        member.counts.add(READY, +1)
        return gateway

    async def _open(self) -> None:
        """Open the listeners, then the control port, whose `/readyz` waits for this to end."""
        parts, configuration = self._parts, self._plan.configuration
        parts.metrics.registry.register(self._metrics())
        self._stack.push_async_callback(parts.relay.drain, 0)
        await parts.relay.apply(served(self._plan))
        share_metrics(parts.metrics.registry, self._member)
        if not self._member.first:
            return
        self._control = control_of(
            parts,
            lambda: self._plan,
            waiting_for=lambda: tuple(self.waiting_for()),
            generation=lambda: self.generation,
            public=self._public,
            member=self._member,
        )
        server = await serve_control(configuration, self._control, parts.certificate)
        self._stack.push_async_callback(server.stop)
        pulse = Pulse(parts.changes, parts.archive, lambda: tuple(self.waiting_for()))
        pulse.start()
        self._stack.push_async_callback(pulse.stop)
        self._stack.callback(parts.changes.end)  # before it, since it waits for requests under way
        self.control_port = server.port

    def _public(self) -> str:
        """Where people reach the control port; on a port that the system chose where the configuration says 0."""
        settings = self._plan.configuration.control
        return settings.public or settings.model_copy(update={"port": self.control_port}).url

    def _metrics(self) -> GatewayMetrics:
        return GatewayMetrics(
            self._parts.recorder.counters,
            generation=lambda: self.generation,
            blind=lambda: self._parts.containment.blind,
            refused_reloads=lambda: self.refused_reloads,
            restarts=self._member.restarts,
            overdue=lambda: self._parts.grants.overdue,
        )

    def waiting_for(self) -> Iterator[str]:
        """Yield what keeps new sessions out; nothing while the gateway is ready."""
        if self._stage:
            yield self._stage
        if self._parts.containment.blind:
            yield "the state cannot be read"
        if not self._all_have_started():
            yield "not every worker has started"

    def _all_have_started(self) -> bool:
        """Whether all workers have been ready once. Later one that crashes is replaced, and the others serve."""
        self._complete = self._complete or self._member.counts.total(READY) >= self._member.of
        return self._complete

    # ── reload ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def reload(self) -> bool:
        """Read the configuration again and put all of it in force, or nothing of it; the log says which and why.

        Everything is read and checked in another thread, beside the sessions.
        """
        try:
            plan = await asyncio.to_thread(prepare, self._plan.path)
            await self._put_in_force(plan)
        except (Unusable, NeedsRestart, ListenFailed, SecretUnavailable, KeyFileUnusable, ValueError) as error:
            self.refused_reloads += 1
            _log.error("reload_refused", problems=str(error).splitlines(), in_force=self.generation)
            return False
        except Exception:  # noqa: BLE001 - a fault of the gateway's own must not end the sessions
            self.refused_reloads += 1
            _log.exception("reload_failed", in_force=self.generation)
            return False
        self.generation += 1
        _log.info("reloaded", generation=self.generation, policies=plan.policies.version)
        return True

    def count_refused_reload(self) -> None:
        """A reload was refused before it came here."""
        self.refused_reloads += 1

    async def _put_in_force(self, plan: Plan) -> None:
        """Do first what can fail. From the listeners' switch on nothing is awaited, so nobody sees half of it."""
        configuration, parts = plan.configuration, self._parts
        refuse_restarts(self._plan.configuration, configuration)
        refuse_unset_variables(plan)
        key = await masking_key(configuration)
        await parts.relay.apply(served(plan), RelayLimits.of(configuration.limits))
        self._plan = plan
        parts.identity.reconfigure(
            configuration.issuers, configuration.agents, configuration.users, configuration.passes
        )
        parts.identity.tokens.reconfigure(configuration.gateway_tokens)
        parts.policies.replace(plan.policies)
        parts.masking.replace(plan.masks, key)
        parts.vault.replace(configuration.resources)
        bound(parts.budgets, configuration)
        parts.notifier.reconfigure(configuration)
        parts.grants.reached_at(configuration.control.url)
        parts.gate.set_hold(hold_times(configuration))
        parts.approvers.people.replace(configuration.users)
        parts.gate.policy_changed()
        set_up(configuration.log)
        self._renew_certificate()

    def _renew_certificate(self) -> None:
        try:
            self._parts.certificate.renew(self._plan.configuration)
        except (OSError, ssl.SSLError) as error:
            _log.error("certificate_not_renewed", reason=str(error), shown="the one before")

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def drain(self, seconds: float | None = None) -> None:
        """Take no new sessions, let open ones finish for `seconds` (default: `limits.drain`), end the rest."""
        self._leave()
        patience = self._plan.configuration.limits.drain.total_seconds() if seconds is None else seconds
        _log.info("draining", sessions=self._parts.gate.sessions, seconds=patience)
        await self._parts.relay.drain(patience)

    async def stop(self) -> None:
        """Stop everything, the recordings last."""
        self._leave()
        await self._stack.aclose()

    def _leave(self) -> None:
        """Take no new sessions any more."""
        if not self._stage:
            self._member.counts.add(READY, -1)
        self._stage = "shutting down"


def refuse_unset_variables(plan: Plan) -> None:
    """Let a plan go on.

    Raises:
        Unusable: it names environment variables that are not set; this process can never come to have them.
    """
    unset = unset_variables(plan.configuration)
    if unset:
        raise Unusable("\n".join(f"{plan.path}: {state.owner}: {state.source}: {state.problem}" for state in unset))
