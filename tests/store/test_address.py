from __future__ import annotations

from pathlib import Path

import pytest

from blastwall.store.address import PostgresServer, SqliteFile, StateError, parse_address


def test_a_file() -> None:
    assert parse_address("sqlite:///state/blastwall.db") == SqliteFile(Path("state/blastwall.db"))
    assert parse_address("sqlite:////var/b.db") == SqliteFile(Path("/var/b.db"))
    assert parse_address("sqlite:///b.db", Path("/etc/blastwall")) == SqliteFile(Path("/etc/blastwall/b.db"))


def test_a_server() -> None:
    url = "postgresql://user@db.example:5433/state?sslmode=verify-full"
    found = parse_address(url)
    assert found == PostgresServer(url)
    assert str(found) == "postgresql://db.example/state"


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2@db/state", "postgresql://db/state?password=hunter2", "postgres://u:@db/state"]
)
def test_a_password_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(StateError, match="PGPASSWORD") as caught:
        parse_address(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///a?mode=ro", "mysql://db/x", "postgresql://[::1/x"],
)
def test_what_is_neither(url: str) -> None:
    with pytest.raises(StateError, match=r"^state: "):
        parse_address(url)
