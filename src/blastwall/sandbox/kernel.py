"""What the kernel is asked for by number (`prctl(2)`), since Python has no call for it."""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38


def end_with_parent() -> None:
    """Have this process killed when the one that started it ends."""
    _control(_PR_SET_PDEATHSIG, signal.SIGKILL)


def gain_nothing() -> None:
    """Let no program that this process starts gain rights."""
    _control(_PR_SET_NO_NEW_PRIVS, 1)


def hide_memory() -> None:
    """Let no other process of the same user read this one's memory, nor leave it behind in a core dump."""
    _control(_PR_SET_DUMPABLE, 0)


def _control(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)
