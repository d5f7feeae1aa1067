"""`blastwall connect` with real clients, a real gateway and a real server: the client's side has no password."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psycopg
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.opening import running
from tests.waiting import eventually, once, promised

from blastwall.connecting.peers import can_tell
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.postgres import PostgresServer
from blastwall.testing.servers import find_program


@dataclass
class Local:
    """A port that `connect` opened."""

    host: str
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[str]
    errors: Path

    @property
    def dsn(self) -> str:
        return f"host={self.host} port={self.port} dbname=shop user=me connect_timeout=60"

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)


@dataclass
class Desk:
    """A machine with `blastwall` on it, whose token is in a file."""

    shop: Shop
    folder: Path

    @property
    def token_file(self) -> Path:
        return self.folder / "token"

    def command(self, *more: str, resource: str = "pg-prod") -> list[str]:
        gateway = self.shop.gateway
        place = ["--server", gateway.control_url, "--ca", str(gateway.ca), "--token-file", str(self.token_file)]
        return [sys.executable, "-m", "blastwall", "connect", *place, *more, resource]

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "BLASTWALL"))}
        return {**kept, "XDG_CONFIG_HOME": str(self.folder / "config"), **more}

    def run(
        self, *client: str, options: tuple[str, ...] = (), environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command(*options), "--", *client],
            env=self.environment(**(environment or {})), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    @contextmanager
    def port(self, *options: str, **more: str) -> Iterator[Local]:
        errors = self.folder / "errors"
        with errors.open("w") as err:
            process = subprocess.Popen(
                self.command("--json", *options),
                env=self.environment(**more),
                stdout=subprocess.PIPE,
                stderr=err,
                text=True,
            )
        try:
            assert process.stdout is not None
            said = ""
            while not said.endswith("\n}\n"):
                line = process.stdout.readline()
                assert line, errors.read_text()
                said += line
            found = json.loads(said)
            yield Local(found["host"], found["port"], found["environment"], process, errors)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture(scope="module", name="postgres")
def one_version_is_enough(postgres15: PostgresServer) -> PostgresServer:
    """What the server says passes as it is, whatever its version."""
    return postgres15


@pytest.fixture
def desk(shop: Shop, tmp_path: Path) -> Desk:
    desk = Desk(shop, tmp_path)
    desk.token_file.write_text(shop.token())
    return desk


PSQL = ("psql", "-X", "-At", "-v", "ON_ERROR_STOP=1")


class TestCommands:
    def test_psql_runs_as_it_is_and_its_exit_code_is_ours(self, desk: Desk) -> None:
        done = desk.run(*PSQL, "-c", "SELECT count(*) FROM orders")
        assert (done.returncode, done.stdout) == (0, "30\n"), done.stderr
        refused = desk.run(*PSQL, "-c", "DROP TABLE orders")
        assert refused.returncode == 1
        assert "blastwall" in refused.stderr
        assert desk.run("sh", "-c", "exit 7").returncode == 7
        assert desk.run("no-such-client").returncode == 127

    def test_the_command_has_what_it_needs_and_no_secret(self, desk: Desk, shop: Shop) -> None:
        token = shop.token()
        stray = {"PGSERVICE": "elsewhere", "PGHOSTADDR": "10.0.0.1", "PGPASSWORD": "old", "BLASTWALL_TOKEN": token}
        done = desk.run("env", environment=stray)
        told = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        assert (told["PGHOST"], told["PGDATABASE"], told["PGSSLMODE"]) == ("127.0.0.1", "shop", "disable")
        assert not set(stray) & set(told)
        assert token not in done.stdout
        assert desk.token_file.read_text() not in done.stdout

    def test_signals_reach_the_command(self, desk: Desk) -> None:
        process = subprocess.Popen(
            [*desk.command(), "--", "sh", "-c", "trap 'echo caught; exit 3' TERM; echo up; while :; do sleep .1; done"],
            env=desk.environment(), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=60)[0] == "caught\n"
        assert process.returncode == 3

    def test_a_command_that_a_signal_ended(self, desk: Desk) -> None:
        assert desk.run("sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL

    def test_a_resource_that_there_is_not_and_one_that_is_not_ours_look_alike(self, desk: Desk) -> None:
        command = desk.command(resource="pg-other")
        done = subprocess.run(command, env=desk.environment(), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert "no such resource" in done.stderr

    def test_a_token_that_does_not_hold_is_said_before_anything_is_opened(self, desk: Desk) -> None:
        desk.token_file.write_text("not.a.token")
        done = desk.run(*PSQL, "-c", "SELECT 1")
        assert done.returncode == 1
        assert "error:" in done.stderr
        assert "not.a.token" not in done.stderr


def name_of(connection: psycopg.Connection[tuple[object, ...]]) -> str:
    """Whose connection it is, as the server knows it."""
    return str(connection.execute("SELECT current_setting('application_name')").fetchone())


def newcomer(local: Local) -> str:
    """As whom a new connection comes in now."""
    with psycopg.connect(local.dsn, autocommit=True) as connection:
        return name_of(connection)


def refusal_at(local: Local) -> str:
    """What a new connection hears now; empty where it comes in."""
    try:
        psycopg.connect(local.dsn).close()
    except psycopg.OperationalError as error:
        return str(error)
    return ""


class TestPort:
    def test_drivers_connect_without_a_password(self, desk: Desk) -> None:
        async def with_asyncpg(local: Local) -> object:
            connection = await asyncpg.connect(
                host=local.host, port=local.port, user="me", database="shop", ssl="prefer", timeout=60
            )
            try:
                return await connection.fetchval("SELECT sum(total) FROM orders WHERE id = ANY($1)", [1, 2])
            finally:
                await connection.close()

        with desk.port() as local:
            assert asyncio.run(with_asyncpg(local)) == 30
            for mode in ("disable", "prefer"):
                with psycopg.connect(f"{local.dsn} sslmode={mode}") as connection:
                    assert connection.execute("SELECT %s::int", (5,)).fetchone() == (5,)
            assert local.end() == 0

    def test_what_the_policy_says_holds_through_it(self, desk: Desk) -> None:
        with desk.port() as local, psycopg.connect(local.dsn, autocommit=True) as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("DROP TABLE orders")
            emails = connection.execute("SELECT email FROM customers").fetchall()
            assert ("ada@example.com",) not in emails

    def test_a_statement_is_cancelled_through_it(self, desk: Desk, shop: Shop) -> None:
        with desk.port() as local, psycopg.connect(local.dsn, autocommit=True) as connection:
            runs = once(lambda: running(shop, "10000000000"), connection.cancel)
            with runs, pytest.raises(psycopg.errors.QueryCanceled):
                connection.execute("SELECT count(*) FROM generate_series(1, 10000000000)")
            assert connection.execute("SELECT 1").fetchone() == (1,)

    def test_much_data_passes_both_ways(self, desk: Desk) -> None:
        with desk.port() as local, psycopg.connect(local.dsn, autocommit=True) as connection:
            row = connection.execute("SELECT length(%s::text), repeat('x', 3000000)", ("y" * 3_000_000,)).fetchone()
            assert row == (3_000_000, "x" * 3_000_000)

    def test_a_fresh_token_is_used_ahead_of_the_end_and_open_connections_stay(self, desk: Desk, shop: Shop) -> None:
        token = shop.issuer.token("ci", claims={"repository_id": "42"}, lifetime=int(min(promised(8), 30)))
        desk.token_file.write_text(token)
        with desk.port() as local, psycopg.connect(local.dsn, autocommit=True) as before:
            desk.token_file.write_text(shop.token(repository_id="43"))
            eventually(lambda: "auditor" in newcomer(local), "the fresh token is used")
            assert "shop-ci" in name_of(before)

    def test_why_there_is_no_token_reaches_the_client(self, desk: Desk, shop: Shop) -> None:
        token = shop.issuer.token("ci", claims={"repository_id": "42"}, lifetime=int(min(promised(6), 20)))
        desk.token_file.write_text(token)
        with desk.port() as local:
            desk.token_file.unlink()
            said = eventually(lambda: refusal_at(local), "the token that is kept is worth nothing any more")
        assert re.search(r"blastwall connect: the token file .* cannot be read", said)

    def test_a_socket_in_a_folder_of_ones_own(self, desk: Desk) -> None:
        with desk.port("--unix") as local:
            assert Path(local.host).stat().st_mode & 0o777 == 0o700
            with psycopg.connect(local.dsn) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            assert local.end(signal.SIGINT) == 0
            assert not Path(local.host).exists()

    def test_no_secret_is_in_the_arguments_of_any_process(self, desk: Desk) -> None:
        with desk.port() as local:
            arguments = Path(f"/proc/{local.process.pid}/cmdline").read_bytes()
            assert desk.token_file.read_bytes() not in arguments


class TestOthers:
    @pytest.mark.skipif(os.getuid() != 0 or not can_tell(), reason="only root can act as another user")
    def test_another_user_of_the_machine_is_turned_away(self, desk: Desk) -> None:
        """As `nobody`, whose connection the kernel tells from ours; the port is as open to them as any on loopback."""
        with desk.port() as local:
            done = subprocess.run(
                [str(find_program("psql", "postgresql-client")), "-X", local.dsn, "-c", "SELECT 1"],
                env={"PATH": os.environ["PATH"], "HOME": "/"}, cwd="/", user="nobody", capture_output=True, text=True,
                timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 2
            assert "another user" in local.errors.read_text()
            with psycopg.connect(local.dsn) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)

    def test_the_port_is_on_loopback_alone(self, desk: Desk) -> None:
        with desk.port() as local:
            listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
            assert {each for each in listening if each.endswith(f":{local.port:04X}")} == {f"0100007F:{local.port:04X}"}

    def test_an_impostor_at_the_listeners_place_gets_no_token(self, desk: Desk, shop: Shop, tmp_path: Path) -> None:
        """The control port is right; what answers for the resource shows a certificate of another authority."""
        certificate, key = CertificateAuthority("Somebody else's CA").issue().write(tmp_path, "impostor")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        heard: list[bytes] = []

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.read(100))
            writer.write(b"S")
            with suppress(OSError):
                await writer.start_tls(context)
                heard.append(await reader.read(10_000))
            writer.close()

        async def attempt() -> subprocess.CompletedProcess[str]:
            async with await asyncio.start_server(answer, "127.0.0.2", shop.gateway.port("pg-prod")):
                return await asyncio.to_thread(desk.run, *PSQL, "-c", "SELECT 1", options=("--host", "127.0.0.2"))

        done = asyncio.run(attempt())
        assert done.returncode == 2
        assert "the certificate of the gateway 127.0.0.2 is signed by" in done.stderr
        assert desk.token_file.read_text() not in done.stderr
        assert b"".join(heard).startswith(b"\0\0\0\x08")
        assert len(b"".join(heard)) == 8
