"""The processes that do such work, and whose turn it is.

Each owner (an agent) has a queue of its own; owners take turns, and no owner has more than all processes but one. So
whoever floods the queues waits for itself. A process that crashes, or takes too long or too much, is replaced, and its
task fails with a reason. It is started with an empty environment and inherits no descriptor: nothing of the gateway's
secrets is in it.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import structlog

from blastwall.sandbox.process import Process, Task

_log = structlog.get_logger(__name__)

Reply = Callable[[bytes | Exception], None]
_FEWEST, _MOST = 2, 4


class SandboxFailed(Exception):
    """A task has no result; the text says why, in words that follow "it could not be read: "."""


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """Bounds of one task: `memory` in bytes of address space, `processor` and `wall` in seconds.

    `waiting` bounds an owner's queue, in tasks.
    """

    memory: int = 1 << 30
    processor: int = 10
    wall: float = 20.0
    waiting: int = 200


@dataclass(eq=False, slots=True)
class Handle:
    """A task that was handed in. Once cancelled it is not replied to."""

    owner: Hashable
    task: Task
    context: object
    reply: Reply = field(repr=False)
    cancelled: bool = False

    def cancel(self) -> None:
        """Nobody wants the result any more."""
        self.cancelled = True


class Sandboxes:
    """A few processes, started when they are needed. Everything is called on one loop."""

    def __init__(self, limits: SandboxLimits | None = None, size: int = 0) -> None:
        self._limits = limits if limits is not None else SandboxLimits()
        self._size = size or max(_FEWEST, min(_MOST, os.cpu_count() or 1))
        self._queues: dict[Hashable, deque[Handle]] = {}
        self._running: Counter[Hashable] = Counter()
        self._idle: defaultdict[str, list[Process]] = defaultdict(list)
        """By the module of the tasks that they do: a process imports nothing more once it has done one."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def run(self, owner: Hashable, task: Task, context: object, reply: Reply) -> Handle:
        """Have `task(context)` worked out; `reply` is called once with its bytes, or with SandboxFailed, maybe at once.

        `task` and `context` are pickled; a context is sent to a process once, as long as it is the same object.
        """
        handle = Handle(owner, task, context, reply)
        queue = deque(one for one in self._queues.get(owner, ()) if not one.cancelled)
        if self._closed or len(queue) >= self._limits.waiting:
            reply(SandboxFailed("too much of this agent's waits to be read already: send less at once"))
        else:
            queue.append(handle)
            self._queues[owner] = queue
            self._start()
        return handle

    def _start(self) -> None:
        """Give what waits to processes that are free."""
        while len(self._tasks) < self._size:
            handle = self._next()
            if handle is None:
                return
            self._running[handle.owner] += 1
            task = asyncio.get_running_loop().create_task(self._do(handle), name="sandbox")
            self._tasks.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not self._closed:
            self._start()

    def _next(self) -> Handle | None:
        """Take the next task of the owner whose turn it is; the owner goes to the end of the line."""
        for owner, queue in list(self._queues.items()):
            while queue and queue[0].cancelled:
                queue.popleft()
            if queue and self._running[owner] >= max(1, self._size - 1):
                continue
            del self._queues[owner]
            if queue:
                handle = queue.popleft()
                if queue:
                    self._queues[owner] = queue
                return handle
        return None

    async def _do(self, handle: Handle) -> None:
        try:
            reply: bytes | Exception = await self._result(handle)
        except SandboxFailed as failure:
            _log.warning("sandbox_failed", owner=str(handle.owner), reason=str(failure))
            reply = failure
        except Exception as fault:  # noqa: BLE001 - whatever it is, who waits must get its answer
            _log.error("sandbox_broken", fault=type(fault).__name__)
            reply = SandboxFailed("a fault of the gateway's own, see its log")
        finally:
            self._running[handle.owner] -= 1
            if not self._running[handle.owner]:
                del self._running[handle.owner]
        if not handle.cancelled and not self._closed:
            handle.reply(reply)

    async def _result(self, handle: Handle) -> bytes:
        limits = self._limits
        idle = self._idle[handle.task.__module__]
        process = idle.pop() if idle else Process(limits.memory, limits.processor)
        try:
            async with asyncio.timeout(limits.wall):
                kind, body = await process.call(handle.task, handle.context)
        except TimeoutError:
            await process.kill()
            raise SandboxFailed(f"reading it took longer than {limits.wall:g} seconds: split it") from None
        except (EOFError, OSError):
            why = await process.kill(at_once=False)
            raise SandboxFailed(f"the process that read it {why}: split it") from None
        except BaseException:
            await process.kill()
            raise
        idle.append(process)
        if kind == b"R":
            return body
        problem = body.decode(errors="replace")
        lack = f"reading it takes more than {limits.memory >> 20} MiB of memory: split it"
        raise SandboxFailed(lack if problem == "MemoryError" else f"the process that read it failed ({problem})")

    async def close(self) -> None:
        """End every process. What waits is not replied to."""
        self._closed = True
        self._queues.clear()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in (one for several in self._idle.values() for one in several):
            await process.kill()
        self._idle.clear()
