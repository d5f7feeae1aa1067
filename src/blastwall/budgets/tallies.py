"""What one account has spent: as the state knows it, and as this process has added since.

Windows begin at whole multiples of their length. What was spent in the window before counts by the part of it that a
window ending now would still reach back to; so nobody has the whole of two windows at their border. Where the clock was
set back, what was spent in the window that would come next counts too: that gives nobody a budget twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from blastwall.store.spending import Account, Amounts, Window

ZERO = Amounts()


class Tally:
    """One account's spending. `pending` is not yet in the state."""

    __slots__ = ("account", "known", "pending", "sending")

    def __init__(self, account: Account) -> None:
        self.account = account
        self.known = ZERO
        self.pending = [0] * len(ZERO)
        self.sending = [0] * len(ZERO)

    def add(self, place: int, amount: int) -> None:
        """Add to the amount at `place` of `Amounts`."""
        self.pending[place] += amount

    def used(self, place: int) -> float:
        """What is spent of the amount at `place`, as far as this process can know."""
        return self.known[place] + self.sending[place] + self.pending[place]

    def over(self, most: Amounts, places: Iterable[int]) -> int | None:
        """The first of `places` whose amount is above its bound."""
        return next((place for place in places if self.used(place) > most[place]), None)

    def take(self, now: float) -> tuple[Window, tuple[int, ...]] | None:
        """What is to be added to the state now, None where nothing is."""
        if not any(self.pending):
            return None
        for place, amount in enumerate(self.pending):
            self.sending[place] += amount
            self.pending[place] = 0
        return (self.account, start_of(self.account.period, now)), tuple(self.sending)

    def sent(self) -> None:
        """The state has it."""
        self.sending = [0] * len(ZERO)

    def failed(self) -> None:
        """The state could not take it."""
        for place, amount in enumerate(self.sending):
            self.pending[place] += amount
        self.sent()

    def learn(self, read: Mapping[Window, Amounts], now: float) -> None:
        """Take over what the state says."""
        period = self.account.period
        start = start_of(period, now)
        present = read.get((self.account, start), ZERO)
        before = read.get((self.account, start - period), ZERO)
        left = 1 - (now - start) / period
        ahead = read.get((self.account, start + period), ZERO)
        self.known = Amounts(
            *(new + old * left + next_ for new, old, next_ in zip(present, before, ahead, strict=True))
        )


def start_of(period: int, now: float) -> int:
    """When the window of this length began that `now` is in."""
    return int(now // period) * period
