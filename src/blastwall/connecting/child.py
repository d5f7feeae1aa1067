"""The client beside the port: started with the right variables, given the signals, its exit code passed on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)
_THE_END = (signal.SIGTERM, signal.SIGHUP)
_FROM_THE_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
NOT_FOUND = 127
NOT_EXECUTABLE = 126
"""What shells end with, where a command is not there or cannot be run."""


class NotStarted(Exception):
    """The command cannot be run; `code` is what a shell would end with."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Terminated(Exception):
    """A signal asked the run to end; `code` is what it ends with."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by signal {number}")
        self.code = 128 + number


@contextmanager
def tidily() -> Iterator[None]:
    """End the block in order where a signal asks for the end, so that what it opened is closed and cleared away.

    Raises:
        Terminated: one did.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    asked: list[int] = []

    def end(number: int) -> None:
        asked.append(number)
        if task is not None:
            task.cancel()

    for number in _THE_END:
        loop.add_signal_handler(number, end, number)
    try:
        yield
    except asyncio.CancelledError:
        if asked and task is not None:
            task.uncancel()
            raise Terminated(asked[0]) from None
        raise
    finally:
        for number in _THE_END:
            loop.remove_signal_handler(number)


async def run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end; return its exit code, or 128 and the signal's number where a signal ended it.

    A signal that a terminal sends (Ctrl-C) reaches the command by itself, since it is in the same process group; others
    are passed on.

    Raises:
        NotStarted: it cannot be run.
    """
    loop = asyncio.get_running_loop()
    started: list[asyncio.subprocess.Process] = []
    for number in (*_PASSED_ON, *_FROM_THE_TERMINAL):
        loop.add_signal_handler(number, _signalled, started, number)
    try:
        started.append(await _start(command, environment))
        code = await started[0].wait()
    finally:
        for number in (*_PASSED_ON, *_FROM_THE_TERMINAL):
            loop.remove_signal_handler(number)
    return code if code >= 0 else 128 - code


async def _start(command: Sequence[str], environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(*command, env=dict(environment))
    except FileNotFoundError:
        raise NotStarted(f"{command[0]!r} is not on this machine", NOT_FOUND) from None
    except OSError as error:
        raise NotStarted(f"{command[0]!r} cannot be run: {error.strerror}", NOT_EXECUTABLE) from None


def _signalled(started: Sequence[asyncio.subprocess.Process], number: signal.Signals) -> None:
    from_terminal = number in _FROM_THE_TERMINAL and _in_the_foreground()
    for process in started:
        if process.returncode is None and not from_terminal:
            process.send_signal(number)


def _in_the_foreground() -> bool:
    """Whether a terminal sends its signals to us, and so to the command as well."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
