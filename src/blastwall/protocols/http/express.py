"""What a client asks for again, byte for byte, while nothing else is under way: it passes without being read anew.

Its proof is the session's, its answer stands with the gate, and what is sent for it is known. Whatever is not as plain
as that (another answer of the gate's, an answer of the resource's that is cut, changed or refused) lands: it goes the
ordinary way from where it is.
"""

from __future__ import annotations

from collections.abc import Callable

from blastwall.protocols.again import Again
from blastwall.protocols.contract import Finished
from blastwall.protocols.http.fields import passed_back, verbatim
from blastwall.protocols.http.sending import status_of
from blastwall.protocols.http.talk import Known, Talk
from blastwall.protocols.http.upstream import Upstream


class Express:
    """One session's. `flying` is what is under way, with what passes of it; `sent` whether the resource has it."""

    def __init__(self, talk: Talk, upstream: Upstream, reached: Callable[[str], str]) -> None:
        self._talk = talk
        self._upstream = upstream
        self._reached = reached
        self.flying: tuple[Known, Again] | None = None
        self.sent = False

    def ask(self, data: bytes) -> Again | None:
        """See `ProtocolSession.repeated`."""
        talk = self._talk
        known = talk.known.get(data)
        if known is None or not self._upstream.resting or self._reached(known.host) != talk.resource.name:
            return None
        again = Again(talk.number(), known.standing)
        self.flying, self.sent = (known, again), False
        return again

    def send(self) -> bytes | None:
        """See `ProtocolSession.granted`."""
        if self.flying is None or not self._upstream.resting:
            return None
        self.sent = True
        self._upstream.launch()
        return self.flying[0].head

    def answer(self, data: bytes) -> Again | None:
        """See `ProtocolSession.answered`."""
        if self.flying is None or not self.sent:
            return None
        known, again = self.flying
        request, talk = known.arrived.request, self._talk
        plain = self._upstream.plain_answer(request.method, data)
        if plain is None:
            return None
        head, size = plain
        back = passed_back(head.headers)
        answer = talk.flavour.answered(request, talk.resource, head.status, back)
        if answer.refused or answer.edits or answer.renew is not None or answer.headers != back:
            return None
        if not verbatim(head.headers, back):
            return None
        self.flying = None
        self._upstream.rest()
        status = status_of(head)
        error = status if head.status >= 400 else None
        again.finished = Finished(again.number, 0, None, size, error, status=status)
        return again
