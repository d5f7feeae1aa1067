"""`blastwall login` and `logout` at a real gateway: a person confirms on the page, and is known from then on."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.api.live import Live, running, until
from typer.testing import CliRunner

from blastwall.cli.main import build
from blastwall.testing.ports import free_port
from blastwall.testing.postgres import PostgresServer


@pytest.fixture
async def live(tmp_path: Path, postgres15: PostgresServer) -> AsyncIterator[Live]:
    """A gateway before a real server, at which ana may read."""
    (tmp_path / "gateway").mkdir()
    (tmp_path / "more.cedar").write_text(ANA)
    (tmp_path / "pg").write_text(postgres15.password)
    upstream = {
        "host": "localhost",
        "port": postgres15.port,
        "database": "postgres",
        "databases": ["shop"],
        "ca": str(postgres15.ca),
    }
    resource = {
        "name": "shop",
        "kind": "postgres",
        "listen": free_port(),
        "upstream": upstream,
        "credential": {"user": "scram_user", "password": {"file": str(tmp_path / "pg")}},
    }
    policies = ["policies/*.cedar", str(tmp_path / "more.cedar")]
    async with running(tmp_path / "gateway", resources=[resource], policies=policies) as found:
        yield found


ANA = """
@id("ana-reads")
permit (principal in Group::"dba", action in [Action::"connect", Action::"read"],
        resource in Database::"shop/postgres");
"""


@dataclass
class Person:
    """Somebody at a terminal, with a home of their own."""

    live: Live
    home: Path

    @property
    def file(self) -> Path:
        return self.home / "blastwall" / "login.json"

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BLASTWALL")}
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "blastwall", *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**kept, "XDG_CONFIG_HOME": str(self.home), "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip

    async def run(self, *arguments: str, code: int = 0) -> str:
        process = await self.start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == code, err.decode()
        return out.decode() + err.decode()

    async def log_in(self, *more: str, decision: str = "allow") -> tuple[int | None, str]:
        """Run `login`, and decide on the page as ana; return the exit code and what was said."""
        place = ["--server", self.live.url, "--ca", str(self.live.folder / "ca.pem")]
        process = await self.start("login", *place, *more)
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stderr if "--json" in more else process.stdout
        said = (await asyncio.wait_for(first.readline(), 60)).decode()
        found = re.search(r"the code ([A-Z-]+)", said)
        assert found is not None, said
        browser = await self.live.browser("ana")
        decided = await browser.post("/auth/device/confirm", {"user_code": found[1], "decision": decision})
        assert decided.status == 200
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, out.decode() + ("" if "--json" in more else err.decode())


@pytest.fixture
def ana(live: Live, tmp_path: Path) -> Person:
    return Person(live, tmp_path / "home")


async def test_a_person_logs_in_is_known_and_logs_out(live: Live, ana: Person) -> None:
    code, said = await ana.log_in()
    assert code == 0, said
    assert f"Logged in at {live.url} as ana (" in said
    kept = json.loads(ana.file.read_text())
    (login,) = kept["logins"]
    assert (kept["last"], login["name"]) == (live.url, "ana")
    assert login["token"].startswith("bwl_")
    assert login["token"] not in said
    assert ana.file.stat().st_mode & 0o777 == 0o600
    assert 7.9 * 3600 < login["ends"] - time.time() <= 8 * 3600
    assert "Logged out" in await ana.run("logout")
    assert json.loads(ana.file.read_text())["logins"] == []
    headers = {"Authorization": f"Bearer {login['token']}"}
    async with live.http.get(f"{live.api}/me", headers=headers) as response:
        assert response.status == 401, "the login works no more, wherever a copy of it is"


async def test_a_login_gives_passes_that_end_with_it(live: Live, ana: Person) -> None:
    assert (await ana.log_in("--json"))[0] == 0
    psql = ("psql", "-X", "-At", "-c", "SELECT 40 + 2")
    assert await ana.run("connect", "shop", "--", *psql) == "42\n"
    first, second = (await ana.run("token", "shop"), await ana.run("token", "shop"))
    assert first.startswith("bwp_")
    assert first != second, "a person may open several clients"
    session = await ana.start(
        "connect", "shop", "--", "psql", "-X", "-c", "SELECT count(*) FROM generate_series(1, 10000000000)"
    )
    await until(lambda: live.gateway._parts.gate.sessions == 1)
    await ana.run("logout")
    out, err = await asyncio.wait_for(session.communicate(), 60)
    assert session.returncode != 0, out
    assert "revoked" in err.decode()
    assert "not logged in" in await ana.run("connect", "shop", "--server", live.url, "--token-from", "login", code=1)


async def test_a_login_is_no_proof_at_the_resource_itself(live: Live, ana: Person) -> None:
    await ana.log_in()
    login = json.loads(ana.file.read_text())["logins"][0]["token"]
    said = await ana.run(
        "connect", "shop", "--token-file", str(ana.home / "raw"), "--", "psql", "-X", "-c", "SELECT 1", code=1
    )
    assert "cannot be read" in said
    (ana.home / "raw").write_text(login)
    said = await ana.run(
        "connect", "shop", "--token-file", str(ana.home / "raw"), "--", "psql", "-X", "-c", "SELECT 1", code=2
    )
    assert "blastwall" in said
    assert login not in said


async def test_a_person_who_says_no(ana: Person) -> None:
    code, said = await ana.log_in(decision="refuse")
    assert code == 1
    assert "refused the sign-in" in said
    assert not ana.file.exists()


async def test_logging_out_where_nobody_is_logged_in(live: Live, ana: Person) -> None:
    said = await ana.run("logout", "--server", live.url)
    assert "you are not logged in" in said


def test_without_a_gateway_it_says_what_to_give(tmp_path: Path) -> None:
    ended = CliRunner(env={"XDG_CONFIG_HOME": str(tmp_path), "BLASTWALL_SERVER": ""}).invoke(build(), ["login"])
    assert ended.exit_code == 2
    assert "--server https://HOST:PORT" in ended.stderr
