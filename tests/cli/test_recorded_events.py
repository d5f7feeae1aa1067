"""What people are told of recorded events."""

from __future__ import annotations

import pytest

from blastwall.cli.recorded_events import _session, values
from blastwall.model.events import LoginAsked


@pytest.mark.parametrize(
    ("user", "database", "said"),
    [("ci", "shop", "login as 'ci' to 'shop' with 'psql'"), ("", "", "login with 'psql'")],
)
def test_a_login_without_user_and_database_names_none(user: str, database: str, said: str) -> None:
    """Requests over HTTP show a token alone."""
    assert _session(LoginAsked(1_700_000_000.0, user, database, "psql")) == [said]


def test_no_value_passes_for_several_and_none_is_left_out() -> None:
    assert values(("5', '6",)) == ["  values: '5'', ''6'"]
    assert values(("1", None, "3"), ("int",)) == ["  values: int = '1', NULL, '3'"]
