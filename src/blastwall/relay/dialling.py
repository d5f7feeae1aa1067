"""Connecting to a resource."""

from __future__ import annotations

import asyncio
import socket

import structlog

from blastwall.model.resource import Address
from blastwall.relay.lines import Line, Lines
from blastwall.relay.stream import Stream

_log = structlog.get_logger(__name__)


class DialFailed(Exception):
    """A resource cannot be reached. The text names the resource and not its address, which is no client's business."""


async def dial(stream: Stream, target: Address, name: str, seconds: float, lines: Lines) -> None:
    """Connect `stream` to `target`, which errors call `name`; `lines` serves it.

    Raises:
        DialFailed: it cannot be reached within `seconds`.
    """
    try:
        async with asyncio.timeout(seconds):
            sock = await _connected(target)
    except (OSError, TimeoutError, UnicodeError) as error:
        _log.warning("dial_failed", resource=name, target=str(target), reason=str(error) or type(error).__name__)
        raise DialFailed(_told(name, error, seconds)) from None
    stream.connected(Line(lines, sock))


async def _connected(target: Address) -> socket.socket:
    """Try the host's addresses one after the other; raises what the last one failed with."""
    loop = asyncio.get_running_loop()
    failure: OSError = OSError(f"{target.host} has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM):
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as error:
            failure = error
            continue
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


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
