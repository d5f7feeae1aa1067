"""The use-cases of the state, for the commands that act on it directly: on the gateway's machine, with its files."""

from __future__ import annotations

import asyncio
import getpass
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from blastwall.config.model import Configuration
from blastwall.containment import StoredContainment
from blastwall.control.access import Operator
from blastwall.control.changes import Changes
from blastwall.control.containing import Containing
from blastwall.control.telling import Telling
from blastwall.store.changes import ChangeTable
from blastwall.store.containments import ContainmentTable
from blastwall.store.database import open_store
from blastwall.store.outbox import OutboxTable
from blastwall.store.passes import PassTable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Here:
    """What acts on the state. Running gateways see and tell what is written, within a second."""

    containing: Containing


def operator() -> Operator:
    """Return who is at this machine; in a container the user may have a number only."""
    try:
        return Operator(getpass.getuser())
    except (KeyError, OSError):
        return Operator(f"uid {os.getuid()}")


def run_here(configuration: Configuration, call: Callable[[Here], Awaitable[T]]) -> T:
    """Open the state, call, and close it.

    Raises:
        StateError: the state cannot be used.
    """
    return asyncio.run(_run(configuration, call))


async def _run(configuration: Configuration, call: Callable[[Here], Awaitable[T]]) -> T:
    store = await open_store(configuration.state)
    try:
        changes = Changes(ChangeTable(store), time.time)
        telling = Telling(OutboxTable(store), lambda: configuration.notifications, now=time.time)
        table = ContainmentTable(store)
        containing = Containing(
            StoredContainment(table, time.time), table, PassTable(store), time.time, changes=changes, telling=telling
        )
        try:
            return await call(Here(containing))
        finally:
            await changes.close()
    finally:
        await store.close()
