"""Results that a resource asks to have recorded: as the client got them, masked for everybody, up to a limit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.conftest import EMAILS, SSNS, Shop, configuration
from tests.e2e.opening import events, events_so_far, opened
from tests.waiting import eventually
from typer.testing import CliRunner

from blastwall.cli.main import build
from blastwall.model.events import Event, SessionClosed, StatementAsked, StatementFinished, StatementRows
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.postgres import PostgresServer

PARTIAL = ("a***@example.com", "a***@example.org", "g***@example.net")


@pytest.fixture(scope="module")
def shop(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop whose results are recorded: twenty rows of each, and 2,000 bytes."""
    with DevIssuer() as issuer:
        resources = configuration(postgres_newest, issuer)["resources"]
    assert isinstance(resources, list)
    resources[0]["record"] = {"results": "masked", "rows": 20, "bytes": "2000B"}
    with opened(postgres_newest, tmp_path_factory.mktemp("results"), resources=resources) as shop:
        yield shop


def rows(shop: Shop, words: str) -> list[tuple[str | None, ...]]:
    """Return the recorded rows of the newest session's one executed statement with these words."""
    return [row for each in _of(shop, words) if isinstance(each, StatementRows) for row in each.rows]


def newest(shop: Shop) -> list[Event]:
    """Return the newest session's events, once it has ended."""

    def ended() -> list[Event]:
        found = next(iter(events(shop).values()))
        return found if isinstance(found[-1], SessionClosed) else []

    return eventually(ended, "the session's end is recorded")


def _of(shop: Shop, words: str) -> list[Event]:
    found = newest(shop)
    (number,) = {
        each.number
        for each in found
        if isinstance(each, StatementAsked) and words in each.text and each.stage.value == "execute"
    }
    return [each for each in found if getattr(each, "number", None) == number]


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("cleared", [False, True], ids=["masked", "exempt"])
def test_rows_are_recorded_masked_whoever_gets_them(shop: Shop, binary: bool, cleared: bool) -> None:
    with shop.connect(repository_id="43" if cleared else "42") as agent:
        got = agent.cursor(binary=binary).execute("SELECT id, email, ssn, note FROM customers ORDER BY id").fetchall()
    assert [row[1] for row in got] == list(EMAILS if cleared else PARTIAL)
    kept = rows(shop, "FROM customers ORDER BY id")
    assert [row[:2] for row in kept] == [(str(n), shown) for n, shown in enumerate(PARTIAL, start=1)]
    assert [row[2] for row in kept] == ["[redacted]", "[redacted]", None]
    assert [row[3] for row in kept] == ["prefers mail", "call [redacted:email]", None]
    first = next(each for each in _of(shop, "FROM customers") if isinstance(each, StatementRows))
    assert first.columns == ("id", "email", "ssn", "note")


@pytest.mark.parametrize("cleared", [False, True], ids=["masked", "exempt"])
@pytest.mark.parametrize("options", ["", " (FORMAT csv, HEADER)", " (FORMAT binary)"], ids=["text", "csv", "binary"])
def test_copy_out_is_recorded_masked(shop: Shop, options: str, cleared: bool) -> None:
    statement = f"COPY customers (name, email) TO STDOUT{options}"
    with shop.connect(repository_id="43" if cleared else "42") as agent, agent.cursor().copy(statement) as copy:
        got = b"".join(bytes(each) for each in copy)
    assert (EMAILS[0].encode() in got) is cleared
    kept = rows(shop, "COPY customers")
    assert sorted(str(row[1]) for row in kept) == sorted(PARTIAL), "in whatever order the server has them"
    assert ("Ada Byron", PARTIAL[0]) in kept


def test_nothing_of_a_protected_value_is_recorded_by_any_way_of_asking(shop: Shop) -> None:
    with shop.connect(repository_id="43") as agent:
        for statement in (
            "SELECT upper(email), email || ssn FROM customers",
            "SELECT row_to_json(c) FROM customers c",
            "SELECT array_agg(email), string_agg(ssn, ',') FROM customers",
            "UPDATE customers SET name = name WHERE id = 1 RETURNING *",
            "SELECT address, shouted FROM addresses",
        ):
            assert any(secret in repr(agent.execute(statement).fetchall()).lower() for secret in EMAILS)
        with agent.transaction(), agent.cursor("c") as cursor:
            cursor.execute("SELECT email FROM customers").fetchmany(1)
    told = repr(newest(shop)).lower()
    assert told.count("statementrows") >= 6
    for secret in (*EMAILS, *SSNS):
        assert secret not in told


def test_only_the_first_rows_are_recorded(shop: Shop) -> None:
    with shop.connect() as agent:
        assert len(agent.execute("SELECT id, total FROM orders ORDER BY id").fetchall()) == 30
        assert len(agent.execute("SELECT repeat('x', 900) FROM orders").fetchall()) == 30
        assert agent.execute("SELECT repeat('y', 5000), 1").fetchall() == [("y" * 5000, 1)]
        assert agent.execute("SELECT 'after'").fetchall() == [("after",)]
    assert rows(shop, "total FROM orders") == [(str(n), str(n * 10)) for n in range(1, 21)]
    assert len(rows(shop, "'x'")) == 2, "up to 2,000 bytes"
    assert rows(shop, "'y'") == [], "a row that is too long is not recorded in part"
    finished = [each for each in _of(shop, "total FROM orders") if isinstance(each, StatementFinished)]
    assert [each.rows for each in finished] == [30]


def test_rows_are_recorded_of_a_client_that_leaves_in_the_middle(shop: Shop) -> None:
    agent = shop.connect()
    agent.execute("BEGIN")
    cursor = agent.cursor()
    for _ in cursor.stream("SELECT id, 'left' FROM orders, generate_series(1, 100000)"):
        break
    agent.pgconn.finish()

    def kept() -> bool:
        every = [each for found in events_so_far(shop).values() for each in found]
        return any("left" in row for each in every if isinstance(each, StatementRows) for row in each.rows)

    assert eventually(kept, "its rows are recorded")


def test_sessions_show_prints_a_table(shop: Shop) -> None:
    with shop.connect() as agent:
        agent.execute("SELECT id, email, ssn AS ssn FROM customers ORDER BY id")
        agent.execute("SELECT id FROM orders ORDER BY id")
    assert newest(shop)
    session = next(iter(events(shop)))
    place = ["--recordings", str(shop.gateway.folder / "state" / "recordings")]
    shown = CliRunner().invoke(build(), ["sessions", "show", session, *place]).output
    assert "  │ id │ email            │ ssn" in shown
    assert "  │ 1  │ a***@example.com │ [redacted]" in shown
    assert "  │ 3  │ g***@example.net │ NULL" in shown
    assert "… and 10 rows that are not recorded" in shown
    replayed = CliRunner().invoke(build(), ["sessions", "replay", session, "--speed", "max", *place]).output
    assert "answered with" in replayed
    assert "a***@example.com" in replayed
    found = CliRunner().invoke(build(), ["sessions", "list", "--text", "G***@EXAMPLE", *place]).output
    assert session in found


def test_nothing_is_recorded_of_results_unless_it_is_asked_for(postgres_newest: PostgresServer, tmp_path: Path) -> None:
    with opened(postgres_newest, tmp_path) as plain, plain.connect() as agent:
        assert agent.execute("SELECT id FROM orders").fetchall()
        agent.close()
        assert not any(isinstance(each, StatementRows) for each in newest(plain))
