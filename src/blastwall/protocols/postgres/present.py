"""What the sessions of one database look at before each repetition: whether all is as it was.

One object for all of them, that compiled twins read without asking anybody.
"""

from __future__ import annotations

from blastwall.wire.native import Flag


class Present:
    """`mark` is that of the newest reading of the catalog; `quiet` says that no session changes what it says.

    A session that vanishes without a word leaves it unsaid that all is quiet again: then it is looked for each time.
    """

    __slots__ = ("mark", "quiet")

    def __init__(self) -> None:
        self.mark: object = None
        self.quiet: Flag = True
