"""What the gateway needs goes away in the middle of sessions, and comes back: the database, the issuer."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import psycopg
from tests.chaos.load import at_work, crowd, nothing_ran_unrecorded, were_told
from tests.chaos.world import idle_files, logged_shop, no_leak, whole
from tests.e2e.conftest import Shop
from tests.e2e.opening import ends, lets_in
from tests.waiting import eventually, promised

from blastwall.testing.postgres import PostgresServer

LAST_WORDS = (
    "terminating connection",
    "the connection was lost",
    "the database system",
    "refused the connection",
    "its catalog cannot be read",
    "cannot be reached",
)
"""What clients may hear: the server's own words, or the gateway's."""
BACK = 15.0
"""After failures the gateway asks for the catalog again after at most five seconds."""
UNKNOWN_KEY = 15.0
"""The gateway asks an issuer for a key that it does not know every ten seconds at most."""


def lose_the_database(server: PostgresServer, folder: Path, times: int) -> str:
    """Crash and stop the database in turn under load, and start it again."""
    with logged_shop(server, folder) as shop:
        before, pid, began = idle_files(shop), shop.gateway.pid, time.monotonic()
        for number in range(times):
            clients = crowd(shop, f"outage{number}")
            with closing(shop.connect()) as idle:
                eventually(at_work(clients), "every client is at work")
                (server.kill if number % 2 == 0 else server.stop)()
                said, _ = ends(idle)
                assert any(words in said for words in LAST_WORDS), said
            for each in clients:
                each.join()
            were_told(clients, *LAST_WORDS)
            _is_refused(shop, "pg-prod")
            assert shop.gateway.ready(), "the gateway must outlive its resource"
            server.run()
            eventually(lambda: lets_in(shop), "everybody is let in again", promised(BACK))
        assert shop.gateway.pid == pid
        no_leak(shop, before)
        statements = nothing_ran_unrecorded(shop)
        whole(shop)
    return f"{times} outages in {time.monotonic() - began:.0f} s: {statements} statements ran, all recorded before"


def lose_the_issuer(server: PostgresServer, folder: Path) -> str:
    """Take the issuer away under load: known keys serve, unknown ones are refused, and a new one serves afterwards."""
    with logged_shop(server, folder) as shop:
        before = idle_files(shop)
        clients = crowd(shop, "issuer")
        eventually(at_work(clients), "every client is at work")
        with shop.issuer.outage():
            for _ in range(3):
                assert lets_in(shop), "the key of a new token is known"
            unknown = shop.issuer.token("ci", claims={"repository_id": "42"}, header={"kid": "nobodys"})
            _is_refused(shop, "its signing key is unknown to its issuer", unknown)
            sent = [each.sent for each in clients]
            eventually(lambda: all(each.sent > was for each, was in zip(clients, sent, strict=True)), "all work on")
        for each in clients:
            each.stop()
            assert each.error is None, f"lost with the issuer: {each.heard}"
        shop.issuer.rotate_key()
        began = time.monotonic()
        eventually(lambda: lets_in(shop), "the issuer's new key serves", promised(UNKNOWN_KEY))
        took = time.monotonic() - began
        no_leak(shop, before)
        nothing_ran_unrecorded(shop)
        whole(shop)
    return f"no session lost; a new key served {took:.0f} s after the issuer's return"


def start_without_the_issuer(server: PostgresServer, folder: Path) -> str:
    """Start while the issuer is away: logins are refused and told why, and let in once it is there."""
    with logged_shop(server, folder) as shop:
        shop.gateway.kill()
        with shop.issuer.outage():
            shop.gateway.start()
            _is_refused(shop, "keys")
        began = time.monotonic()
        eventually(lambda: lets_in(shop), "the issuer's keys serve")
        took = time.monotonic() - began
        whole(shop)
    return f"logins were taken {took:.1f} s after the issuer's return"


def _is_refused(shop: Shop, words: str, token: str | None = None) -> None:
    """Fail unless a login is refused, in words that tell the client why."""
    dsn = shop.dsn() if token is None else shop.gateway.dsn(shop.database, token, resource="pg-prod")
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError as error:
        assert words in str(error), f"no clear error: {error}"
    else:
        raise AssertionError("the login was not refused")
