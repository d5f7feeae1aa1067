"""A companion under play, at the scripted server."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from blastwall.model.credential import Credential
from blastwall.model.resource import Address, Resource, TlsMode
from blastwall.protocols.contract import (
    UPSTREAM,
    Answered,
    Close,
    Companion,
    Dial,
    Later,
    Limits,
    Opening,
    Output,
    Send,
)
from blastwall.protocols.tds.packets import Kind
from blastwall.protocols.tds.tests.server import TinyServer

RESOURCE = Resource("sql-prod", "mssql", Address("127.0.0.1", 1433, TlsMode.DISABLE), ("shop",))
CREDENTIAL = Credential("app", b"secret")


class Asking:
    """Carries a companion out. With `server.slow` its answers are fed by `go_on`."""

    def __init__(self, server: TinyServer, make: Callable[[Opening, Credential], Companion]) -> None:
        self.server = server
        self.companion = make(Opening("side connection", RESOURCE, bytes, Limits()), CREDENTIAL)
        self.answers: list[Answered] = []
        self.closed: str | None = None
        self.carry(self.companion.start())

    def carry(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            if isinstance(output, Answered):
                self.answers.append(output)
            elif isinstance(output, Later):
                self.carry(output.go_on())
            elif isinstance(output, Close):
                self.closed = output.reason
            elif isinstance(output, Send):
                answer = self.server.receive(output.to, bytes(output.span))
                if answer:
                    self.carry(self.companion.receive(UPSTREAM, answer))
            else:
                assert isinstance(output, Dial)

    def ask(self, question: Hashable, number: int = 0) -> None:
        self.carry(self.companion.look_up(number or len(self.answers) + 1, question))

    def go_on(self) -> None:
        """Feed what waits, until nothing does."""
        while self.server.late and self.closed is None:
            self.feed()

    def feed(self) -> None:
        """Feed one answer that waits."""
        late, self.server.late = self.server.late, b""
        self.carry(self.companion.receive(UPSTREAM, late))

    def times(self, text: str) -> int:
        """How often a batch was asked."""
        return [asked for kind, asked in self.server.requests if kind is Kind.BATCH].count(text)
