"""What the requests of one client connection share: who it is, with what credential, and where outputs go."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from blastwall.model.credential import Credential
from blastwall.model.resource import Resource
from blastwall.protocols.contract import Opening, Output
from blastwall.protocols.http.flavour import Flavour


class Talk:
    """One session's facts. `proof` is the one that the gate accepted last, None before the login."""

    def __init__(self, opening: Opening, flavour: Flavour) -> None:
        self.opening = opening
        self.flavour = flavour
        self.out: list[Output] = []
        self.secure = opening.secured
        self.proof: bytes | None = None
        self.credential: Credential | None = None
        self.label = ""
        self._numbers: Iterator[int] = count(1)

    @property
    def resource(self) -> Resource:
        """What the client talks to."""
        return self.opening.resource

    def number(self) -> int:
        """Return the next question's number."""
        return next(self._numbers)

    def taken(self) -> list[Output]:
        """Return the outputs so far, and begin anew."""
        taken = self.out.copy()
        self.out.clear()
        return taken
