"""Attentions: who asked for one, and what is owed. Each is acknowledged once, by a DONE with the attention bit.

Source: MS-TDS 2.2.1.7 "Attention" and 3.3.5.7: a server acknowledges one that comes after its request has ended too.
"""

from __future__ import annotations

from blastwall.protocols.contract import UPSTREAM, Output, Send
from blastwall.protocols.tds.packets import Kind, framed

ATTENTION = framed(Kind.ATTENTION, b"", 512)


class Attention:
    """`owed`: the resource has not acknowledged one that it was sent. `asked`: nor has the client got its own's.

    Where the resource owes one that the client has not asked for, the gateway stopped the request.
    """

    __slots__ = ("asked", "owed")

    def __init__(self) -> None:
        self.owed = self.asked = False

    def send(self, outputs: list[Output]) -> None:
        """Stop what the resource does; at most one attention is under way."""
        if not self.owed:
            self.owed = True
            outputs.append(Send(UPSTREAM, ATTENTION))

    def acknowledged(self) -> None:
        """The resource has acknowledged it; the client, if it asked, hears so with the same DONE."""
        self.owed = self.asked = False
