"""Whether calls into a session's engine are under way: what may come between two of them must look here first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from blastwall.protocols.contract import Output
from blastwall.wire.native import Flag


class Turn:
    """The calls that wait, in their order; `draining` while they are made, `closing` once the engine has ended."""

    def __init__(self) -> None:
        self.calls: deque[Callable[[], Sequence[Output]]] = deque()
        self.draining: Flag = False
        self.closing: Flag = False

    def busy(self) -> Flag:
        """Whether calls are under way or queued, or the engine has ended."""
        return self.draining or self.closing or len(self.calls) > 0
