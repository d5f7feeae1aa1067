"""Free loopback ports for throw-away servers."""

from __future__ import annotations

import socket
from threading import Lock

_given: set[int] = set()
_lock = Lock()


def free_port() -> int:
    """Return a loopback TCP port that nobody listens on and that this process was not given before."""
    with _lock:
        while True:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.bind(("127.0.0.1", 0))
                port: int = probe.getsockname()[1]
            if port not in _given:
                _given.add(port)
                return port


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections on a port now."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
