"""What runs in a process of its own can neither stall, nor crash, nor read the gateway."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.sql.postgres.shop import CATALOG, STATE

from blastwall.sandbox import Sandboxes, SandboxFailed, SandboxLimits
from blastwall.sandbox.process import Task
from blastwall.sql.postgres import classify, decode, reading
from blastwall.testing.tasks import (
    Echo,
    babble,
    connect,
    crash,
    environment,
    fail,
    nap,
    sleep,
    spin,
    start,
    swell,
    write,
)


@pytest.fixture
async def sandboxes() -> AsyncIterator[Sandboxes]:
    pool = Sandboxes(SandboxLimits(memory=1 << 30, processor=1, wall=60), size=2)
    yield pool
    await pool.close()


async def result(pool: Sandboxes, task: Task, context: object = None, owner: str = "ci") -> bytes | Exception:
    future: asyncio.Future[bytes | Exception] = asyncio.get_running_loop().create_future()
    pool.run(owner, task, context, future.set_result)
    return await future


async def text(pool: Sandboxes, task: Task, context: object = None, owner: str = "ci") -> str:
    found = await result(pool, task, context, owner)
    assert isinstance(found, bytes), found
    return found.decode()


async def test_a_task_gets_its_context_and_one_process_does_several(sandboxes: Sandboxes) -> None:
    contexts = [f"context {number}" for number in range(6)]
    told = [await text(sandboxes, Echo("a"), context) for context in [*contexts, *contexts]]
    assert [one.rpartition(" ")[0] for one in told] == [f"a {context}" for context in [*contexts, *contexts]]
    pids = {one.rpartition(" ")[2] for one in told}
    assert len(pids) == 1
    assert pids != {str(os.getpid())}


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (crash, "the process that read it crashed (SIGSEGV): split it"),
        (spin, "the process that read it ran out of time or memory: split it"),
        (swell, "reading it takes more than 1024 MiB of memory: split it"),
        (fail, "the process that read it failed (ValueError)"),
    ],
)
async def test_what_goes_wrong_is_told_and_the_next_one_works(
    sandboxes: Sandboxes, task: Callable[[object], bytes], reason: str
) -> None:
    found = await result(sandboxes, task)
    assert isinstance(found, SandboxFailed)
    assert str(found) == reason
    assert (await text(sandboxes, Echo("next"), "one")).startswith("next one")


async def test_one_that_waits_for_ever_is_given_up() -> None:
    pool = Sandboxes(SandboxLimits(wall=3), size=1)
    found = await result(pool, sleep)
    assert str(found) == "reading it took longer than 3 seconds: split it"
    await pool.close()


async def test_nothing_of_the_gateways_is_in_it(
    sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PG_PROD_PASSWORD", "hunter2")
    secret = tmp_path / "key.pem"
    secret.touch()
    held = os.open(secret, os.O_RDONLY)
    told = await text(sandboxes, environment)
    os.close(held)
    variables, inodes = json.loads(told)
    assert "LC_ALL" in variables
    assert "hunter2" not in told
    assert len(inodes) == 1  # its pipe for replies
    assert secret.stat().st_ino not in inodes


async def test_it_writes_no_file(sandboxes: Sandboxes) -> None:
    assert str(await result(sandboxes, write)) == "the process that read it failed (OSError)"


async def test_it_reaches_no_network(sandboxes: Sandboxes) -> None:
    assert str(await result(sandboxes, connect)) == "the process that read it failed (OSError)"


async def test_it_starts_no_program(sandboxes: Sandboxes) -> None:
    """No limit keeps root from starting processes, so as root this is tried as another user, who may read all files."""
    refused = "the process that read it failed (BlockingIOError)"
    if os.getuid() != 0:
        assert str(await result(sandboxes, start)) == refused
        return
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("no limit keeps root from starting processes, and there is no setpriv to be another user")
    user = ["--reuid=65534", "--regid=65534", "--clear-groups"]
    reading_all = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    task = "import os, asyncio, tests.sandbox.test_sandboxes as it; print(os.getuid(), asyncio.run(it.tried()))"
    process = await asyncio.create_subprocess_exec(
        setpriv, *user, *reading_all, sys.executable, "-c", task,
        cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert said.decode().splitlines()[-1] == f"65534 {refused}"


async def tried() -> str:
    """What comes of starting a program, as whoever runs this."""
    pool = Sandboxes(SandboxLimits(wall=30), size=1)
    try:
        return str(await result(pool, start))
    finally:
        await pool.close()


async def test_what_it_prints_is_no_reply(sandboxes: Sandboxes) -> None:
    assert await text(sandboxes, babble) == "done"


async def test_one_owners_flood_does_not_keep_another_waiting(sandboxes: Sandboxes) -> None:
    order: list[str] = []
    done = asyncio.Event()

    def told(owner: str) -> Callable[[bytes | Exception], None]:
        def note(_reply: bytes | Exception) -> None:
            order.append(owner)
            if len(order) == 21:
                done.set()

        return note

    for _ in range(20):
        sandboxes.run("thief", nap, None, told("thief"))
    sandboxes.run("ci", Echo("a"), None, told("ci"))
    await asyncio.wait_for(done.wait(), 60)
    assert "ci" in order[:4]


async def test_an_owners_queue_is_bounded() -> None:
    pool = Sandboxes(SandboxLimits(waiting=3), size=2)
    replies: list[bytes | Exception] = []
    handles = [pool.run("thief", nap, None, replies.append) for _ in range(6)]
    assert [str(one) for one in replies] == ["too much of this agent's waits to be read already: send less at once"] * 2
    for handle in handles:
        handle.cancel()
    pool.run("thief", nap, None, replies.append)
    assert len(replies) == 2
    await pool.close()


async def test_a_cancelled_task_is_not_replied_to(sandboxes: Sandboxes) -> None:
    replies: list[bytes | Exception] = []
    running = sandboxes.run("ci", nap, None, replies.append)
    waiting = sandboxes.run("ci", nap, None, replies.append)
    running.cancel()
    waiting.cancel()
    await text(sandboxes, nap, None, "other")
    await text(sandboxes, nap, None, "ci")
    assert replies == []


async def test_closing_ends_the_processes(sandboxes: Sandboxes) -> None:
    pid = int((await text(sandboxes, Echo("a"))).rpartition(" ")[2])
    pending: list[bytes | Exception] = []
    sandboxes.run("ci", sleep, None, pending.append)
    await asyncio.sleep(0.1)
    await sandboxes.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert pending == []


async def test_what_cannot_be_sent_is_answered(sandboxes: Sandboxes) -> None:
    found = await result(sandboxes, lambda _context: b"")
    assert str(found) == "a fault of the gateway's own, see its log"


async def test_any_text_can_be_read_in_one_that_opens_nothing_any_more(sandboxes: Sandboxes) -> None:
    assert await text(sandboxes, Echo("first"))
    for statement in ("select mail from v", "select f('", "do 'begin perform leak(1); end'", "select E'\\u00e9'", "\0"):
        found = await result(sandboxes, reading(statement, STATE), CATALOG)
        assert isinstance(found, bytes), statement
        assert decode(found)[0] == tuple(replace(one, tree=None) for one in classify(statement, CATALOG, STATE))
