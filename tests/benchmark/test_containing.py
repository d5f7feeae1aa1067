"""Containment ends many sessions at once: as the benchmark measures it, with a limit that a busy machine keeps."""

from __future__ import annotations

import pytest
from bench.containing import measure
from tests.waiting import promised

from blastwall.testing.servers import ServerMissing


def test_all_sessions_of_an_agent_end_together() -> None:
    try:
        [ended] = measure(40, 1)
    except ServerMissing as missing:
        pytest.skip(str(missing))
    assert ended.count == 40
    assert ended.first <= ended.median <= ended.last < promised(5)
