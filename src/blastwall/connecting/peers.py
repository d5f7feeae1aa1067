"""Whose a connection on loopback is. Every user of a machine can reach its loopback ports; the kernel knows who did.

Linux lists each TCP socket with its owner's user id (proc_pid_net(5), `tcp` and `tcp6`). The client's end of a
connection is the entry whose local address is our peer's.
"""

from __future__ import annotations

import os
import socket
import sys
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from struct import Struct
from typing import Protocol

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"
"""TCP_ESTABLISHED. What a closed socket leaves behind has no owner any more, and is listed as root's."""

_CREDENTIALS = Struct("3i")
"""`struct ucred`: pid, uid, gid (unix(7), SO_PEERCRED)."""


class Connection(Protocol):
    """What is asked of a socket."""

    @property
    def family(self) -> int: ...

    def getpeername(self) -> tuple[str, int]: ...

    def getsockname(self) -> tuple[str, int]: ...

    def getsockopt(self, level: int, option: int, length: int) -> bytes: ...


def can_tell() -> bool:
    """Whether this system says whose a connection is."""
    return _TABLES[0].exists()


def is_ours(connection: Connection) -> bool:
    """Whether the other end is this user's, or root's, who could read this process anyway."""
    owner = _owner(connection)
    return owner is not None and owner in {os.getuid(), 0}


def _owner(connection: Connection) -> int | None:
    if connection.family == socket.AF_UNIX:
        return int(_CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1])
    theirs, ours = connection.getpeername()[:2], connection.getsockname()[:2]
    wanted = {(_written(theirs, table), _written(ours, table)) for table in (4, 6)}
    for table in _TABLES:
        if table.exists():
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if (fields[1], fields[2]) in wanted:
                    return int(fields[7]) if fields[3] == _ESTABLISHED else None
    return None


def _written(address: tuple[str, int], version: int) -> str:
    """Return an address as the kernel writes it: words of 32 bits in the machine's order, in hexadecimal."""
    host, port = address
    packed = ip_address(host).packed
    if version == 6 and len(packed) == 4:
        packed = IPv6Address(f"::ffff:{host}").packed
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    text = "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
    return f"{text}:{port:04X}"
