"""Keys as JSON writes them, followed along the paths of rules and edits."""

from __future__ import annotations

from blastwall.masking import jsontext
from blastwall.masking.paths import Paths

NOTHING, HIDE, EDIT = 0, 1, 2
MOST_SIZE = 63
_MOST, _REMEMBERED = 4096, 256
"""So many keys of each state are remembered, of so many bytes."""


class Keys:
    """What a value's path asks for, by its state, and the way from one state to the next.

    `acts` says what is done with a value: nothing, hide it, or edit it. The first `rules` paths are those of rules.
    `sizes` says for each state how long the names are that matter there (at `MOST_SIZE` all that are longer, too): a
    key of ASCII without escapes that has another length leads to where elements do.
    """

    def __init__(self, paths: Paths, rules: int) -> None:
        self.paths = paths
        self.rules = rules
        self.acts = bytearray()
        self.known: list[dict[bytes, int]] = []
        self.elements: list[int] = []
        self.sizes: list[bytes] = []
        self.learn(paths.row)

    def learn(self, state: int) -> int:
        """See to it that what is asked for in `state` is known; return it."""
        while len(self.acts) <= state:
            reached = self.paths.reached(len(self.acts))
            self.acts.append(HIDE if reached and reached[0] < self.rules else EDIT if reached else NOTHING)
            self.known.append({})
            self.elements.append(-1)
            sizes = {min(len(name), MOST_SIZE) for name in self.paths.names(len(self.acts) - 1)}
            self.sizes.append(bytes(size in sizes for size in range(MOST_SIZE + 1)))
        return state

    def member(self, state: int, raw: bytes) -> int:
        """Return the state of the member whose key is written so between its quotes.

        Raises:
            TooEntangled: there would be too many states.
        """
        known = self.known[state]
        found = known.get(raw)
        if found is None:
            name = jsontext.unquote('"' + raw.decode("utf-8", "replace") + '"')
            found = self.learn(self.paths.member(state, name))
            if len(known) < _MOST and len(raw) <= _REMEMBERED:
                known[raw] = found
        return found

    def element(self, state: int) -> int:
        """Return the state of an array's elements.

        Raises:
            TooEntangled: there would be too many states.
        """
        found = self.elements[state]
        if found < 0:
            found = self.elements[state] = self.learn(self.paths.element(state))
        return found
