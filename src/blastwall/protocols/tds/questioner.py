"""A TDS client of the gateway's own: it logs in as a session does, and asks one batch after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable

from blastwall.model.credential import Credential
from blastwall.protocols.contract import UPSTREAM, Opening, Output, Side
from blastwall.protocols.reaching import HandshakeFailed
from blastwall.protocols.tds import answer_reading
from blastwall.protocols.tds.answer_reading import AnswerReader, Reply
from blastwall.protocols.tds.hosts import ServerLogin
from blastwall.protocols.tds.login_wishes import Wish
from blastwall.wire.reader import Malformed

FAULTS = (Malformed, ValueError, IndexError, KeyError)
"""What is raised where an answer is not of the form that was asked for."""


class Questioner(ABC):
    """What companions have in common. `label` is how it is called in the resource's own views."""

    def __init__(
        self, opening: Opening, credential: Credential, database: str, label: str, *, hosts: tuple[int, ...] = ()
    ) -> None:
        self._database = database
        self._server = ServerLogin(UPSTREAM, opening.resource, credential, Wish(database, label), hosts=hosts)
        self._reader = AnswerReader()

    @abstractmethod
    def over(self, reply: Reply) -> list[Output]:
        """The answer to a batch has ended, with an error where the server would not answer; the login's is the first.

        Raises:
            Malformed, ValueError, IndexError, KeyError: the answer is not of the form that was asked for.
        """

    @abstractmethod
    def fail(self, reason: str, told: str = "") -> list[Output]:
        """The server cannot be asked any more; `told` is what of the reason a client may hear."""

    def ask(self, text: str) -> Output:
        """Return what asks a batch."""
        return answer_reading.ask(UPSTREAM, text, self._server.welcome.packet_size)

    @property
    def place(self) -> str:
        return self._database

    @property
    def again(self) -> Hashable | None:
        """Nothing."""
        return None

    def start(self) -> list[Output]:
        return self._server.start()

    def receive(self, side: Side, data: bytes) -> list[Output]:
        try:
            if not self._server.ready:
                outputs = self._server.receive(data)
                return outputs + self.over(Reply()) if self._server.ready else outputs
            return self._take(data)
        except HandshakeFailed as failure:
            return self.fail(str(failure), failure.told)
        except FAULTS as error:
            return self.fail(str(error))

    def _take(self, data: bytes) -> list[Output]:
        self._reader.feed(data)
        outputs: list[Output] = []
        while (reply := self._reader.take()) is not None:
            outputs += self.over(reply)
        return outputs

    def receive_eof(self, side: Side) -> list[Output]:
        return self._lost("the connection was lost", "")

    def dial_failed(self, side: Side, reason: str) -> list[Output]:
        return self._lost(reason, reason)

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> list[Output]:
        try:
            return self._server.tls_started(alpn)
        except HandshakeFailed as failure:
            return self.fail(str(failure), failure.told)

    def _lost(self, reason: str, told: str) -> list[Output]:
        """Go on to the next host, where there is one and none was ready."""
        if self._server.ready:
            return self.fail(reason, told)
        try:
            return self._server.failed(reason)
        except HandshakeFailed as failure:
            return self.fail(str(failure), failure.told if told else "")
