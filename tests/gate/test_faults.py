"""What the log says of a fault."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs
from tests.gate.fakes import World, a_statement

from blastwall.gate.faults import described


def test_a_fault_is_described_by_kind_and_place_alone() -> None:
    with pytest.raises(ValueError, match="hunter2") as caught:
        int("password 'hunter2'")
    text = described(caught.value)
    assert text.startswith("ValueError at ")
    assert "test_faults.py" in text
    assert "hunter2" not in text


async def test_what_goes_wrong_with_a_statement_is_logged_without_its_text() -> None:
    world = World()
    talk = await world.logged_in()
    world.masking.error = RuntimeError("cannot redact: alter role x password 'hunter2'")
    with capture_logs() as logs:
        talk.ask(2, a_statement("alter role x password 'hunter2'"))
    assert [line["event"] for line in logs] == ["statement_failed"]
    assert "hunter2" not in repr(logs)
