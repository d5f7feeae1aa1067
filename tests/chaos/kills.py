"""The gateway is killed (SIGKILL) at random moments under load."""

from __future__ import annotations

import random
import time
from pathlib import Path

from tests.chaos.load import at_work, crowd, nothing_ran_unrecorded
from tests.chaos.world import logged_shop, nobody_left, whole
from tests.waiting import eventually

from blastwall.recording.verify import verify
from blastwall.testing.postgres import PostgresServer

LOOK = 20
"""The recordings are verified after each so many kills, and at the end; each look reads them all."""


def kill_the_gateway(server: PostgresServer, folder: Path, times: int, *, seed: int = 2, seconds: float = 1e9) -> str:
    """Kill it again and again, in its clients' logins and statements; compare the server's log with the recordings.

    Every other kill waits until all clients are at work, the rest may hit their logins. No new round begins after
    `seconds`.
    """
    chance, began, kills, admitted = random.Random(seed), time.monotonic(), 0, list[str]()
    with logged_shop(server, folder) as shop:
        while kills < times and time.monotonic() - began < seconds:
            clients = crowd(shop, f"kill{kills}")
            if kills % 2 == 0:
                eventually(at_work(clients), "every client is at work")
            time.sleep(chance.uniform(0, 0.4))
            shop.gateway.kill()
            for each in clients:
                each.join()
                assert each.error is not None, "a client did not notice that the gateway was killed"
                admitted += each.admitted
            nobody_left(shop)
            kills += 1
            if kills % LOOK == 0:
                assert verify(shop.gateway.folder / "state" / "recordings").good
            shop.gateway.start()
        report = verify(shop.gateway.folder / "state" / "recordings")
        torn = sum(len(node.torn) for node in report.nodes)
        assert report.good
        assert torn <= 2 * kills
        statements = nothing_ran_unrecorded(shop, admitted)
        assert statements >= 6 * (kills // 2), f"only {statements} statements ran: the load was none"
        with shop.connect() as agent:
            assert agent.execute("SELECT 1").fetchone() == (1,)
        whole(shop)
    took = time.monotonic() - began
    return (
        f"{kills} kills in {took:.0f} s: {statements} statements ran and {len(admitted)} logins were let in, all "
        f"recorded before; {torn} records cut off"
    )
