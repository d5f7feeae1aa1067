"""Which session a cancel handle reaches. Handles are unguessable; who has one may interrupt."""

from __future__ import annotations

from collections.abc import Callable

Interrupted = Callable[[], None]


class Interrupts:
    """The handles claimed by the sessions of one resource; `elsewhere` is called with those that are not known here."""

    def __init__(self, elsewhere: Callable[[bytes], None]) -> None:
        self._claims: dict[bytes, Interrupted] = {}
        self._elsewhere = elsewhere

    def claim(self, handle: bytes, interrupted: Interrupted) -> bool:
        """Let `handle` reach a session; False where another session holds it, which keeps it."""
        return self._claims.setdefault(handle, interrupted) is interrupted

    def release(self, handle: bytes) -> None:
        """Let `handle` reach nobody."""
        self._claims.pop(handle, None)

    def interrupt(self, handle: bytes) -> None:
        """Interrupt the session that claimed `handle`, wherever it is; nobody is told where there is none."""
        if not self.interrupt_here(handle):
            self._elsewhere(handle)

    def interrupt_here(self, handle: bytes) -> bool:
        """Interrupt the session of this process that claimed `handle`; False where there is none."""
        interrupted = self._claims.get(handle)
        if interrupted is None:
            return False
        interrupted()
        return True
