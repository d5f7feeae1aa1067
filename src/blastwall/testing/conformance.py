"""What every protocol must keep, checked over every folder of `protocols/` by itself.

A folder takes part by `tests/specimens.py`, which exports `SPECIMENS`. The suite is `tests/test_conformance.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from blastwall import protocols
from blastwall.protocols.contract import Admit, Lookup, ProtocolSession
from blastwall.testing.playbook import Peer


@dataclass(frozen=True, slots=True)
class Exchange:
    """One thing that a client asks for: its bytes, and a part of them that is nowhere else (a name, a literal).

    `word` is that part as text, where the protocol writes text otherwise than in UTF-8.
    """

    sent: bytes
    marker: bytes
    word: str = ""

    @property
    def text(self) -> str:
        """The part as text."""
        return self.word or self.marker.decode()


class Specimens(Protocol):
    """What a protocol shows of itself to the suite."""

    @property
    def admit(self) -> Admit:
        """The gate's answer to the login."""

    @property
    def login(self) -> bytes:
        """What a client sends until it is let in, over a plain connection; a statement in it is allowed."""

    @property
    def exchanges(self) -> Mapping[str, Exchange]:
        """Statements in every position that the protocol knows, by a name for the test's report."""

    @property
    def after_refusal(self) -> Exchange:
        """A statement that must work after any refusal."""

    @property
    def pipelined(self) -> tuple[Exchange, Exchange]:
        """Two statements sent at once, of which the second is refused."""

    @property
    def unreadable(self) -> Sequence[bytes]:
        """Bytes after the login that no session may pass on."""

    @property
    def unreadable_start(self) -> Sequence[bytes]:
        """Bytes instead of a login that no session may pass on."""

    @property
    def oversized(self) -> Exchange:
        """A statement over `Limits.statement`."""

    @property
    def goodbye(self) -> bytes:
        """What a client sends to end its session."""

    @property
    def injects(self) -> bool:
        """Whether a denial has the gateway send a statement of its own."""

    @property
    def tries_again(self) -> bool:
        """Whether a client may show another proof on the connection on which one was refused."""

    def session(self) -> ProtocolSession: ...

    def written(self, text: str) -> bytes:
        """How a text that the client is told stands in the protocol's bytes."""

    def forwarded(self, sent: bytes) -> bytes:
        """What the resource gets of an exchange's bytes: the same, unless the gateway writes its framing anew."""

    def warm_session(self) -> ProtocolSession | None:
        """A session whose opening says `warm`; None where the protocol never parks."""

    def server(self) -> Peer: ...

    def look_up(self, lookup: Lookup) -> object: ...

    def refusals(self, to_client: bytes) -> int:
        """How many refusals the bytes to a client hold."""

    def answers(self, to_client: bytes) -> Sequence[str]:
        """The answers that a client reads, in order: "refused", or the answer's own word."""


def specimens() -> Iterator[tuple[str, Specimens]]:
    """Every folder's specimens; a folder without them fails."""
    for module in iter_modules(protocols.__path__):
        if module.ispkg:
            package = f"{protocols.__name__}.{module.name}"
            yield module.name, cast("Specimens", import_module(f"{package}.tests.specimens").SPECIMENS)
