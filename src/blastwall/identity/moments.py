"""The time by which tokens and passes have ended.

It is the wall clock's, but never earlier than what an issuer has signed: where a token was issued at T and its holder
showed it S seconds ago, it is T + S now at least. So a wall clock that is set back (by mistake, or by somebody who
holds an old token) makes no ended token or pass good again, and fresh ones go on being accepted.
"""

from __future__ import annotations

from collections.abc import Callable


class TokenTime:
    """Tells that time, in epoch seconds. `wall` may jump, `steady` never does."""

    def __init__(self, wall: Callable[[], float], steady: Callable[[], float]) -> None:
        self._wall = wall
        self._steady = steady
        self._ahead = float("-inf")

    def __call__(self) -> float:
        """Return the time."""
        return max(self._wall(), self._steady() + self._ahead)

    def learn(self, issued: float) -> None:
        """A token with this `iat` holds, so it is later than that.

        More than the wall clock says is not believed: an issuer whose clock is ahead must not end everybody's tokens.
        """
        self._ahead = max(self._ahead, min(issued, self._wall()) - self._steady())
