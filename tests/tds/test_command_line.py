"""Command lines of FreeTDS, `tsql` and `bsqldb`: batches that end with GO, typed or piped, as sqlcmd has them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.tds.world import World, person
from tests.waiting import eventually

from blastwall.testing.servers import environment, find_program

_GATEWAY = """
[gateway]
host = localhost
port = {port}
tds version = 7.4
encryption = require
ca file = {ca}
client charset = UTF-8
"""


@pytest.fixture
def variables(world: World, tmp_path: Path) -> Mapping[str, str]:
    """The environment in which FreeTDS knows the gateway."""
    world.fresh()
    file = tmp_path / "freetds.conf"
    file.write_text(_GATEWAY.format(port=world.gateway.port("sql-prod"), ca=world.gateway.ca))
    return {**environment(), "FREETDSCONF": str(file), "FREETDS": str(file)}


def started(program: str, world: World, variables: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a program as an agent would: a pass is its password."""
    return subprocess.Popen(
        [find_program(program, "freetds-bin"), "-S", "gateway", "-U", "agent", "-P", world.password(), "-D", "shop"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables, text=True,
    )  # fmt: skip


def test_a_refusal_is_a_message_of_class_14_and_the_session_goes_on(world: World, variables: Mapping[str, str]) -> None:
    tsql = started("tsql", world, variables)
    said, _ = tsql.communicate(
        "SELECT customer FROM orders\nWHERE id = 1\nGO\n"
        "SELECT secret FROM vault\nGO\n"
        "EXEC xp_cmdshell 'dir'\nGO\n"
        "DECLARE @n int = 2\nSELECT name, ssn FROM customers WHERE id = @n\nGO\nexit\n",
        timeout=60,
    )
    assert tsql.returncode == 0, said
    assert "Ada" in said
    assert said.count("Msg 229 (severity 14") == 2, said
    assert "blastwall: policy does not permit" in said
    assert said.rindex("Alan Mathison") > said.rindex("Msg 229")
    assert "078-05-1120" not in said
    assert not [text for text in world.server.texts() if "vault" in text or "xp_" in text]


def test_a_wrong_pass_is_said_in_words(world: World, variables: Mapping[str, str]) -> None:
    arguments = ["-S", "gateway", "-U", "agent", "-P", "a guess", "-D", "shop"]
    done = subprocess.run(
        [find_program("tsql", "freetds-bin"), *arguments],
        input="", capture_output=True, env=variables, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Msg 18456" in done.stdout + done.stderr, done.stderr


def test_a_script_that_is_piped_ends_with_the_class_of_its_refusal(world: World, variables: Mapping[str, str]) -> None:
    bsqldb = started("bsqldb", world, variables)
    said, _ = bsqldb.communicate("SELECT id FROM orders\nGO\nSELECT secret FROM vault\nGO\n", timeout=60)
    assert bsqldb.returncode == 14, said
    assert "Msg 229, Level 14" in said


def test_a_statement_that_waits_says_so_at_once(world: World, variables: Mapping[str, str]) -> None:
    tsql = started("tsql", world, variables)
    assert tsql.stdin is not None
    assert tsql.stdout is not None
    tsql.stdin.write("DELETE FROM customers WHERE id = 2\nGO\n")
    tsql.stdin.flush()
    items = eventually(lambda: person(world, "GET", "/approvals?state=waiting")["items"], "the statement waits")
    assert isinstance(items, list)
    said = ""
    while "blastwall:" not in said:  # before anybody has approved
        line = tsql.stdout.readline()
        assert line, said
        said += line
    assert "approv" in said
    assert world.server.execute("SELECT COUNT(*) FROM customers") == [(2,)]
    person(world, "POST", f"/approvals/{items[0]['id']}/approve", {"comment": "good"})
    rest, _ = tsql.communicate("SELECT COUNT(*) AS left_over FROM customers\nGO\nexit\n", timeout=60)
    assert "left_over\n1" in rest, rest
