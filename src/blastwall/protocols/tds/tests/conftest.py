"""Fixtures of the dialogues."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blastwall.protocols.tds.tests.talking import meaning


@pytest.fixture
def meant() -> Iterator[None]:
    """Texts mean what `talking` says, whatever a classifier would make of them."""
    with meaning():
        yield
