"""The gateway's wall clock is set by hours, in a real process: nobody gets more, or less, than with a right one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from tests.e2e.conftest import Shop
from tests.e2e.opening import ends, opened

from blastwall.testing.postgres import PostgresServer

HOURS = 6 * 3600.0
LONGEST = 5.0
SETTABLE = """
import os, time

right = time.time

def wrong():
    with open(os.environ["CLOCK_SET_BY"]) as file:
        return right() + float(file.read() or 0)

time.time = wrong
"""

SetBy = Callable[[float], None]


@pytest.fixture
def set_by(tmp_path: Path) -> SetBy:
    """Set the clock of the gateway by so many seconds; each replaces the last."""
    place = tmp_path / "by"
    place.write_text("0")

    def change(seconds: float) -> None:
        draft = tmp_path / "by.new"
        draft.write_text(str(seconds))
        draft.replace(place)

    return change


@pytest.fixture
def shop(postgres: PostgresServer, tmp_path: Path, set_by: SetBy) -> Iterator[Shop]:
    """A gateway whose sessions end after some seconds; Python loads `sitecustomize` before anything else."""
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "sitecustomize.py").write_text(SETTABLE)
    agent = {"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"]}
    with opened(
        postgres,
        tmp_path / "gateway",
        environment={"PYTHONPATH": str(tmp_path / "python"), "CLOCK_SET_BY": str(tmp_path / "by")},
        agents=[{**agent, "session_max": f"{LONGEST:.0f}s"}],
        masking=[],
    ) as shop:
        yield shop


def refusal(shop: Shop, token: str) -> str:
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect(shop.gateway.dsn(shop.database, token))
    return str(refused.value)


@pytest.mark.parametrize("hours", [-HOURS, HOURS], ids=["back", "ahead"])
def test_a_session_ends_when_it_should_and_goes_on_until_then(shop: Shop, set_by: SetBy, hours: float) -> None:
    began = time.monotonic()
    with shop.connect() as agent:
        set_by(hours)
        assert agent.execute("SELECT 1").fetchone() == (1,)
        said, _ = ends(agent, 60)
        assert "end of its permitted time" in said
        assert time.monotonic() - began >= LONGEST - 1
    set_by(0)
    shop.connect().close()
    assert shop.gateway.terminate() == 0
    assert "Untouched" in shop.gateway.run("audit", "verify")


def test_a_clock_set_back_makes_no_expired_token_good(shop: Shop, set_by: SetBy) -> None:
    stolen = shop.issuer.token("ci", claims={"repository_id": "42"}, issued=time.time() - 7200)
    assert "expired" in refusal(shop, stolen)
    shop.connect().close()
    set_by(-HOURS)
    assert "expired" in refusal(shop, stolen)
    shop.connect().close()


def test_a_clock_set_ahead_and_right_again_locks_nobody_out(shop: Shop, set_by: SetBy) -> None:
    shop.connect().close()
    set_by(HOURS)
    assert "expired" in refusal(shop, shop.token())
    set_by(0)
    shop.connect().close()
