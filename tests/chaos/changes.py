"""The gateway changes under its clients: it is reloaded, and it drains."""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from pathlib import Path

import psycopg
from psycopg.errors import InsufficientPrivilege
from tests.chaos.load import Agent, Client, at_work, crowd, nothing_ran_unrecorded, were_told
from tests.chaos.world import idle_files, logged_shop, no_leak, nobody_left, whole
from tests.e2e.conftest import POLICIES, Shop
from tests.e2e.opening import events_so_far, lets_in
from tests.waiting import eventually

from blastwall.model.events import SessionClosed, StatementAsked, StatementRuled
from blastwall.model.ruling import Decision
from blastwall.testing.postgres import PostgresServer

CLOSED = """
@id("orders-are-closed")
@reason("orders are closed for stocktaking")
forbid (principal, action == Action::"read", resource == Object::"pg-prod/shop/public/orders");
"""
ORDERS = "SELECT count(*) FROM orders"
DRAIN = "6s"


class Reader(Client):
    """A client that reads what a policy opens and closes; it counts how often it was served and refused."""

    served = refused = 0

    def work(self) -> None:
        """Read, prepared and not, and go on when refused."""
        with closing(self.connect()) as agent:
            while not self.stopping.is_set():
                self._read(agent)

    def _read(self, agent: Agent) -> None:
        self.sent += 1
        try:
            agent.execute(ORDERS.encode(), prepare=self.sent % 2 == 0)
        except InsufficientPrivilege:
            self.refused += 1
        else:
            self.served += 1


def reload_under_load(server: PostgresServer, folder: Path, times: int) -> str:
    """Open and close a table by reload, a broken configuration after each; nobody is lost, no ruling is stale.

    A statement that begins after the reload's word obeys it; in the recordings each version of the policy has ruled
    one way.
    """
    with logged_shop(server, folder) as shop:
        before, began = idle_files(shop), time.monotonic()
        readers = [Reader(shop, f"reader{number}") for number in range(2)]
        clients: list[Client] = [*readers, *crowd(shop, "reload", 2)]
        with closing(shop.connect()) as observer:
            for number in range(times):
                closed = number % 2 == 0
                _put(shop, POLICIES + CLOSED if closed else POLICIES)
                assert _is_closed(observer) is closed
                _put(shop, POLICIES + "permit (")
                assert _is_closed(observer) is closed
                sent = max(each.sent for each in readers)
                eventually(at_work(readers, sent + 1), "everybody has asked again, and has been answered")
        _put(shop, POLICIES)
        for each in clients:
            each.stop()
            assert each.error is None, f"lost by a reload: {each.heard}"
        assert all(each.served and each.refused for each in readers)
        rulings = _rulings_by_version(shop)
        assert len(rulings) == 2, rulings
        assert sorted(len(decisions) for decisions in rulings.values()) == [1, 1], rulings
        no_leak(shop, before)
        statements = nothing_ran_unrecorded(shop)
        whole(shop)
    read = sum(each.sent for each in readers)
    took = time.monotonic() - began
    return f"{2 * times} reloads in {took:.0f} s: {read} rulings, none wrong; {statements} other statements; none lost"


def drain_with_open_transactions(server: PostgresServer, folder: Path) -> str:
    """Drain while transactions are open: those that go on end whole, the rest hears why, and nothing is half done."""
    with logged_shop(server, folder, limits={"drain": DRAIN}) as shop:
        clients = crowd(shop, "drain")
        eventually(at_work(clients), "every client is at work")
        with closing(shop.connect()) as quick, closing(shop.connect()) as slow:
            for agent, value in ((quick, "whole"), (slow, "half")):
                agent.execute("BEGIN")
                agent.execute("INSERT INTO archive VALUES (50, %s)", (value,))
            os.kill(shop.gateway.pid, signal.SIGTERM)
            eventually(lambda: not lets_in(shop), "nobody new is let in")
            quick.execute("INSERT INTO archive VALUES (51, 'whole')")
            quick.execute("COMMIT")
            for each in clients:
                each.join()
            were_told(clients, "shutting down")
            began = time.monotonic()
            assert shop.gateway.terminate() == 0
            took = time.monotonic() - began
            assert "shutting down" in _last_words(slow)
        nobody_left(shop)
        assert shop.direct("SELECT id, data FROM archive WHERE id IN (50, 51) ORDER BY id") == [
            (50, "whole"), (51, "whole"),
        ]  # fmt: skip
        _every_session_is_closed(shop)
        statements = nothing_ran_unrecorded(shop)
        whole(shop)
    return f"ended {took:.1f} s after the last transaction; {statements} statements, none unrecorded"


def _put(shop: Shop, policies: str) -> None:
    shop.gateway.write(shop.gateway.configuration, {"shop.cedar": policies})
    shop.gateway.reload()


def _is_closed(agent: Agent) -> bool:
    try:
        agent.execute(ORDERS.encode())
    except InsufficientPrivilege as error:
        assert "stocktaking" in str(error)
        return True
    return False


def _rulings_by_version(shop: Shop) -> dict[str, set[Decision]]:
    """How each version of the policy has ruled on the orders."""
    found: dict[str, set[Decision]] = {}
    for session in events_so_far(shop).values():
        asked = {each.number for each in session if isinstance(each, StatementAsked) and each.text == ORDERS}
        for each in session:
            if isinstance(each, StatementRuled) and each.number in asked:
                found.setdefault(each.ruling.version, set()).add(each.ruling.decision)
    return found


def _last_words(agent: Agent) -> str:
    said: list[str] = []
    agent.add_notice_handler(lambda notice: said.append(f"{notice.severity}: {notice.message_primary}"))
    try:
        agent.execute("SELECT 1")
    except psycopg.OperationalError as error:
        return "\n".join([*said, str(error)])
    raise AssertionError("the session outlives its gateway")


def _every_session_is_closed(shop: Shop) -> None:
    for name, session in events_so_far(shop).items():
        assert isinstance(session[-1], SessionClosed), f"session {name} has no recorded end"
