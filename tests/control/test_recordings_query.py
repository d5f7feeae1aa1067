"""Times as people write them."""

from __future__ import annotations

import pytest

from blastwall.control.recordings_query import parse_time

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2023-11-14", 1_699_920_000.0),
        ("2023-11-14T22:13:20", NOW),
        ("2023-11-14T23:13:20+01:00", NOW),
        ("30s", NOW - 30),
        ("2h", NOW - 7200),
        ("7d", NOW - 7 * 86400),
    ],
)
def test_times(text: str, at: float) -> None:
    assert parse_time(text, NOW) == at


@pytest.mark.parametrize("text", ["", "yesterday", "2h ago", "-3d", "99"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="write 2026-11-23"):
        parse_time(text, NOW)
