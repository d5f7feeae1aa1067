"""Reaching everything that a configuration names: each issuer's keys, and a log-in to each resource."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from blastwall.app.plan import Plan
from blastwall.config.model import Issuer
from blastwall.identity.keys import KeysUnavailable
from blastwall.identity.loaders import loader_for

_TIMEOUT_SECONDS = 15.0


class NotReached(Exception):  # noqa: N818 - says what happened
    """Something did not answer as it must; the text says what it did."""


@dataclass(frozen=True, slots=True)
class Dialled:
    """One thing that was dialled. `detail` is what it said of itself, or why it was not reached."""

    what: str
    reached: bool
    seconds: float
    detail: str


async def dial_all(plan: Plan) -> Sequence[Dialled]:
    """Dial every issuer and resource at once; each has 15 seconds."""
    issuers = [_timed(f"issuer {each.name}", partial(_keys, each)) for each in plan.configuration.issuers]
    return await asyncio.gather(*issuers)


async def _timed(what: str, dial: Callable[[], Awaitable[str]]) -> Dialled:
    begun = time.monotonic()
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            detail, reached = await dial(), True
    except NotReached as error:
        detail, reached = str(error), False
    except TimeoutError:
        detail, reached = f"no answer within {_TIMEOUT_SECONDS:.0f} s", False
    return Dialled(what, reached, time.monotonic() - begun, detail)


async def _keys(issuer: Issuer) -> str:
    try:
        keys = await loader_for(issuer).load()
    except KeysUnavailable as error:
        raise NotReached(str(error)) from None
    return f"{len(keys)} keys"
