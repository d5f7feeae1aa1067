"""Connecting to a resource."""

from __future__ import annotations

import asyncio
import socket

import structlog

from blastwall.model.resource import Address
from blastwall.relay.stream import Stream

_log = structlog.get_logger(__name__)


class DialFailed(Exception):
    """A resource cannot be reached. The text names the resource and not its address, which is no client's business."""


async def dial(stream: Stream, target: Address, name: str, seconds: float) -> None:
    """Connect `stream` to `target`, which errors call `name`.

    Raises:
        DialFailed: it cannot be reached within `seconds`.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            await loop.create_connection(lambda: stream, target.host, target.port)
    except (OSError, TimeoutError, UnicodeError) as error:
        _log.warning("dial_failed", resource=name, target=str(target), reason=str(error) or type(error).__name__)
        raise DialFailed(_told(name, error, seconds)) from None


def _told(name: str, error: Exception, seconds: float) -> str:
    match error:
        case TimeoutError():
            return f"{name} did not answer within {seconds:g} seconds"
        case ConnectionRefusedError():
            return f"{name} refused the connection"
        case socket.gaierror() | UnicodeError():
            return f"the host name of {name} cannot be resolved"
        case _:
            return f"{name} cannot be reached"
