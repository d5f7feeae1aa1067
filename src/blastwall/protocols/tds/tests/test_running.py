"""When every statement of a text has run for certain."""

from __future__ import annotations

import pytest

from blastwall.model.statement import Stage, Statement
from blastwall.protocols.tds.packets import Kind
from blastwall.protocols.tds.running import Asked, Running, surely_ran
from blastwall.sql.tsql.catalog import Catalog
from blastwall.sql.tsql.classify import classify
from blastwall.sql.tsql.state import NameState, settled

CATALOG = Catalog("shop", 1)
DDL = "CREATE TABLE t (id int)"


def asked(text: str, stage: Stage = Stage.EXECUTE) -> Asked:
    classified = classify(text, CATALOG, NameState())
    statement = Statement(text, classified.effects, classified.operation, "shop", stage=stage)
    return Asked(1, statement, classified)


def test_a_plain_text_that_gave_no_error_ran() -> None:
    one = asked(DDL)
    assert surely_ran(one, Running(Kind.BATCH, (one,)), NameState())


@pytest.mark.parametrize("text", ["IF 1 = 1 " + DDL, DDL + "; ROLLBACK TRANSACTION s", f"EXEC('{DDL}')"])
def test_what_may_be_left_out_or_undone_did_not(text: str) -> None:
    one = asked(text)
    assert not surely_ran(one, Running(Kind.BATCH, (one,)), NameState())


@pytest.mark.parametrize("option", ["NOEXEC", "PARSEONLY", "FMTONLY", "SHOWPLAN_XML", "SHOWPLAN_ALL", "SHOWPLAN_TEXT"])
def test_where_the_server_only_looks_at_texts_nothing_ran(option: str) -> None:
    state = settled(NameState(), classify(f"SET {option} ON", CATALOG, NameState()))
    one = asked(DDL)
    assert not surely_ran(one, Running(Kind.BATCH, (one,)), state)


def test_what_failed_was_cancelled_prepared_limited_or_not_alone_did_not() -> None:
    failed, cancelled, limited, opened = (asked(DDL) for _ in range(4))
    failed.error, limited.limit_affected = "2714", 1
    opened.returned = lambda _value: None
    stopped = Running(Kind.BATCH, (cancelled,))
    stopped.cancelled = True
    prepared, one, other = asked(DDL, Stage.PREPARE), asked(DDL), asked(DDL)
    assert not surely_ran(failed, Running(Kind.BATCH, (failed,)), NameState())
    assert not surely_ran(cancelled, stopped, NameState())
    assert not surely_ran(limited, Running(Kind.BATCH, (limited,)), NameState())
    assert not surely_ran(opened, Running(Kind.RPC, (opened,)), NameState())
    assert not surely_ran(prepared, Running(Kind.RPC, (prepared,)), NameState())
    assert not surely_ran(one, Running(Kind.RPC, (one, other)), NameState())
