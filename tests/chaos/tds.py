"""The gateway is killed (SIGKILL) at random moments under the load of agents that speak TDS."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.chaos.load import MARK, recorded
from tests.tds.clients import Client, Failed
from tests.tds.world import World, running
from tests.waiting import SOON, eventually

from blastwall.protocols.tds.denial import PERMISSION
from blastwall.recording.verify import verify

TABLE = "CREATE TABLE archive (id int, data nvarchar(100))"
SECRET = "SELECT secret FROM vault"


class TdsAgent:
    """A client in a thread of its own that asks until its connection breaks, which `error` then tells of."""

    def __init__(self, world: World, name: str) -> None:
        self.sent = self.rounds = 0
        self.error: Exception | None = None
        self.unrefused = False
        self._world, self._name = world, name
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until it has noticed that its connection is gone."""
        self._thread.join(SOON)
        assert not self._thread.is_alive(), f"{self._name} still waits after {SOON:g} s"
        assert not self.unrefused, "the gateway let a forbidden statement through"

    def _run(self) -> None:
        client: Client | None = None
        try:
            client = self._world.through("python-tds")
            while not self.unrefused:
                self._round(client)
                self.rounds += 1
        except (Failed, OSError) as error:
            self.error = error
        finally:
            if client is not None:
                with suppress(Failed, OSError):
                    client.close()

    def _mark(self) -> str:
        self.sent += 1
        return f"mark-{self._name}-{self.sent}."

    def _round(self, client: Client) -> None:
        client.query(f"SELECT '{self._mark()}'")
        client.query(f"INSERT INTO archive VALUES (1, N'{self._mark()}')")
        client.query("SELECT data FROM archive WHERE data = ?", self._mark())
        client.begin()
        client.query(f"INSERT INTO archive VALUES (2, N'{self._mark()}')")
        client.commit()
        try:
            client.query(SECRET)
        except Failed as refused:
            if refused.number != PERMISSION:
                raise
        else:
            self.unrefused = True


def kill_over_tds(folder: Path, times: int, *, seed: int = 2, seconds: float = 1e9) -> str:
    """Kill it again and again under TDS; compare what reached the server with the recordings.

    No new round begins after `seconds`.
    """
    chance, began, kills = random.Random(seed), time.monotonic(), 0
    with running(folder) as world:
        world.server.execute(TABLE)
        world.server.received.clear()
        while kills < times and time.monotonic() - began < seconds:
            agents = [TdsAgent(world, f"tds{kills}-{number}") for number in range(3)]
            if kills % 2 == 0:
                eventually(_at_work(agents), "every agent is at work")
                assert all(one.error is None for one in agents), [one.error for one in agents]
            time.sleep(chance.uniform(0, 0.4))
            world.gateway.kill()
            for one in agents:
                one.join()
                assert one.error is not None, "an agent did not notice that the gateway was killed"
            kills += 1
            world.gateway.start()
        client = world.through("python-tds")
        assert client.query("SELECT id FROM orders ORDER BY id") == [(1,), (2,)]
        client.close()
        statements = _nothing_ran_unrecorded(world)
        assert verify(world.gateway.folder / "state" / "recordings").good
    assert statements >= 10 * ((kills + 1) // 2), f"only {statements} statements ran: the load was none"
    took = time.monotonic() - began
    return f"{kills} kills in {took:.0f} s: {statements} statements ran over TDS, all recorded before"


def _at_work(agents: list[TdsAgent]) -> Callable[[], bool]:
    return lambda: all(one.rounds or one.error for one in agents)


def _nothing_ran_unrecorded(world: World) -> int:
    """Fail if the server got what no recorded ruling allowed, or what policy forbids; return how much it got."""
    texts = "\n".join(world.server.texts())
    seen = set(MARK.findall(texts))
    missing = seen - recorded(world.gateway).allowed
    assert not missing, f"ran without a recorded ruling: {sorted(missing)}"
    assert "vault" not in texts, "a refused statement was sent to the server"
    return len(seen)
