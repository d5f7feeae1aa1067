"""Cancel handles."""

from __future__ import annotations

from blastwall.relay.interrupts import Interrupts


def test_a_handle_reaches_the_first_that_claimed_it() -> None:
    interrupts, called = Interrupts(lambda _: None), list[str]()

    def first() -> None:
        called.append("first")

    def second() -> None:
        called.append("second")

    assert interrupts.claim(b"h", first)
    assert not interrupts.claim(b"h", second)
    interrupts.interrupt(b"h")
    interrupts.interrupt(b"other")
    interrupts.release(b"h")
    interrupts.interrupt(b"h")
    assert called == ["first"]
