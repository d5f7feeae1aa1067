from __future__ import annotations

import pytest
from bench.classifying import _CATALOG, _STATE, TEXTS, measure

from blastwall.sql.postgres import Texts, facts


@pytest.mark.parametrize("name", TEXTS)
def test_its_texts_are_new_ones_of_one_shape(name: str) -> None:
    texts, text = Texts(), TEXTS[name]
    texts.classify(text(1), _CATALOG, _STATE, facts(_STATE))
    assert text(2) != text(33333)
    assert texts.find(text(33333), facts(_STATE)) is not None


def test_it_measures_each() -> None:
    found = measure(rounds=1)
    assert found.keys() == TEXTS.keys()
    assert all(ratio > 0 for ratios in found.values() for ratio in ratios.values())
