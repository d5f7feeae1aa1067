"""One such process, seen from the gateway: its start, its frames, its end."""

from __future__ import annotations

import asyncio
import pickle
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import blastwall
from blastwall.sandbox.child import CONTEXTS, HEADER
from blastwall.sandbox.kernel import hide_memory

Task = Callable[[object], bytes]
_LARGEST_REPLY = 64 << 20
_LAST_MOMENT = 1.0
"""A process's pipe closes a moment before it has ended, in seconds."""


class Process:
    """Starts with its first call. Does one task at a time; after an exception it must be killed."""

    def __init__(self, memory: int, seconds: int) -> None:
        self._command = [sys.executable, "-P", "-s", "-B", "-m", "blastwall.sandbox.child", str(memory), str(seconds)]
        self._process: asyncio.subprocess.Process | None = None
        self._contexts: list[object] = []

    async def call(self, task: Task, context: object) -> tuple[bytes, bytes]:
        """Return a reply's letter and body.

        Raises:
            EOFError, OSError: the process is gone, or replies what it cannot.
        """
        frames = [] if self._knows(context) else [_frame(b"C", _identity(context) + pickle.dumps(context))]
        frames.append(_frame(b"T", _identity(context) + pickle.dumps(task)))
        process = self._process = self._process or await self._start()
        if process.stdin is None or process.stdout is None:
            raise EOFError
        process.stdin.writelines(frames)
        await process.stdin.drain()
        header = await process.stdout.readexactly(HEADER)
        size = int.from_bytes(header[1:], "big")
        if header[:1] not in {b"R", b"E"} or size > _LARGEST_REPLY:
            raise EOFError
        return header[:1], await process.stdout.readexactly(size)

    async def _start(self) -> asyncio.subprocess.Process:
        hide_memory()
        return await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"PYTHONPATH": str(Path(blastwall.__file__).parent.parent), "LC_ALL": "C.UTF-8"},
            cwd="/",
            start_new_session=True,
        )

    def _knows(self, context: object) -> bool:
        """Whether the process has this context; keeps the same ones that it keeps."""
        if any(one is context for one in self._contexts):
            return True
        self._contexts = [*self._contexts, context][-CONTEXTS:]
        return False

    async def kill(self, *, at_once: bool = True) -> str:
        """End the process, or see why it ended where its pipe is closed; return how, in words that follow its name."""
        process, self._process = self._process, None
        if process is None:
            return "could not be started"
        try:
            async with asyncio.timeout(0 if at_once else _LAST_MOMENT):
                await process.wait()
        except TimeoutError:
            process.kill()
        code = await process.wait()
        if process.stdin is not None:
            process.stdin.close()
        return _end(code)


def _end(code: int) -> str:
    if -code in {signal.SIGXCPU, signal.SIGKILL}:
        return "ran out of time or memory"
    return f"crashed ({signal.Signals(-code).name})" if code < 0 else "ended by itself"


def _identity(context: object) -> bytes:
    """Unique while the context lives, and `Process` keeps those alive that the child may be asked for."""
    return id(context).to_bytes(8, "big")


def _frame(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(8, "big") + body
