"""A server of the tests' own that takes messages as Slack, Teams and services of one's own do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.api_server import ApiServer, api_server

from blastwall.model.told import Told, Topic


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server(tmp_path) as api:
        yield api


def told(**changes: object) -> Told:
    given: dict[str, object] = {
        "topic": Topic.APPROVAL,
        "id": "a1",
        "title": "ci wants to delete at pg-prod",
        "facts": (("who", "agent ci"), ("reason", "clean-up")),
        "text": "DELETE FROM orders WHERE id = 1",
        "resource": "pg-prod",
        "link": "#/approvals/a1",
        "who": "agent ci",
        **changes,
    }
    return Told(**given)  # type: ignore[arg-type]  # of the test's own making
