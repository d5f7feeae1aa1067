"""The map never outgrows its capacity, and forgets the least used first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blastwall.policy.recent import Recent


def test_what_is_used_stays() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)


def test_what_weighs_too_much_is_not_kept() -> None:
    recent: Recent[str, int] = Recent(10)
    recent.put("heavy", 1, weight=11)
    assert (recent.get("heavy"), len(recent)) == (None, 0)
    recent.put("light", 2, weight=10)
    assert recent.get("light") == 2


@given(st.lists(st.integers(1, 30), max_size=40))
def test_the_capacity_is_never_exceeded(weights: list[int]) -> None:
    recent: Recent[int, int] = Recent(40)
    for key, weight in enumerate(weights):
        recent.put(key, weight, weight)
        assert sum(recent.get(one) or 0 for one in range(key + 1)) <= 40
