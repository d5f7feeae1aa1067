"""What an idle connection costs the gateway in memory."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg

from bench.routes import Route

FIRST, MORE = 10, 80
"""Connections before the first look, and those that are counted between it and the second."""


def idle_connection(route: Route) -> float:
    """Return KiB of the gateway's own memory (PSS) that one more idle connection takes, after its first statement."""
    if route.process is None:
        raise ValueError(f"nothing stands in the way {route.name}")
    opened = [_connect(route) for _ in range(FIRST)]
    try:
        before = process_memory(route.process)
        opened += [_connect(route) for _ in range(MORE)]
        time.sleep(1)
        return (process_memory(route.process) - before) / MORE
    finally:
        for connection in opened:
            connection.close()


def _connect(route: Route) -> psycopg.Connection[tuple[object, ...]]:
    connection = psycopg.connect(route.conninfo, password=route.password, autocommit=True)
    connection.execute("SELECT 1")
    return connection


def process_memory(process: int) -> int:
    """Return the KiB of a process's own memory and its share of what it shares (PSS, proc_pid_smaps(5))."""
    rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
