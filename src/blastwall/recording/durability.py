"""When a write counts: at once after write(2), or after an fsync that many writes share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from blastwall.recording.files import AppendFile

Done = Callable[[OSError | None], None]


class Durability(Protocol):
    """Calls back once what was appended to `files` is durable, or cannot be."""

    @property
    def at_once(self) -> bool:
        """Whether what is written is durable, so that nobody need ask for it."""

    def after(self, files: Iterable[AppendFile], done: Done) -> None: ...

    def retire(self, file: AppendFile) -> None:
        """Close a file once nobody waits for it any more."""

    async def drain(self) -> None:
        """Wait until every `done` has been called."""


class AfterWrite:
    """Durability `process`: the kernel has it, so the end of this process loses nothing."""

    at_once = True

    def after(self, files: Iterable[AppendFile], done: Done) -> None:
        done(None)

    def retire(self, file: AppendFile) -> None:
        file.close()

    async def drain(self) -> None:
        return


class AfterSync:
    """Durability `power`: one fsync for all that came while the one before ran; callbacks on the loop."""

    at_once = False

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # One thread: an fsync submitted before a file is retired also runs before it.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recording-sync")
        self._files: set[AppendFile] = set()
        self._waiting: list[Done] = []
        self._running: set[asyncio.Future[None]] = set()

    def after(self, files: Iterable[AppendFile], done: Done) -> None:
        self._files.update(files)
        self._waiting.append(done)
        if not self._running:
            self._submit()

    def retire(self, file: AppendFile) -> None:
        if self._waiting:
            self._submit()
        self._thread.submit(file.close)

    async def drain(self) -> None:
        while self._running or self._waiting:
            await asyncio.wait([*self._running])
            await asyncio.sleep(0)
        self._thread.shutdown()

    def _submit(self) -> None:
        files, waiting = self._files, self._waiting
        self._files, self._waiting = set(), []
        future = self._loop.run_in_executor(self._thread, _sync, files)
        self._running.add(future)
        future.add_done_callback(lambda ended: self._ended(ended, waiting))

    def _ended(self, future: asyncio.Future[None], waiting: list[Done]) -> None:
        self._running.discard(future)
        error = future.exception()
        if self._waiting and not self._running:
            self._submit()
        for done in waiting:
            done(error if isinstance(error, OSError) or error is None else OSError(str(error)))


def _sync(files: Iterable[AppendFile]) -> None:
    for file in files:
        file.sync()
