"""Open shops of a test's own, and wait for things that must happen soon."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from tests.e2e.conftest import POLICIES, SHOP, Shop, configuration
from tests.recordings import settled, so_far
from tests.waiting import SOON

from blastwall.model.events import Event
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.postgres import PostgresServer

DATABASE = "shop"
PEOPLE = """
CREATE SCHEMA mine AUTHORIZATION scram_user;
CREATE TABLE people (id int, card text);
INSERT INTO people VALUES (1, '4012888888881881');
ALTER TABLE people OWNER TO scram_user;
"""
Thief = psycopg.Connection[tuple[object, ...]]


@contextmanager
def opened(
    server: PostgresServer,
    folder: Path,
    *,
    policies: str = POLICIES,
    fill: str | None = SHOP,
    environment: Mapping[str, str] | None = None,
    **changes: object,
) -> Iterator[Shop]:
    """Open a shop behind a gateway in `folder`, with `changes` to the configuration of the module's own shop.

    `fill` is the SQL that makes its database; None takes the one that is there.
    """
    if fill is not None:
        server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        server.create_database(DATABASE, fill)
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


@contextmanager
def people_masked(server: PostgresServer, folder: Path) -> Iterator[Shop]:
    """Open a shop in which a thief may do all in the schema `mine`, and the column `people.card` is masked."""
    policy = '@id("all") permit (principal, action, resource in Database::"pg-prod/shop");'
    masking = [{"resource": "pg-prod", "columns": ["public.people.card"], "with": "redact"}]
    with opened(server, folder, policies=policy, fill=PEOPLE, packs=[], masking=masking) as shop:
        yield shop


def changed(shop: Shop, **changes: object) -> None:
    """Put a changed configuration in force."""
    shop.gateway.write({**shop.gateway.configuration, **changes})
    shop.gateway.reload()


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


def running(shop: Shop, words: str) -> list[tuple[object, ...]]:
    """The server's processes that run a statement with these words."""
    return shop.direct(
        "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() "
        f"AND query LIKE '%{words}%'"
    )


def sessions(shop: Shop) -> float:
    """How many sessions the gateway has open, over all its workers and resources."""
    return sum(value for name, value in metrics(shop).items() if name.startswith("blastwall_sessions{"))


def events(shop: Shop) -> dict[str, list[Event]]:
    """Everything that is recorded, by session, once nothing that was let through lacks its end (`settled`)."""
    return {summary.session: told for summary, told in settled(shop.gateway)}


def events_so_far(shop: Shop) -> dict[str, list[Event]]:
    """Everything that is recorded now, by session, whatever still runs."""
    return {summary.session: told for summary, told in so_far(shop.gateway)}


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
