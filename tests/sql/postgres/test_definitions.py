"""What definitions set off: read from the catalog of a real server, and compared with what that server then does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml
from tests.sql.postgres.happened import changed, row_changes
from tests.sql.postgres.real import read_snapshot
from tests.sql.postgres.shop import marked

from blastwall.model.effects import Action, Effect, Mark
from blastwall.protocols.postgres.catalog import Snapshot
from blastwall.sql.postgres import NameState, classify
from blastwall.testing.postgres import PostgresServer

HERE = Path(__file__).parent
CASES = yaml.safe_load((HERE / "definitions.yaml").read_text())
STATE = NameState((("$user", "public"),), "postgres")
_NOT_RUN = ("vacuum", "copy")

_MOVED = (Action.UPDATE, Action.CREATE, Action.DELETE)

World = tuple[psycopg.Connection, Snapshot]


@pytest.fixture(scope="module")
def world(postgres: PostgresServer) -> Iterator[World]:
    """A connection to a database with the definitions, and its catalog."""
    postgres.execute("DROP DATABASE IF EXISTS definitions")
    postgres.execute("CREATE DATABASE definitions")
    with psycopg.connect(postgres.dsn("definitions"), autocommit=True) as connection:
        connection.execute((HERE / "definitions.sql").read_bytes())
        yield connection, read_snapshot(connection)
    postgres.execute("DROP DATABASE definitions")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["text"][:60])
def test_every_effect_of_a_definition_is_seen(world: World, case: dict[str, object]) -> None:
    connection, snapshot = world
    text = str(case["text"])
    found = [effect for one in classify(text, snapshot.catalog, STATE) for effect in one.effects]
    assert list(dict.fromkeys(marked(effect) for effect in found)) == case["effects"]
    if text.startswith(_NOT_RUN):
        return
    connection.execute("BEGIN")
    try:
        before = row_changes(connection)
        result = connection.pgconn.exec_(text.encode())
        failed = result.status == psycopg.pq.ExecStatus.FATAL_ERROR
        assert failed == bool(case.get("fails")), result.error_message.decode()
        if not failed:
            said = {(action, effect.object.path[1:]) for effect in found for action in _meant(effect)}
            opaque = any(effect.action is Action.EXECUTE for effect in found)
            for change in changed(before, row_changes(connection)):
                assert change in said or opaque, f"{change} happened and was not seen"
    finally:
        connection.execute("ROLLBACK")


def _meant(effect: Effect) -> tuple[Action, ...]:
    """An update of a partition, as part of its table's, may move its rows to another."""
    return _MOVED if effect.action is Action.UPDATE and Mark.PART in effect.marks else (effect.action,)
