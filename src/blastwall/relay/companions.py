"""Side connections of the gateway's own: one for each resource and name, opened when asked for, shared by sessions."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

import structlog

from blastwall.gate.faults import described
from blastwall.gate.ports import CredentialUnavailable, ResourceMeter, Vault
from blastwall.model.resource import Resource
from blastwall.protocols.contract import Answered, Companion, Later, Limits, Opening, Output, Side
from blastwall.protocols.kind import ProtocolKind
from blastwall.relay.carrier import Carrier
from blastwall.relay.certificates import UpstreamTls
from blastwall.relay.limits import RelayLimits
from blastwall.relay.lines import Lines

_log = structlog.get_logger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
"""After a failure look-ups are refused for so many seconds, twice as many after each further one.

The longest is also how long a resource that came back may still seem gone, so it is short.
"""

_REST = 20.0
"""How many times as long as its answer took a question that is asked again rests at least, so that it costs little."""

_PATIENCE = 12
"""How many times `RelayLimits.lookup` an answer may take that keeps coming."""


class LookupFailed(Exception):
    """A companion's reply cannot be had; the text says why."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the companions of one resource are made of."""

    resource: Resource
    kind: ProtocolKind
    sizes: Limits
    vault: Vault
    tls: UpstreamTls
    limits: RelayLimits
    meter: ResourceMeter
    lines: Lines


class CompanionCarrier(Carrier):
    """One companion's connections, from its start to its end."""

    def __init__(
        self,
        companion: Companion,
        name: str,
        setting: Setting,
        answered: Callable[[int, object], None],
        ended: Callable[[CompanionCarrier, str], None],
    ) -> None:
        super().__init__(companion, name, setting.resource.name, setting.tls, setting.limits, setting.lines)
        self._companion = companion
        self._meter = setting.meter
        self._answered = answered
        self._ended = ended
        self.heard = asyncio.get_running_loop().time()
        """When the resource last sent something, or something was made of it, in the loop's time."""

    @property
    def place(self) -> str:
        """See `Companion`."""
        return self._companion.place

    @property
    def again(self) -> Hashable | None:
        """See `Companion`."""
        return self._companion.again

    def start(self) -> None:
        """Let it connect."""
        self.call(self._companion.start)

    def look_up(self, number: int, question: Hashable) -> None:
        """Ask it."""
        self.call(partial(self._companion.look_up, number, question))

    def carry_other(self, output: Output) -> None:
        """See `Carrier`."""
        if isinstance(output, Later):
            loop = asyncio.get_running_loop()
            self.heard = loop.time()
            loop.call_soon(self.call, output.go_on)  # not queued yet: the calls of this turn are made to their end
            return
        if not isinstance(output, Answered):
            raise TypeError(f"a companion gives no {type(output).__name__}")
        self._answered(output.number, output.reply)

    def received(self, side: Side, data: bytes) -> None:
        """See `stream.Owner`."""
        self.heard = asyncio.get_running_loop().time()
        super().received(side, data)

    def dialling_failed(self) -> None:
        """See `Carrier`."""
        self._meter.dial_failed()

    def settled(self) -> None:
        """See `Carrier`. Its questions are few and its answers wanted: it is always read."""

    def blocked(self, side: Side, blocked: bool) -> None:
        """See `Carrier`."""

    def finish(self, reason: str) -> None:
        """See `Carrier`."""
        self._ended(self, reason)

    def gone(self) -> None:
        """See `Carrier`."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    question: Hashable
    answer: Callable[[object], None]
    timer: asyncio.TimerHandle
    until: float


class SideConnection:
    """One companion: opened by a look-up, again after it ended, with growing pauses after failures."""

    def __init__(self, name: str, setting: Setting) -> None:
        self._name = name
        self._setting = setting
        self._loop = asyncio.get_running_loop()
        self._numbers = count(1)
        self._waiting: dict[int, _Waiting] = {}
        self._carrier: CompanionCarrier | None = None
        self._answers = False
        """Whether the present connection has answered: one that did and is lost idle was closed, it has not failed."""
        self._opening: asyncio.Task[None] | None = None
        self._failures = 0
        self._not_before = 0.0
        self._failure = ""
        self._used = 0.0
        self._idle: asyncio.TimerHandle | None = None
        self._again_timer: asyncio.TimerHandle | None = None
        self._watched: CompanionCarrier | None = None
        """The last connection, if it was lost too: what sessions go by is asked again all the same."""
        self._wanted: set[str] = set()
        """Places that it leaves, if it is there, once it has answered what it was asked before."""

    def look_up(self, question: Hashable, answer: Callable[[object], None]) -> None:
        """Ask; `answer` gets the reply, or an exception where it cannot be had in time. Called once, maybe at once."""
        self._used = self._loop.time()
        if self._carrier is None and self._opening is None and self._used < self._not_before:
            answer(LookupFailed(self._failure))
            return
        number = next(self._numbers)
        timer = self._loop.call_later(self._setting.limits.lookup, self._time_out, number)
        self._waiting[number] = _Waiting(question, answer, timer, self._used + _PATIENCE * self._setting.limits.lookup)
        if self._carrier is not None:
            self._carrier.look_up(number, question)
        elif self._opening is None:
            self._opening = self._loop.create_task(self._open(), name=f"companion {self._name}")

    async def _open(self) -> None:
        try:
            carrier = await self._make()
        except (LookupFailed, CredentialUnavailable) as failure:
            self._opening = None
            self._fail(str(failure))
        except Exception as fault:  # noqa: BLE001 - a fault fails the look-ups, which fail what asked them
            _log.error(
                "companion_failed",
                companion=self._name,
                resource=self._setting.resource.name,
                fault=described(fault),
            )
            self._opening = None
            self._fail("a fault of the gateway's own")
        else:
            self._opening = None
            self._carrier, self._answers = carrier, False
            self._watched = carrier
            if self._again_timer is None:
                self._again_after(self._setting.limits.companion_again)
            self._idle = self._loop.call_later(self._setting.limits.companion_idle, self._check_idle)
            carrier.start()
            for number, waiting in tuple(self._waiting.items()):
                carrier.look_up(number, waiting.question)

    async def _make(self) -> CompanionCarrier:
        setting = self._setting
        credential = await setting.vault.credential(setting.resource, None)
        opening = Opening(f"side connection {self._name}", setting.resource, secrets.token_bytes, setting.sizes)
        companion = setting.kind.companion(opening, credential, self._name)
        if companion is None:
            raise LookupFailed(f"{setting.resource.name} has no side connection {self._name}")
        return CompanionCarrier(companion, self._name, setting, self._answered, self._ended)

    def _answered(self, number: int, reply: object) -> None:
        if not isinstance(reply, Exception):
            self._failures, self._answers = 0, True
        self._settle(number, reply)

    def _settle(self, number: int, reply: object) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            waiting.timer.cancel()
            waiting.answer(reply)
            self._leave()

    def _again_after(self, pause: float) -> None:
        self._again_timer = self._loop.call_later(pause, self._ask_again)

    def _ask_again(self) -> None:
        """Ask again what sessions go by; what somebody is waiting for tells as much."""
        question = None if self._watched is None or self._waiting else self._watched.again
        began, pause = self._loop.time(), self._setting.limits.companion_again
        if question is None:
            self._again_after(pause)
        else:
            self.look_up(question, lambda _reply: self._again_after(max(pause, _REST * (self._loop.time() - began))))

    def vacate(self, place: str) -> None:
        """Leave a place if that is where it is connected, once it owes no answer."""
        self._wanted.add(place)
        self._leave()

    def _leave(self) -> None:
        if self._wanted and not self._waiting:
            wanted, self._wanted = self._wanted, set()
            if self._carrier is not None and self._carrier.place in wanted:
                self.close(f"{self._carrier.place} is wanted")

    def _time_out(self, number: int) -> None:
        """A connection that owes an answer, and has been silent for so long, is given up."""
        if self._waits_on(number):
            return
        reason = f"{self._setting.resource.name} did not answer the gateway's own question in time"
        self._settle(number, LookupFailed(reason))
        if self._carrier is not None:
            self._carrier.end(reason)

    def _waits_on(self, number: int) -> bool:
        """Whether the answer is on its way: a large catalog comes for longer than any silence may last."""
        waiting, carrier = self._waiting.get(number), self._carrier
        if waiting is None or carrier is None:
            return False
        at = min(carrier.heard + self._setting.limits.lookup, waiting.until)
        if at <= self._loop.time():
            return False
        timer = self._loop.call_at(at, self._time_out, number)
        self._waiting[number] = replace(waiting, timer=timer)
        return True

    def _ended(self, carrier: CompanionCarrier, reason: str) -> None:
        if carrier is self._carrier:
            self._carrier = None
            if self._idle is not None:
                self._idle.cancel()
            if self._answers and not self._waiting:
                _log.info("companion_lost", companion=self._name, resource=self._setting.resource.name, reason=reason)
            else:
                self._fail(reason)

    def _fail(self, reason: str) -> None:
        self._failures += 1
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures - 1, 10))
        self._not_before = self._loop.time() + pause
        self._failure = reason
        _log.warning(
            "companion_ended", companion=self._name, resource=self._setting.resource.name, reason=reason, pause=pause
        )
        for number in tuple(self._waiting):
            self._settle(number, LookupFailed(reason))

    def _check_idle(self) -> None:
        left = self._used + self._setting.limits.companion_idle - self._loop.time()
        if left > 0 or self._waiting:
            self._idle = self._loop.call_later(max(left, 1.0), self._check_idle)
        else:
            self.close("unused")

    def close(self, reason: str) -> None:
        """End it; a later look-up opens it again."""
        carrier, self._carrier = self._carrier, None
        self._watched = None
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if carrier is not None:
            carrier.end(reason)
        for number in tuple(self._waiting):
            self._settle(number, LookupFailed(reason))
        if self._again_timer is not None:
            self._again_timer.cancel()
            self._again_timer = None


class Companions:
    """The companions of one resource, by name."""

    _MOST = 1000

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._by_name: dict[str, SideConnection] = {}

    def look_up(self, name: str, question: Hashable, answer: Callable[[object], None]) -> None:
        """Ask the companion `name`; see `SideConnection.look_up`."""
        found = self._by_name.get(name)
        if found is None:
            if len(self._by_name) >= self._MOST:
                answer(LookupFailed("too many side connections"))
                return
            found = self._by_name[name] = SideConnection(name, self._setting)
        found.look_up(question, answer)

    @property
    def resource(self) -> Resource:
        """Whose they are."""
        return self._setting.resource

    def vacate(self, place: str) -> None:
        """Leave a place; see `Vacate`."""
        for connection in tuple(self._by_name.values()):
            connection.vacate(place)

    def close(self, reason: str) -> None:
        """End them all."""
        for connection in self._by_name.values():
            connection.close(reason)
