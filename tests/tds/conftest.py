"""The TDS server and a gateway before it, shared by a module's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.tds.world import World, running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("tds") / "gateway") as world:
        yield world
