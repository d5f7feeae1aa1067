"""How a fault of the gateway's own is logged: its kind and where it happened, never its text."""

from __future__ import annotations

import traceback

_DEEPEST = 8


def described(fault: BaseException) -> str:
    """Return a fault's type and its innermost frames. Its message is left out: it may quote a statement or a secret."""
    frames = traceback.extract_tb(fault.__traceback__)[-_DEEPEST:]
    places = " > ".join(f"{frame.filename.rpartition('blastwall/')[2]}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(fault).__name__} at {places}"
