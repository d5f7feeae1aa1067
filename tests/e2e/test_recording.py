"""What is done is recorded, before it is done, and a changed recording shows. Nothing written holds a secret."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import resource
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.e2e.conftest import EMAILS, SSNS, Shop
from tests.e2e.opening import backends, events, events_so_far, opened
from tests.e2e.test_identity import exchange, octets
from tests.preloaded import OWN_PYTHON
from tests.recordings import settled
from tests.waiting import SOON, eventually
from typer.testing import CliRunner

from blastwall.cli.main import build
from blastwall.config.model import Recordings
from blastwall.model.effects import Action
from blastwall.model.events import (
    Event,
    LoginAdmitted,
    SessionClosed,
    StatementAsked,
    StatementFinished,
    StatementRefused,
    StatementRuled,
)
from blastwall.model.ruling import Decision
from blastwall.recording.keys import load_or_create_key
from blastwall.recording.recorder import Recorder
from blastwall.recording.verify import verify
from blastwall.testing.gateway import Gateway
from blastwall.testing.ports import free_port
from blastwall.testing.postgres import PostgresServer
from blastwall.testing.processes import ServerFailed

Agent = psycopg.Connection[tuple[object, ...]]
KILLS = 8


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop whose gateway writes as much as it can."""
    folder = tmp_path_factory.mktemp("recording")
    log = {"level": "debug"}
    with opened(postgres_newest, folder, environment=OWN_PYTHON, log=log, recordings=RECORDINGS) as shop:
        yield shop


RECORDINGS = {"to": "state/recordings", "checkpoint": "1s", "anchors": [{"folder": "anchors"}]}


def session(shop: Shop) -> list[Event]:
    """Return the newest session's events."""
    return next(iter(events(shop).values()))


def statement(found: list[Event], words: str) -> dict[type[Event], Event]:
    """Return what is recorded of the one executed statement whose text has these words, by kind."""
    numbers = [
        each.number
        for each in found
        if isinstance(each, StatementAsked) and words in each.text and each.stage.value == "execute"
    ]
    assert len(numbers) == 1, f"{len(numbers)} executed statements have {words!r}"
    return {type(each): each for each in found if getattr(each, "number", None) == numbers[0]}


class TestWhatIsRecorded:
    def test_who_and_from_where(self, shop: Shop) -> None:
        before = events_so_far(shop).keys()
        shop.connect().close()
        found = eventually(lambda: closed(shop, *before), "it ends")
        (admitted,) = [each for each in found if isinstance(each, LoginAdmitted)]
        assert (admitted.principal, admitted.principal_kind, admitted.proof) == ("shop-ci", "agent", "token")
        assert admitted.claims["repository_id"] == "42"
        assert admitted.groups == ("ci",)
        assert admitted.policies == ("ci-connects",)

    @pytest.mark.parametrize("prepare", [False, True], ids=["extended", "prepared"])
    def test_an_allowed_statement_with_its_values_and_what_came_of_it(self, shop: Shop, prepare: bool) -> None:
        with shop.connect() as agent:
            text = "UPDATE orders SET total = %s WHERE id < %s"
            for _ in range(2):
                agent.execute(text, (17, 4), prepare=prepare)
        found = eventually(lambda: closed(shop), "it ends")
        asked = [each for each in found if isinstance(each, StatementAsked) and "UPDATE" in each.text]
        ran = [each for each in asked if each.stage.value == "execute"]
        assert [each.parameters for each in ran] == [("17", "4")] * 2
        assert {(each.action, each.object.path) for each in ran[-1].effects} == {
            (Action.UPDATE, ("shop", "public", "orders")),
            (Action.READ, ("shop", "public", "orders")),
        }
        (ruled,) = [each for each in found if isinstance(each, StatementRuled) and each.number == ran[-1].number]
        assert ruled.ruling.decision is Decision.ALLOW
        assert "ci-writes" in ruled.ruling.policies
        assert ruled.ruling.version
        (ended,) = [each for each in found if isinstance(each, StatementFinished) and each.number == ran[-1].number]
        assert (ended.affected, ended.error) == (3, None)
        assert 0 < ended.seconds < 60
        order = [type(each) for each in found if getattr(each, "number", None) == ran[-1].number]
        assert order == [StatementAsked, StatementRuled, StatementFinished]

    def test_rows_and_masked_cells(self, shop: Shop) -> None:
        with shop.connect() as agent:
            agent.execute("SELECT id, email, ssn, note FROM customers ORDER BY id")
        ended = statement(eventually(lambda: closed(shop), "it ends"), "SELECT id")[StatementFinished]
        assert isinstance(ended, StatementFinished)
        assert (ended.rows, ended.affected) == (3, None)
        assert ended.bytes > 0
        assert sum(ended.masked.values()) == 6  # three e-mails, two numbers, one e-mail in a note

    def test_a_refusal_with_what_the_client_heard(self, shop: Shop) -> None:
        with shop.connect() as agent:
            with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
                agent.execute("SELECT * FROM vault")
            with pytest.raises(psycopg.errors.DivisionByZero):
                agent.execute("SELECT 1/0")
        found = eventually(lambda: closed(shop), "it ends")
        refused = statement(found, "vault")
        ruled, told = refused[StatementRuled], refused[StatementRefused]
        assert isinstance(ruled, StatementRuled)
        assert isinstance(told, StatementRefused)
        assert ruled.ruling.decision is Decision.DENY
        assert told.told in str(caught.value)
        assert StatementFinished not in refused
        failed = statement(found, "1/0")[StatementFinished]
        assert isinstance(failed, StatementFinished)
        assert failed.error is not None
        assert failed.error.startswith("22012")

    def test_the_gateways_own_statements_are_recorded(self, shop: Shop, recorded: Callable[[], str]) -> None:
        with shop.connect() as agent, suppress(psycopg.Error):
            agent.execute("DROP TABLE orders")
        eventually(lambda: "StatementInjected" in recorded(), "it is recorded")


def closed(shop: Shop, *but: str) -> list[Event]:
    """The newest session, once its end is recorded; nothing while there is none but those from before."""
    name, found = next(iter(events(shop).items()), ("", []))
    return found if found and name not in but and isinstance(found[-1], SessionClosed) else []


class TestNoSecretIsWritten:
    """Everything that leaves the gateway, searched for everything that must not."""

    @pytest.fixture
    def somebody(self, shop: Shop) -> Iterator[None]:
        """A role that statements name; it goes with the test, and so does the customer that the test adds."""
        shop.direct("CREATE ROLE somebody")
        yield
        shop.direct("DROP ROLE somebody; DELETE FROM customers WHERE id = 9")

    @pytest.mark.usefixtures("somebody")
    def test_nowhere(self, shop: Shop) -> None:
        token, said = shop.token(), []
        handle = pass_for(shop)
        with psycopg.connect(shop.gateway.dsn("shop", token, resource="pg-prod"), autocommit=True) as agent:
            agent.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
            for attempt in ATTEMPTS:
                try:
                    agent.execute(attempt.encode())
                except psycopg.Error as error:
                    said.append(str(error))
            agent.execute("SELECT id FROM customers WHERE email = %s AND ssn = %s", ("bound@secret.example", "9-bound"))
            agent.execute("INSERT INTO customers VALUES (%s, 'x', %s, %s)", (9, "stored@secret.example", "9-stored"))
            agent.execute("DELETE FROM orders WHERE customer IN (SELECT id FROM customers WHERE ssn = '9-inline')")
        psycopg.connect(shop.gateway.dsn("shop", handle, resource="pg-prod")).close()
        for proof in (handle + "x", token[:-4] + "AAAA"):
            with pytest.raises(psycopg.OperationalError) as caught:
                psycopg.connect(shop.gateway.dsn("shop", proof, resource="pg-prod"))
            said.append(str(caught.value))
        secrets = [token, handle, handle[4:], token.rpartition(".")[2], shop.server.password, *LITERALS]
        assert not [secret for secret in secrets if secret in "\n".join(said)]
        written = everything_written(shop)
        for where, text in written.items():
            assert not [secret for secret in secrets if secret.encode() in text], where
        assert any(b"ALTER ROLE somebody PASSWORD" in text for text in written.values())
        assert any(b"WHERE email = $1 AND ssn = $2" in text for text in written.values())

    def test_secrets_of_statements_that_are_allowed(
        self, postgres_newest: PostgresServer, shop: Shop, tmp_path: Path
    ) -> None:
        postgres_newest.execute("ALTER ROLE scram_user CREATEROLE")
        try:
            with opened(
                postgres_newest, tmp_path / "lax", fill=None, policies=EVERYTHING, packs=[], masking=[],
                log={"level": "debug"},
            ) as lax, lax.connect() as agent:  # fmt: skip
                agent.execute("CREATE ROLE hired LOGIN PASSWORD 'allowed-one'")
                agent.execute("ALTER ROLE hired PASSWORD 'allowed-two'", prepare=True)
                agent.execute("PREPARE again AS SELECT 1; ALTER USER hired ENCRYPTED PASSWORD 'allowed-three'")
                written = everything_written(lax)
        finally:
            postgres_newest.execute("DROP ROLE IF EXISTS hired")
            postgres_newest.execute("ALTER ROLE scram_user NOCREATEROLE")
        for where, text in written.items():
            assert b"allowed-" not in text, where
        assert any(b"CREATE ROLE hired LOGIN PASSWORD" in text for text in written.values())

    def test_what_a_masking_rule_covers_is_masked_in_the_recording_as_well(
        self, shop: Shop, recorded: Callable[[], str]
    ) -> None:
        with shop.connect(repository_id="43") as cleared:
            values = {str(row) for row in cleared.execute("SELECT email, ssn FROM customers")}
            assert any(EMAILS[0] in value for value in values)
            cleared.execute("SELECT 1 FROM customers WHERE email = %s OR ssn = %s", (EMAILS[0], SSNS[0]))
        held = recorded()
        assert not [value for value in (*EMAILS, *SSNS) if value in held]

    def test_metrics_and_the_process_list(self, shop: Shop) -> None:
        _, body = shop.gateway.get("/metrics")
        assert shop.server.password not in body
        arguments = Path(f"/proc/{shop.gateway.pid}/cmdline").read_bytes()
        assert b"blastwall.yaml" in arguments
        assert shop.server.password.encode() not in arguments
        activity = repr(shop.direct("SELECT * FROM pg_stat_activity"))
        assert shop.server.password not in activity


LITERALS = ["literal-", "bound@secret.example", "9-bound", "stored@secret.example", "9-stored", "9-inline"]
ATTEMPTS = [
    "ALTER ROLE somebody PASSWORD 'literal-refused'",
    "ALTER ROLE somebody PASSWORD E'literal-escaped' VALID UNTIL '2031-01-01'",
    "ALTER ROLE somebody PASSWORD $x$literal-dollar$x$",
    "CREATE ROLE other LOGIN ENCRYPTED PASSWORD 'literal-valid'",
    "CREATE USER other PASSWORD 'literal-user'",
    "EXPLAIN ALTER ROLE somebody PASSWORD 'literal-nested'",
    "ALTER ROLE somebody PASSWORD 'literal-broken' AND SOMETHING",
    "SELECT 1; ALTER ROLE somebody PASSWORD 'literal-second'",
    "DO $$ BEGIN EXECUTE 'ALTER ROLE somebody PASSWORD ''literal-do'''; END $$",
    "CREATE USER MAPPING FOR somebody SERVER s OPTIONS (user 'u', password 'literal-mapping')",
    "CREATE SUBSCRIPTION s CONNECTION 'host=x password=literal-conn' PUBLICATION p",
    "SELECT * FROM dblink('host=x password=literal-dblink', 'SELECT 1') AS t (a int)",
]


EVERYTHING = """
@id("everything")
permit (principal, action, resource in Resource::"pg-prod");
"""


def pass_for(shop: Shop) -> str:
    """Exchange a token on the command line."""
    return str(exchange(shop, shop.token())["access_token"])


def everything_written(shop: Shop) -> dict[str, bytes]:
    """Every file below the gateway's folder but the two keys that it was given, unpacked, by path."""
    found = {"/metrics": shop.gateway.get("/metrics")[1].encode()}
    for path in shop.gateway.folder.rglob("*"):
        if path.is_file():
            data = octets(path)
            found[str(path)] = unpacked(data) if path.suffix in {".zst", ".index"} else data
    assert any("gateway.log" in where for where in found)
    assert any("segment" in where for where in found)
    assert any("blastwall.db" in where for where in found)
    return found


def unpacked(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


class TestTheRulingComesFirst:
    def test_a_killed_gateway_has_recorded_the_ruling_of_all_that_the_server_ran(
        self, postgres_newest: PostgresServer, tmp_path: Path
    ) -> None:
        """Kill it again and again under load; what the server's own log shows, the recording must have allowed."""
        postgres_newest.execute("ALTER ROLE scram_user SET log_statement = 'all'")
        chance = random.Random(2)
        try:
            with opened(postgres_newest, tmp_path / "killed", masking=[]) as shop:
                for kill in range(KILLS):
                    load = [Load(shop, kill, client) for client in range(4)]
                    eventually(lambda load=load: all(each.sent > 5 for each in load), "every client is at work")  # type: ignore[misc]
                    time.sleep(chance.uniform(0, 0.1))
                    shop.gateway.kill()
                    for each in load:
                        each.join()
                    eventually(lambda: backends(shop) == 0, "the server has noticed")
                    report = verify(shop.gateway.folder / "state" / "recordings")
                    assert report.good
                    assert sum(len(node.torn) for node in report.nodes) <= 2 * (kill + 1)
                    shop.gateway.start()
                ran, allowed = in_the_servers_log(shop), allowed_in_the_recording(shop)
                assert all(sum(mark.startswith(f"mark-{kill}-") for mark in ran) > 12 for kill in range(KILLS))
                assert ran <= allowed, f"ran without a recorded ruling: {ran - allowed}"
                assert "Untouched" in shop.gateway.run("audit", "verify")
        finally:
            postgres_newest.execute("ALTER ROLE scram_user RESET log_statement")


class Load:
    """A client that asks all the ways there are to ask, until its connection breaks. `sent` counts its statements."""

    def __init__(self, shop: Shop, kill: int, client: int) -> None:
        self.sent = 0
        self._name = f"mark-{kill}-{client}"
        self._agent = shop.connect()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with suppress(psycopg.Error):
            while True:
                self._round()
        self._agent.close()

    def _mark(self) -> str:
        self.sent += 1
        return f"{self._name}-{self.sent}."

    def _round(self) -> None:
        agent = self._agent
        agent.execute(f"SELECT '{self._mark()}'".encode())
        agent.execute("INSERT INTO archive VALUES (1, %s)", (self._mark(),), prepare=True)
        agent.execute(f"BEGIN; INSERT INTO archive VALUES (2, '{self._mark()}'); COMMIT".encode())
        with agent.pipeline():
            for _ in range(3):
                agent.execute("UPDATE archive SET data = %s WHERE id = 1", (self._mark(),))
        with agent.cursor().copy(f"COPY (SELECT '{self._mark()}') TO STDOUT".encode()) as copy:
            for _ in copy:
                pass

    def join(self) -> None:
        self._thread.join(SOON)
        assert not self._thread.is_alive(), "a client did not notice that the gateway was killed"


_MARK = re.compile(r"mark-\d+-\d+-\d+\.")


def in_the_servers_log(shop: Shop) -> set[str]:
    return set(_MARK.findall(shop.server.log))


def allowed_in_the_recording(shop: Shop) -> set[str]:
    found: set[str] = set()
    for session in events_so_far(shop).values():
        allowed = {
            each.number
            for each in session
            if isinstance(each, StatementRuled) and each.ruling.decision is Decision.ALLOW
        }
        for each in session:
            if isinstance(each, StatementAsked) and each.number in allowed:
                found.update(_MARK.findall(f"{each.text} {each.parameters}"))
    return found


class TestNothingRunsUnrecorded:
    def test_a_full_disk_refuses_statements_and_says_so(self, postgres_newest: PostgresServer, tmp_path: Path) -> None:
        """The limit on a file's size fails writes as a full disk does."""
        with opened(postgres_newest, tmp_path / "full") as shop:
            pid, (soft, hard) = shop.gateway.pid, resource.getrlimit(resource.RLIMIT_FSIZE)
            with (
                closing(shop.connect()) as simple,
                closing(shop.connect()) as extended,
                closing(shop.connect()) as idle,
            ):
                for agent in (simple, extended, idle):
                    agent.execute("INSERT INTO archive VALUES (1, 'before')")
                settled(shop.gateway)  # the ends of those statements are recorded after their answers
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
                with pytest.raises(psycopg.Error, match="cannot be recorded"):
                    simple.execute(b"INSERT INTO archive VALUES (2, 'unrecorded')")
                with pytest.raises(psycopg.Error, match="cannot be recorded"):
                    extended.execute("INSERT INTO archive VALUES (%s, 'unrecorded')", (3,), prepare=True)
                for agent in (simple, extended):
                    with pytest.raises(psycopg.Error):
                        agent.execute(b"INSERT INTO archive VALUES (2, 'unrecorded')")
                with pytest.raises(psycopg.OperationalError, match=r"cannot be recorded.*operator must repair"):
                    shop.connect()
                _, body = shop.gateway.get("/metrics")
                assert re.search(r"blastwall_recording_failures_total.* [1-9]", body)
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
                with closing(shop.connect()) as afterwards:
                    afterwards.execute("INSERT INTO archive VALUES (4, 'after')")
                assert idle.execute("SELECT 1").fetchone() == (1,)
            assert sorted(shop.direct("SELECT DISTINCT id FROM archive")) == [(1,), (4,)]
            assert shop.gateway.terminate() == 0
            assert verify(shop.gateway.folder / "state" / "recordings").good
            assert "cannot be recorded" not in shop.server.log

    def test_a_gateway_that_cannot_record_does_not_start(self, shop: Shop, tmp_path: Path) -> None:
        (tmp_path / "no-folder").write_text("a file stands here")
        changes = {"recordings": {"to": str(tmp_path / "no-folder")}, "control": {"port": free_port()}}
        resources = [{key: each[key] for key in each if key != "listen"} for each in resources_of(shop)]
        gateway = Gateway(
            {**shop.gateway.configuration, **changes, "resources": resources},
            environment=shop.gateway.environment,
            folder=tmp_path / "gateway",
            policies={"shop.cedar": (shop.gateway.folder / "shop.cedar").read_text()},
        )
        with pytest.raises(ServerFailed, match="no-folder"):
            gateway.start()


def resources_of(shop: Shop) -> list[dict[str, object]]:
    given = shop.gateway.configuration["resources"]
    assert isinstance(given, list)
    return given


@dataclass(frozen=True)
class Evidence:
    """Copies of what an auditor has."""

    recordings: Path
    key: Path
    anchors: Path

    @property
    def node(self) -> Path:
        (node,) = [path for path in self.recordings.iterdir() if path.is_dir()]
        return node

    @property
    def segment(self) -> Path:
        return max(self.node.glob("segment-*.zst"), key=lambda path: path.stat().st_size)

    def verify(self, *options: str) -> tuple[int, str]:
        done = CliRunner().invoke(
            build(), ["audit", "verify", "--recordings", str(self.recordings), "--json", *options]
        )
        return done.exit_code, done.output

    def proof(self) -> tuple[int, str]:
        return self.verify("--key", str(self.key), "--anchors", str(self.anchors))

    def rewrite(self, change: Callable[[list[bytes]], list[bytes]]) -> None:
        """Unpack the segment, change its list of records, and pack it again."""
        data = unpacked(self.segment.read_bytes())
        records, rest = [], data
        while rest:
            size = 24 + int.from_bytes(rest[:4], "big") + 32
            records.append(rest[:size])
            rest = rest[size:]
        self.segment.write_bytes(zstandard.compress(b"".join(change(records))))


@pytest.fixture(scope="module")
def untouched(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """The recordings of two sessions of a gateway that was ended properly, anchored elsewhere."""
    folder = tmp_path_factory.mktemp("evidence")
    with opened(postgres_newest, folder / "gateway", recordings=RECORDINGS) as shop:
        for _ in range(2):
            with shop.connect() as agent:
                agent.execute("INSERT INTO archive VALUES (1, 'evidence')")
                with suppress(psycopg.Error):
                    agent.execute("DROP TABLE orders")
        assert shop.gateway.terminate() == 0
        (key,) = (shop.gateway.folder / "state").glob("*.pub")
        anchors = shop.gateway.folder / "anchors"
        return Evidence(shop.gateway.folder / "state" / "recordings", key, anchors)


@pytest.fixture
def evidence(untouched: Evidence, tmp_path: Path) -> Evidence:
    shutil.copytree(untouched.recordings, tmp_path / "recordings")
    return Evidence(tmp_path / "recordings", untouched.key, untouched.anchors)


def edited(records: list[bytes]) -> list[bytes]:
    (place,) = [n for n, record in enumerate(records) if b"DROP TABLE" in record and b"asked" in record.lower()][:1]
    return [*records[:place], records[place].replace(b"DROP TABLE", b"DROP VIEW!"), *records[place + 1 :]]


TAMPERED: dict[str, Callable[[Evidence], object]] = {
    "edited": lambda evidence: evidence.rewrite(edited),
    "a record removed": lambda evidence: evidence.rewrite(lambda records: [*records[:5], *records[6:]]),
    "reordered": lambda evidence: evidence.rewrite(
        lambda records: [*records[:5], records[6], records[5], *records[7:]]
    ),
    "cut off": lambda evidence: evidence.rewrite(lambda records: records[:-2]),
    "repeated": lambda evidence: evidence.rewrite(lambda records: [*records, records[-1]]),
    "a file removed": lambda evidence: evidence.segment.unlink(),
    "the chain cut off": lambda evidence: os.truncate(
        evidence.node / "chain", (evidence.node / "chain").stat().st_size - 200
    ),
    "everything removed": lambda evidence: shutil.rmtree(evidence.node),
    "the key replaced": lambda evidence: (evidence.node / "node.pub").write_bytes(
        Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    ),
}


class TestTamperingShows:
    def test_an_untouched_run_is_proven(self, evidence: Evidence) -> None:
        code, said = evidence.proof()
        assert code == 0, said
        report = json.loads(said)
        assert report["good"] is True
        assert all(not node["unanchored"] for node in report["nodes"])

    @pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED.keys())
    def test_what_was_done_to_it_is_found(self, evidence: Evidence, tamper: Callable[[Evidence], object]) -> None:
        tamper(evidence)
        code, said = evidence.proof()
        assert code == 1, said

    def test_the_anchors_find_what_the_node_itself_rewrote(
        self, untouched: Evidence, evidence: Evidence, postgres_newest: PostgresServer, tmp_path: Path
    ) -> None:
        """Whoever holds the gateway's key can make a new history; it does not fit what was anchored."""
        shutil.rmtree(evidence.node)
        state = untouched.recordings.parent
        settings = Recordings(to=tmp_path / "recordings")
        key = load_or_create_key(state / "recording.key")

        async def rewrite() -> None:
            recorder = Recorder(settings, untouched.node.name, key)
            await recorder.start()
            await recorder.stop()

        asyncio.run(rewrite())
        assert evidence.verify("--key", str(evidence.key))[0] == 0
        assert evidence.proof()[0] == 1
