"""A gateway before a small Azure, shared by a module's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.azure.world import World, names_resolve, running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with names_resolve(), running(tmp_path_factory.mktemp("azure")) as world:
        yield world
