"""What the requests of one client connection share: who it is, with what credential, and where outputs go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from blastwall.model.credential import Credential
from blastwall.model.resource import Resource
from blastwall.model.statement import Statement
from blastwall.protocols.contract import Opening, Output
from blastwall.protocols.http.arriving import Arrived
from blastwall.protocols.http.flavour import Flavour
from blastwall.protocols.standing import Standing

_MOST_STANDING = 128
_MOST_KNOWN = 32
_LONGEST = 4096


class StandingAnswers:
    """The answers that stand, by the text of the statement that each was given for."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Statement, Standing]] = {}

    def of(self, statement: Statement) -> Standing | None:
        """Return the answer that stands for a statement; None where it must be asked for."""
        known = self._known.get(statement.text)
        return known[1] if known is not None and known[0] == statement else None

    def remember(self, statement: Statement, standing: Standing) -> None:
        """Keep an answer, unless its statement is long, or has values besides its text."""
        if statement.parameters or len(statement.text) > _LONGEST:
            return
        if len(self._known) >= _MOST_STANDING:
            self._known.clear()
        self._known[statement.text] = (statement, standing)

    def forget(self, statement: Statement) -> None:
        """It does not stand any more."""
        self._known.pop(statement.text, None)


@dataclass(frozen=True, slots=True)
class Known:
    """A request without a body that came before: as it came, as it was judged, and as it was sent."""

    arrived: Arrived
    host: str
    statement: Statement
    standing: Standing
    head: bytes = field(repr=False)


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
        self.standing = StandingAnswers()
        self.known: dict[bytes, Known] = {}
        """Requests that came again and whose answer stands, by their bytes: of this proof and credential."""
        self._numbers: Iterator[int] = count(1)
        self._turns: Iterator[int] = count(1)

    @property
    def resource(self) -> Resource:
        """What the client talks to."""
        return self.opening.resource

    def prove(self, proof: bytes | None, credential: Credential) -> None:
        """The gate has accepted a proof."""
        self.proof = proof
        self.renew(credential)

    def renew(self, credential: Credential) -> None:
        """Requests are sent with this credential from now on."""
        self.credential = credential
        self.known.clear()

    def learn(self, known: Known) -> None:
        """Keep a request, unless it is long."""
        if len(known.arrived.raw) > _LONGEST:
            return
        if len(self.known) >= _MOST_KNOWN:
            self.known.clear()
        self.known[known.arrived.raw] = known

    def number(self) -> int:
        """Return the next question's number."""
        return next(self._numbers)

    def turn(self) -> int:
        """Return which request is to be sent now, counted from 1 on."""
        return next(self._turns)

    def taken(self) -> list[Output]:
        """Return the outputs so far, and begin anew."""
        taken = self.out.copy()
        self.out.clear()
        return taken
