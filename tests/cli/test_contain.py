"""`blastwall contain`, on the state database that a configuration names."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from tests.cli.test_sessions import record
from typer.testing import CliRunner, Result

from blastwall.cli.main import build

CONFIGURATION = """\
state: sqlite:///state/b.db
issuers:
  - {name: github, issuer: "https://token.example", audience: blastwall}
agents:
  - {name: shop-ci, issuer: github, match: {repository_id: "123"}, groups: [ci]}
resources:
  - name: pg-prod
    kind: postgres
    listen: 15432
    upstream: {host: 127.0.0.1, port: 1, database: shop}
    credential: {user: app, password: {env: SHOP_PASSWORD}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "blastwall.yaml"
    path.write_text(CONFIGURATION)
    return path


def contain(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(build(), ["contain", *arguments, "-c", str(file)])


def listed(file: Path) -> list[dict[str, object]]:
    result = contain(file, "list", "--json")
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    ("kind", "name"), [("agent", "shop-ci"), ("resource", "pg-prod"), ("user", "ana"), ("issuer", "github")]
)
def test_contain_list_lift(file: Path, kind: str, name: str) -> None:
    result = contain(file, kind, name, "--reason", "the token leaked")
    assert (result.exit_code, result.stdout) == (0, f"{kind} {name}: contained\n")
    (found,) = listed(file)
    assert (found["kind"], found["name"], found["reason"]) == (kind, name, "the token leaked")
    assert found["by"]
    assert "the token leaked" in contain(file, "list").stdout
    assert contain(file, kind, name, "--lift", "--reason", "over").stdout == f"{kind} {name}: lifted\n"
    assert listed(file) == []
    assert "nothing is contained" in contain(file, "list").stdout


def test_a_session_is_ended_for_good(file: Path) -> None:
    result = contain(file, "session", "s-1", "--reason", "why", "--json")
    assert json.loads(result.stdout) == {"kind": "session", "name": "s-1", "state": "contained"}
    assert contain(file, "session", "s-1", "--lift").exit_code == 2


def test_lifting_what_is_not_contained_fails(file: Path) -> None:
    result = contain(file, "agent", "shop-ci", "--lift", "--reason", "over")
    assert result.exit_code == 1
    assert "agent shop-ci is not contained" in result.stderr


def test_a_pass_that_does_not_work_fails(file: Path) -> None:
    result = contain(file, "pass", "p1", "--reason", "why")
    assert result.exit_code == 1
    assert "no pass with the id p1 works now" in result.stderr


def test_a_reason_is_asked_for(file: Path) -> None:
    result = contain(file, "agent", "shop-ci")
    assert result.exit_code == 2
    assert "--reason is missing" in result.stderr


@pytest.mark.parametrize("option", ["--token-file", "--ca"])
def test_what_goes_with_a_server_is_refused_without_one(file: Path, option: str) -> None:
    """Whoever names a token means to act as its owner: the state would be changed as the machine's operator."""
    result = contain(file, "agent", "shop-ci", "--reason", "why", option, str(file))
    assert result.exit_code == 2
    assert f"{option} would do nothing without --server" in result.stderr
    assert listed(file) == []


def test_a_ca_that_is_set_for_every_command_is_no_wish_of_this_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLASTWALL_CA", str(file))
    assert contain(file, "agent", "shop-ci", "--reason", "why").exit_code == 0
    assert [each["name"] for each in listed(file)] == ["shop-ci"]


def test_a_misspelt_name_is_warned_of_but_contained(file: Path) -> None:
    """An agent that was removed from the file may have sessions still."""
    result = contain(file, "agent", "shopci", "--reason", "why")
    assert result.exit_code == 0
    assert "no agent named 'shopci'" in result.stderr
    assert [each["name"] for each in listed(file)] == ["shopci"]


def test_a_configuration_or_state_that_cannot_be_used(file: Path, tmp_path: Path) -> None:
    result = contain(tmp_path / "missing.yaml", "list")
    assert result.exit_code == 2
    assert contain(file, "list").exit_code == 0
    with sqlite3.connect(tmp_path / "state/b.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    result = contain(file, "list")
    assert result.exit_code == 1
    assert "written by a newer Blastwall" in result.stderr


def test_a_lift_asks_why_and_the_history_keeps_it(file: Path) -> None:
    contain(file, "agent", "shop-ci", "--reason", "the token leaked")
    result = contain(file, "agent", "shop-ci", "--lift")
    assert (result.exit_code, "--reason is missing" in result.stderr) == (2, True)
    contain(file, "agent", "shop-ci", "--lift", "--reason", "a false alarm")
    [past] = json.loads(contain(file, "history", "--json").stdout)
    assert (past["name"], past["reason"], past["lift_reason"]) == ("shop-ci", "the token leaked", "a false alarm")
    assert past["lifted_by"] == past["by"]
    assert "alarm" in contain(file, "history").stdout


def test_an_id_that_no_session_has_is_warned_of_but_contained(file: Path) -> None:
    asyncio.run(record(file.parent / "state"))
    assert "abc-heldd" in contain(file, "session", "abc-heldd", "--reason", "why").stderr
    assert contain(file, "session", "abc-held", "--reason", "why").stderr == ""
    assert [each["name"] for each in listed(file)] == ["abc-heldd", "abc-held"]


def test_sessions_kill_is_the_same(file: Path) -> None:
    result = CliRunner().invoke(build(), ["sessions", "kill", "s-1", "--reason", "why", "-c", str(file)])
    assert (result.exit_code, result.stdout) == (0, "session s-1: contained\n")
    assert [each["name"] for each in listed(file)] == ["s-1"]
