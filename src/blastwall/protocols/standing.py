"""An answer that stands, as a session sees it: something that it was given with an `Allow`, and shows again."""

from __future__ import annotations


class Standing:
    """Made by the gate, opaque to a session, shown again in a `Repeat` or an `Again`."""

    __slots__ = ()
