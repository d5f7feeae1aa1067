"""Free loopback ports for throw-away servers."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from threading import Lock

_LOWEST = 20_000
_given: set[int] = set()
_lock = Lock()


def free_port() -> int:
    """Return a loopback TCP port that nobody listens on and that this process was not given before.

    It is none that the kernel gives to whoever asks for any, or it might be gone before a server has started on it.
    """
    with _lock:
        while True:
            port = _bound(_wished())
            if port is not None and port not in _given and _ours(port):
                _given.add(port)
                return port


def _wished() -> int:
    """A port below those that the kernel gives, by chance; 0, any, where there are few or nobody says."""
    try:
        above = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        return 0
    return _LOWEST + secrets.randbelow(above - _LOWEST) if above > _LOWEST + 10_000 else 0


def _ours(port: int) -> bool:
    """Whether it is this process's to take.

    Of those that pytest-xdist runs side by side none sees what another was given until a server has started on it.
    """
    worker, count = os.environ.get("PYTEST_XDIST_WORKER", ""), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    return not worker.startswith("gw") or port % int(count) == int(worker.removeprefix("gw")) % int(count)


def _bound(wished: int) -> int | None:
    """The port that can be bound, if it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", wished))
        except OSError:
            return None
        port: int = probe.getsockname()[1]
        return port


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections on a port now."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
