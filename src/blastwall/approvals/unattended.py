"""Approvals with nobody to give them: every hold ends by its timeout, its withdrawal or containment."""

from __future__ import annotations

import asyncio

from blastwall.gate.ports import Hold, Verdict


class Unattended:
    """Implements `gate.ports.Approvals` where no way to reach a person is configured."""

    async def decide(self, hold: Hold) -> Verdict:
        """Wait until the gate cancels: it owns the clock, and `hold.until` is its to enforce."""
        await asyncio.Future[None]()
        raise AssertionError("a future that nobody resolves was resolved")  # pragma: no cover
