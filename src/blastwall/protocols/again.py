"""What passes between session, gate and relay for an exchange whose answers stand: asked, granted, answered.

One object goes all the way, so that nothing else has to be made for a statement that is only one of many like it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from blastwall.model.statement import Statement
from blastwall.protocols.contract import Ask, Finished, Output, Repeat
from blastwall.protocols.standing import Standing
from blastwall.wire.native import Flag, Octets, Whole


class Again:
    """Statement `number`, which runs, is asked for again by `standing`, with `values`, or with another text.

    `opaque` says that some of the values are no text. Where literals differ that neither classification nor policy
    reads, `text` is the new one and `like` makes the statement that it is. A preparation may come with it: `parse` is
    its number, 0 where there is none, and `parsing` what it stands by.

    Once it is answered, `rows`, `affected` (below 0 where there is none) and `size`, bytes of rows, are what
    `Finished` would say, and `more` is what there is to carry out besides. Where more is to be said of its end than
    these numbers (an error, a status), `finished` says it.
    """

    __slots__ = (
        "affected",
        "finished",
        "like",
        "more",
        "number",
        "opaque",
        "parse",
        "parsing",
        "rows",
        "size",
        "standing",
        "text",
        "values",
    )

    def __init__(self, number: Whole, standing: Standing, values: tuple[str | bytes | None, ...] = ()) -> None:
        self.begin(number, standing, values)

    def begin(self, number: Whole, standing: Standing, values: tuple[str | bytes | None, ...]) -> None:
        """Begin anew, with nothing left of what was before."""
        self.number: Whole = number
        self.standing = standing
        self.values = values
        self.opaque: Flag = False
        self.text: str | None = None
        self.like: Callable[[], Statement] | None = None
        self.parse: Whole = 0
        self.parsing: Standing | None = None
        self.rows: Whole = 0
        self.affected: Whole = -1
        self.size: Whole = 0
        self.finished: Finished | None = None
        self.more: Sequence[Output] = ()

    def asks(self) -> list[Ask]:
        """The same, as the ordinary way asks it."""
        like = self.like() if self.like is not None else None
        asks = [Ask(self.number, Repeat(self.standing, self.values, like))]
        if self.parsing is not None:
            asks.insert(0, Ask(self.parse, Repeat(self.parsing)))
        return asks


class Repeating:
    """A session's short way, as `ProtocolSession` has it; who inherits is asked without a look-up by compiled twins.

    Of itself it repeats nothing.
    """

    __slots__ = ()

    def repeated(self, data: Octets) -> Again | None:
        """See `ProtocolSession.repeated`."""
        return None

    def granted(self) -> bytes | None:
        """See `ProtocolSession.granted`."""
        return None

    def answered(self, data: Octets) -> Again | None:
        """See `ProtocolSession.answered`."""
        return None
