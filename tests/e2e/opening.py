"""Open shops of a test's own, and wait for things that must happen soon."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import psycopg
from tests.e2e.conftest import POLICIES, SHOP, Shop, configuration

from blastwall.model.events import Event
from blastwall.recording.reader import Reader
from blastwall.recording.repetitions import whole
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.postgres import PostgresServer

T = TypeVar("T")
DATABASE = "shop"
SOON = 60.0
"""How long a test waits for what takes milliseconds; only a failure takes as long, or a machine that is very busy."""


@contextmanager
def opened(
    server: PostgresServer,
    folder: Path,
    *,
    policies: str = POLICIES,
    fill: bool = True,
    environment: Mapping[str, str] | None = None,
    **changes: object,
) -> Iterator[Shop]:
    """Open a shop behind a gateway in `folder`, with `changes` to the configuration of the module's own shop."""
    if fill:
        server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        server.create_database(DATABASE, SHOP)
    with (
        DevIssuer() as issuer,
        Gateway(
            configuration(server, issuer, **changes),
            policies={"shop.cedar": policies},
            environment={"PG_PASSWORD": server.password, **(environment or {})},
            folder=folder,
        ) as gateway,
    ):
        yield Shop(gateway, issuer, server, DATABASE)


def changed(shop: Shop, **changes: object) -> None:
    """Put a changed configuration in force."""
    shop.gateway.write({**shop.gateway.configuration, **changes})
    shop.gateway.reload()


def eventually(found: Callable[[], T], what: str, seconds: float = SOON) -> T:
    """Return the first true value of `found`; fail with `what` did not happen."""
    deadline = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


def promised(seconds: float) -> float:
    """Return how long what is promised within `seconds` may take here: longer where many processes want each core."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def ends(connection: psycopg.Connection[tuple[object, ...]], seconds: float = SOON) -> tuple[str, float]:
    """Wait until the gateway ends a session of which nothing is asked; return what it says, and how long it took."""
    began = time.monotonic()
    said: list[str] = []  # libpq reports what an idle connection receives as a notice
    connection.add_notice_handler(lambda notice: said.append(f"{notice.severity}: {notice.message_primary}"))
    try:
        for _ in connection.notifies(timeout=seconds):
            pass
    except psycopg.OperationalError as error:
        return "\n".join([*said, str(error)]), time.monotonic() - began
    raise AssertionError(f"the session still lives after {seconds:g} s")


def backends(shop: Shop) -> int:
    """How many connections the server has from the gateway's sessions; its side connections are left out."""
    (row,) = shop.direct(
        "SELECT count(*)::int FROM pg_stat_activity "
        "WHERE usename = 'scram_user' AND application_name LIKE '%/%' AND application_name NOT LIKE 'blastwall%'"
    )
    assert isinstance(row[0], int)
    return row[0]


def events(shop: Shop) -> dict[str, list[Event]]:
    """Everything that is recorded, by session, with repeated statements told whole."""
    reader = Reader(shop.gateway.folder / "state" / "recordings")
    return {
        summary.session: list(whole(one.event for one in reader.replay(summary) if one.event is not None))
        for summary in reader.sessions()
    }


def metrics(shop: Shop) -> Mapping[str, float]:
    """What /metrics says, by name with labels."""
    status, body = shop.gateway.get("/metrics")
    assert status == 200
    lines = [line.rsplit(" ", 1) for line in body.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def lets_in(shop: Shop, repository: str = "42") -> bool:
    """Whether a login is admitted now."""
    try:
        shop.connect(repository_id=repository).close()
    except psycopg.OperationalError:
        return False
    return True
