"""The word lists about PostgreSQL, held against the catalogs of the real servers."""

from __future__ import annotations

import psycopg
import pytest

from blastwall.sql.postgres.builtin_names import HARMLESS_FUNCTIONS, OPERATORS, SYSTEM_RELATIONS
from blastwall.sql.postgres.dangers import danger
from blastwall.testing.postgres import PostgresServer

_GRAMMAR = frozenset(
    """
    coalesce current_catalog greatest grouping json_scalar least merge_action nullif trim xmlserialize
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""The grammar's own, so not in pg_proc."""
_TYPES = frozenset({"inet", "json", "jsonb", "tsquery", "tsvector", "uuid"})
"""Types that are cast to like a function."""
_RELEASES_ITS_OWN = frozenset({"pg_advisory_unlock_all"})
"""Gives up locks of the session's own; drivers send it before a connection is used again."""
_TELLS = frozenset(
    """
    array_sample array_shuffle clock_timestamp currval gen_random_uuid lastval pg_available_wal_summaries
    pg_blocking_pids pg_collation_actual_version pg_current_wal_lsn pg_database_collation_actual_version
    pg_database_size pg_indexes_size pg_is_in_recovery pg_is_wal_replay_paused pg_jit_available pg_last_wal_receive_lsn
    pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_partition_ancestors pg_partition_tree pg_relation_size
    pg_safe_snapshot_blocking_pids pg_sequence_last_value pg_table_size pg_tablespace_size pg_total_relation_size
    pg_xact_status random random_normal setseed timeofday txid_status uuidv4 uuidv7
    """.split()  # noqa: SIM905 - a word list reads better as words
)
"""Volatile because their answers change, not because they change anything."""

_PROCEDURES = b"""
SELECT proname, provolatile, lanname, prosecdef, proretset,
       prorettype IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype, 'cstring'::regtype)
       OR 'internal'::regtype = ANY (proargtypes::oid[]) AS hidden
FROM pg_proc JOIN pg_language l ON l.oid = prolang WHERE pronamespace = 'pg_catalog'::regnamespace
"""

Procedure = tuple[str, str, str, bool, bool, bool]


@pytest.fixture(scope="module")
def procedures(postgres15: PostgresServer, postgres_newest: PostgresServer) -> list[Procedure]:
    found: list[Procedure] = []
    for server in (postgres15, postgres_newest):
        with psycopg.connect(server.dsn()) as connection:
            found += connection.execute(_PROCEDURES).fetchall()
    return found


def test_every_harmless_name_is_postgresqls(procedures: list[Procedure]) -> None:
    known = {name for name, *_ in procedures} | _GRAMMAR | _TYPES
    assert HARMLESS_FUNCTIONS - known == frozenset()


def test_no_overload_of_a_harmless_name_does_more(procedures: list[Procedure]) -> None:
    listed = [one for one in procedures if one[0] in HARMLESS_FUNCTIONS]
    assert {name for name, volatility, *_ in listed if volatility == "v"} <= _TELLS | _RELEASES_ITS_OWN
    assert {language for _, _, language, *_ in listed} <= {"internal", "sql"}
    assert [name for name, _, _, definer, _, hidden in listed if definer or hidden] == []


def test_no_harmless_name_is_a_dangerous_one() -> None:
    assert {name for name in HARMLESS_FUNCTIONS if danger(name)} == _RELEASES_ITS_OWN


def test_what_is_volatile_and_unlisted_is_never_read(procedures: list[Procedure]) -> None:
    reaching = {
        "pg_read_file",
        "pg_ls_dir",
        "lo_import",
        "lo_export",
        "pg_terminate_backend",
        "query_to_xml",
        "pg_sleep",
    }
    volatile = {name for name, volatility, *_ in procedures if volatility == "v"}
    assert reaching <= volatile
    assert all(danger(name) for name in reaching)


def test_operators_and_relations_are_those_of_the_servers(postgres: PostgresServer) -> None:
    with psycopg.connect(postgres.dsn()) as connection:
        signs = {sign for (sign,) in connection.execute("SELECT oprname FROM pg_operator")}
        relations = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')"
        ).fetchall()
    assert signs - OPERATORS == set()
    assert {name for (name,) in relations} - SYSTEM_RELATIONS == set()
