"""The gate's port Approvals, over the state that all nodes share.

One task serves all statements that wait in this process. What they ask, and how they end by themselves, is written in
one transaction each turn; what people decided of them is read by one query, every 250 ms while something waits, and at
once where a process of this node wrote it (`wake`). So a hold costs a row, a future and its place in a table.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import structlog

from blastwall.approvals.overdue import Overdue
from blastwall.approvals.requests import Place, requested
from blastwall.approvals.worth import Worth, names
from blastwall.gate.ports import Asked, Hold, Verdict
from blastwall.store import StateError
from blastwall.store.approvals import ApprovalTable, Past, State, StoredRequest

POLL_SECONDS = 0.25
_SWEEP_SECONDS = 60.0

_log = structlog.get_logger("blastwall.approvals")

Answer = Past | StoredRequest | None


@dataclass(frozen=True, slots=True)
class _Ask:
    request: StoredRequest
    answer: asyncio.Future[Answer]


class StoredApprovals:
    """Approvals by the state database.

    Args:
        table: where requests are kept.
        worth: what decisions are worth.
        place: the process that holds.
        link: where people find a request, by its id.
        now: the time, in epoch seconds.
        asked: hears of each new request.
        changed: hears the id of each request that has ended here by itself, and its state.
    """

    def __init__(
        self,
        table: ApprovalTable,
        worth: Worth,
        place: Place,
        *,
        link: Callable[[str], str],
        now: Callable[[], float],
        asked: Callable[[StoredRequest], None],
        changed: Callable[[str, str], None],
    ) -> None:
        self._table = table
        self._worth = worth
        self._place = place
        self._link = link
        self._now = now
        self._told = asked
        self._changed = changed
        self._asks: dict[str, _Ask] = {}
        self._ends: dict[str, State] = {}
        self._taken: list[str] = []
        self._waiting: dict[str, asyncio.Future[Past | None]] = {}
        self._wake = asyncio.Event()
        self._swept = float("-inf")
        self._overdue = Overdue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Withdraw what waited here before a restart, then serve.

        Raises:
            StateError: the state cannot be written.
        """
        place = self._place
        left = await self._table.orphaned(place.node, place.worker, place.of, self._now())
        if left:
            _log.info("approvals_withdrawn", requests=left, reason="the process that held them has ended")
        self._task = asyncio.create_task(self._serve(), name="approvals")

    async def stop(self) -> None:
        """Serve no more. What waits has been withdrawn by the end of its session; that is written still."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        asks, self._asks = self._asks, {}
        for ask in asks.values():
            _settle(ask.answer, StateError("the gateway is stopping"))
        for identity in self._waiting.keys() - asks.keys():
            self._ends.setdefault(identity, State.WITHDRAWN)
        try:
            await self._exchange()
        except StateError as error:
            _log.warning("approvals_unwritten", reason=str(error))

    def wake(self) -> None:
        """Look now: somebody decided something."""
        self._wake.set()

    @property
    def waiting(self) -> int:
        """How many statements wait in this process."""
        return len(self._waiting)

    # ── one hold ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def decide(self, hold: Hold, waits: Callable[[Asked], None]) -> Verdict:
        """See `gate.ports.Approvals`."""
        request = self._worth.seals.request(requested(hold, self._place, secrets.token_hex(6)))
        loop = asyncio.get_running_loop()
        ends = loop.time() + hold.until - hold.asked_at
        decided: asyncio.Future[Past | None] = loop.create_future()
        if not hold.fails:
            self._waiting[request.id] = decided
        try:
            answer = await self._ask(request)
            if isinstance(answer, Past):
                by = names(self._worth.approving(answer, request))
                return Verdict(True, by, f"request {answer.request.id}, approved before")
            asked = answer or request
            told = Asked(asked.id, self._link(asked.id), asked.until)
            if hold.fails:
                return Verdict(False, asked=told)
            waits(told)
            past = await self._decided(request, decided, ends)
        finally:
            self._waiting.pop(request.id, None)
        return Verdict(False, late=True) if past is None else self._worth.verdict(past, hold.approvals)

    async def _ask(self, request: StoredRequest) -> Answer:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asks[request.id] = _Ask(request, answer)
        self._wake.set()
        try:
            return await answer
        except asyncio.CancelledError:
            if self._asks.pop(request.id, None) is None:
                self._end(request.id, State.WITHDRAWN)
            raise

    async def _decided(self, request: StoredRequest, decided: asyncio.Future[Past | None], ends: float) -> Past | None:
        """Wait until `ends`, by the loop's clock; None where nobody decides in time."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(ends):
                    return await asyncio.shield(decided)
            self._end(request.id, State.TIMEOUT)
            return await decided
        except asyncio.CancelledError:
            late = asyncio.get_running_loop().time() >= ends
            self._end(request.id, State.TIMEOUT if late else State.WITHDRAWN)
            raise

    def _end(self, identity: str, state: State) -> None:
        self._ends.setdefault(identity, state)
        self._wake.set()

    # ── all of them ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _serve(self) -> None:
        while True:
            await self._pause()
            self._wake.clear()
            try:
                await self._turn()
            except StateError as error:
                _log.warning("approvals_unreachable", reason=str(error))
                await asyncio.sleep(POLL_SECONDS)
            except Exception:  # noqa: BLE001 - whatever fails, the others' decisions must be heard; the gate ends the waits
                _log.exception("approvals_failed")
                await asyncio.sleep(POLL_SECONDS)

    async def _pause(self) -> None:
        """Sleep until something happens here; while something waits, no longer than until the next look."""
        seconds = POLL_SECONDS if self._waiting or self._ends else _SWEEP_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _turn(self) -> None:
        if self._asks or self._ends or self._taken:
            await self._exchange()
        if self._waiting:
            await self._look()
        if self._place.worker == 1:
            await self._sweep(asyncio.get_running_loop().time())

    async def _sweep(self, now: float) -> None:
        """Once a minute, by the loop's clock, end what nobody else will."""
        if now - self._swept > _SWEEP_SECONDS:
            self._swept = now
            left = self._overdue.left(await self._table.overdue(self._now()), now)
            await self._table.sweep(left, self._now())

    async def _exchange(self) -> None:
        """Write what happened here since the last turn. Where that fails nothing waits that was not written."""
        asks, self._asks = self._asks, {}
        ends, self._ends = self._ends, {}
        taken, self._taken = self._taken, []
        now = self._now()
        try:
            requests = [ask.request for ask in asks.values()]
            answers = await self._table.exchange(requests, ends, taken, now, self._covers)
        except BaseException as failure:
            self._ends = {**ends, **self._ends}
            self._taken = [*taken, *self._taken]
            fault = failure if isinstance(failure, Exception) else StateError("the gateway is stopping")
            for ask in asks.values():
                _settle(ask.answer, fault)
            raise
        for identity, ask in asks.items():
            _settle(ask.answer, answers.get(identity))
            if identity not in answers:
                self._told(ask.request)
        await self._look_at(ends)

    async def _look_at(self, ends: dict[str, State]) -> None:
        """Tell the waits that ended by their time, unless people were quicker."""
        if any(identity in self._waiting for identity in ends):
            await self._look()
        for identity, state in ends.items():
            self._changed(identity, state)
            waiting = self._waiting.get(identity)
            if waiting is not None:
                _settle(waiting, None)

    async def _look(self) -> None:
        """Hear what people decided."""
        for past in await self._table.ended(self._place.holder):
            waiting = self._waiting.get(past.request.id)
            if waiting is not None:
                _settle(waiting, past)
            self._taken.append(past.request.id)

    def _covers(self, ask: StoredRequest, past: Past) -> bool:
        return self._worth.covers(ask, past, self._now())


T = TypeVar("T")


def _settle(future: asyncio.Future[T], result: T | Exception) -> None:
    """Give a future its result, unless who waited for it has gone."""
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
