"""GET /events: what changes, as server-sent events (HTML Living Standard, section 9.2)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Header, Request
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from blastwall.api import known
from blastwall.api.frame import Endpoint, InCaller, InControl
from blastwall.control.access import Access, Forbidden, Remote
from blastwall.control.changes import Change, Subscription, TooManySubscribers
from blastwall.control.control import Control
from blastwall.control.failures import TooManyFailures
from blastwall.control.watching import Watching
from blastwall.gate.ports import Refusal

HEARTBEAT_SECONDS = 15.0
_RETRY_MILLISECONDS = 2000
_SEND_SECONDS = 30.0


class _Stream(StreamingResponse):
    """A stream that ends at once where its reader left, and soon where it has stopped to read."""

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._source = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it, as ASGI has it."""

        async def in_time(message: Message) -> None:
            async with asyncio.timeout(_SEND_SECONDS):
                await send(message)

        tasks = [
            asyncio.create_task(self.stream_response(in_time), name="events"),
            asyncio.create_task(self.listen_for_disconnect(receive), name="events' reader leaves"),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._source.aclose()


LastSeen = Annotated[
    str | None,
    Header(alias="Last-Event-ID", pattern=r"^[0-9]{1,15}$", description="The last `id` that was seen."),
]


async def watch(
    control: InControl, caller: InCaller, request: Request, last_event_id: LastSeen = None
) -> StreamingResponse:
    """Watch what changes.

    `event` is what kind of thing changed (`approval`, `grant`, `containment`, `session`, `notification`, `health`),
    `data` is JSON with its `id` and what is new of it. After `reset` everything may have changed: load it anew. A
    comment comes every 15 seconds. A reader that does not keep up is cut off, and goes on with `Last-Event-ID`.
    """
    subscription = await control.watching.watch(caller, None if last_event_id is None else int(last_event_id))
    return _Stream(_events(control, caller, request, subscription))


async def _events(
    control: Control, caller: Remote, request: Request, subscription: Subscription
) -> AsyncGenerator[bytes, None]:
    """Yield events until the subscription ends, or the caller's proof or role does."""
    loop = asyncio.get_running_loop()
    check_at = loop.time() + HEARTBEAT_SECONDS
    try:
        yield f"retry: {_RETRY_MILLISECONDS}\n\n".encode()
        while True:
            change = await subscription.next(max(0.0, check_at - loop.time()))
            if change is not None:
                yield _event(change)
            elif subscription.ended:
                return
            if loop.time() >= check_at:
                if not await _still_may(control, request):
                    return
                check_at = loop.time() + HEARTBEAT_SECONDS
                yield b": here\n\n"
    finally:
        control.watching.leave(caller, subscription)


async def _still_may(control: Control, request: Request) -> bool:
    try:
        control.watching.may_go_on(await known.caller(control, request, Access.VIEWER, used=False))
    except (Refusal, Forbidden, TooManyFailures):
        return False
    return True


def _event(change: Change) -> bytes:
    number = "" if change.number is None else f"id: {change.number}\n"
    data = json.dumps({"id": change.id, **change.data})
    return f"{number}event: {change.kind}\ndata: {data}\n\n".encode()


ENDPOINTS = (Endpoint("GET", "/events", watch, Watching.watch, {TooManySubscribers: 429}, answers="text/event-stream"),)
