"""The contract between a protocol and the gateway: bytes and answers in, outputs out.

A protocol's session owns no socket, clock, logger or policy. The relay feeds it bytes; it returns outputs, which the
relay carries out in their order. What a client asks for is raised as an `Ask` and waits inside the session until the
gate's answer arrives by `answer`, so that the bytes that were inspected are the bytes that are forwarded.

    client bytes ─▶ receive(CLIENT)  ─▶ Ask(Login) ──▶ gate ──▶ answer(Admit) ─▶ Dial, handshakes
    client bytes ─▶ receive(CLIENT)  ─▶ Ask(Statement) ▶ gate ▶ answer(Allow) ─▶ Send(UPSTREAM)
                                                              ▶ answer(Deny)  ─▶ Send(CLIENT): a native refusal
    server bytes ─▶ receive(UPSTREAM) ─▶ Send(CLIENT), Finished

Rules that the conformance suite checks over every folder:

* no byte of an unanswered or denied statement is in a `Send` to an upstream;
* outputs, adjacent Sends to one side joined, do not depend on how the bytes were chunked;
* unreadable or oversized input gives `Close`, and nothing is sent after it;
* after a refusal the next statement works, and a refusal never overtakes earlier pipelined replies;
* a connection is parked only by a session that its client has ended, and a denied statement's never;
* a session's buffers are bounded: `backlog` tells the relay when to stop reading.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NewType, Protocol

import msgspec
from msgspec import Struct

from blastwall.model.credential import Credential
from blastwall.model.masks import NO_MASKS, MaskRules, ResultRecord
from blastwall.model.resource import Address, Resource
from blastwall.model.ruling import NONE, Obligations
from blastwall.model.statement import Statement
from blastwall.protocols.standing import Standing

if TYPE_CHECKING:
    from blastwall.protocols.again import Again

Side = NewType("Side", int)
"""One end of a session: the client, or an upstream connection that the session dialled."""

CLIENT = Side(0)
UPSTREAM = Side(1)
"""The first upstream. A session may dial more: `Side(2)` and up (a cancel request, TDS routing, HTTP hosts)."""


# ── asked of the gate ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Login:
    """A client's claim to be let in. `proof` is a token or pass; `target` the database (or its like) asked for."""

    user: str
    proof: bytes = field(repr=False)
    target: str
    application: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a request proves itself with, where each carries a proof and this one is not the one accepted last.

    Asked after a login was admitted, by a kind that `proves_each`. `Admit` brings the credential of now: what carries
    this proof is the session's. `Stranger` says that it is somebody else's, `Deny` that the proof does not hold.
    """

    proof: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Renewal:
    """The resource takes the credential no more, or asks for these `claims` in it: it is wanted anew.

    Answered by `Admit` or, where there is none to be had, `Deny`.
    """

    claims: str = field(default="", repr=False)


class Repeat(Struct, frozen=True):
    """The statement that `standing` was given for, again, in the same state of the session, with these bind values.

    `like` is set where its text is another one: of the same operation and effects, in which only literals differ that
    neither classification nor policy reads. The gate answers as to a whole statement, or with `AskWhole` where the
    answer does not stand any more.
    """

    standing: Standing
    values: tuple[str | bytes | None, ...] = ()
    like: Statement | None = None


class Ask(Struct, frozen=True):
    """A question that the gate answers by its `number`; numbers rise within a session."""

    number: int
    question: Login | Proof | Renewal | Statement | Repeat


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The client cancelled or left: no answer to this number is wanted any more."""

    number: int


# ── the gate's answers ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Admit:
    """The login stands. `label` names agent and session for the resource's own logs (application_name or its like)."""

    upstream: Credential
    label: str = ""


@dataclass(frozen=True, slots=True)
class Allow:
    """The statement may be sent, its results masked by `mask`.

    Where there is a `standing`, the same statement may be asked for again by it. `record` asks for `Rows`. `upstream`
    is the credential from now on, where it has changed: this statement and those after it are sent with it.
    """

    mask: MaskRules = NO_MASKS
    obligations: Obligations = NONE
    standing: Standing | None = field(default=None, compare=False)
    record: ResultRecord | None = None
    upstream: Credential | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """The statement waits for a person; `notice` tells the client why. Another answer follows."""

    notice: str


@dataclass(frozen=True, slots=True)
class Deny:
    """Refused. `reason` is said to the client in its own protocol; `retry` where the same may be allowed later.

    `fault` is set where it is the gateway's own trouble, and neither policy nor the client is to blame.
    """

    reason: str
    retry: bool = False
    fault: bool = False


@dataclass(frozen=True, slots=True)
class AskWhole:
    """What a `Repeat` asked for must be asked as a whole statement: its number is void."""


@dataclass(frozen=True, slots=True)
class Stranger:
    """The proof holds, and is another principal's: what it comes with belongs in a session of its own (`Handover`)."""


@dataclass(frozen=True, slots=True)
class Unproven:
    """Refused, since the proof that was accepted last has ended: the client must show a new one. `reason` says so."""

    reason: str


Answer = Admit | Allow | Held | Deny | AskWhole | Stranger | Unproven


# ── carried out by the relay ─────────────────────────────────────────────────────────────────────────────────────────


class Send(Struct, frozen=True):
    """Write `span` to `to`. A memoryview is valid until the next call into the session."""

    to: Side
    span: bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect `upstream` to `target`. Sends to it wait until then; `dial_failed` is called if it cannot be.

    An `upstream` that is dialled already is hung up on first. `of` is how many targets are tried in turn: each gets its
    share of the time. What is `brief` passes a word on and is closed by the resource: where that takes longer than
    connecting may, `receive_eof` is called as if it had been.
    """

    upstream: Side
    target: Address
    of: int = 1
    brief: bool = False


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take over a parked connection of this likeness as `upstream`; `adopted` is called with what came of it.

    The relay gives only what a session of the same principal, resource and credential has parked.
    """

    upstream: Side
    likeness: Hashable


@dataclass(frozen=True, slots=True)
class Park:
    """Leave `upstream`, which is again as it was after its login, to a later session that asks for this likeness.

    That session gets `state` by `adopted`. `farewell` is sent where the connection is closed instead. `place` is what
    it keeps others from meanwhile, as `Vacate` has it. Only a session whose `Opening.warm` is set may park, and `Close`
    follows.
    """

    upstream: Side
    likeness: Hashable
    state: object = field(repr=False)
    farewell: bytes = b""
    place: str = ""


class Wrapping(Protocol):
    """How a protocol carries TLS's handshake inside messages of its own. Made anew for each `StartTls`.

    From the handshake's last byte on, each way, TLS goes bare.
    """

    def wrap(self, handshake: bytes) -> bytes:
        """Put bytes of TLS's handshake into messages."""

    def unwrap(self, data: bytes) -> bytes | None:
        """Take `data`, and return what the next whole message carries; None where none is whole.

        Raises:
            Malformed: something else than such a message.
        """

    def rest(self) -> bytes:
        """Take what came after the last message that was unwrapped."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """Turn a side's stream into TLS: as server towards the client, as client (by `Address.tls`) towards an upstream.

    `initial` are bytes that already arrived and belong to the TLS handshake (a protocol that starts with a
    ClientHello). The session has made sure that nothing else was buffered. With `wrapping` the handshake goes inside
    the protocol's own messages, and is TLS 1.2's: what TLS 1.3 sends after it would no longer be part of it.
    """

    side: Side
    alpn: tuple[str, ...] = ()
    initial: bytes = b""
    wrapping: Wrapping | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Hangup:
    """Flush and close one side; the session goes on."""

    side: Side


@dataclass(frozen=True, slots=True)
class Claim:
    """From now on `Interrupt(handle)` from any connection of this resource reaches this session."""

    handle: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Call `interrupted` on the session that claimed `handle`; unknown handles are ignored without a word."""

    handle: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lookup:
    """Ask the side connection named `companion` (shared by a resource's sessions); `looked_up` brings its reply."""

    number: int
    companion: str
    question: Hashable


@dataclass(frozen=True, slots=True)
class Vacate:
    """Leave `place` (a database, or its like), which what follows can have only while nobody else is connected to it.

    Parked connections there end at once, companions as soon as they owe no answer, on the whole node; what is opened
    later may come back. Connections of sessions stay.
    """

    place: str


@dataclass(frozen=True, slots=True)
class Isolate:
    """Have `task(context)` worked out in a process of its own: it may take long, or crash what works it out.

    Both are pickled; a context goes to a process once, as long as it is the same object. `looked_up` brings the bytes
    that the task returned, or an exception whose text says why there are none. `Withdraw` gives it up.
    """

    number: int
    task: Callable[[object], bytes]
    context: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class Admitted:
    """Both handshakes are done: the handshake deadline no longer applies."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Statement `number` was answered with a refusal although it was allowed (masking, limits): recorded as such."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Exceeded:
    """Statement `number` went over a row limit of policy's, "rows" or "affected", and was undone; `Finished` follows.

    `most` is the limit, `told` what the client hears.
    """

    number: int
    limit: str
    most: int
    told: str


@dataclass(frozen=True, slots=True)
class Injected:
    """A statement of the gateway's own is in the Send that follows, for the sake of statement `number`."""

    number: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Streamed:
    """So much of the answer to statement `number` has been sent so far. Said now and then, and at a session's end."""

    number: int
    rows: int
    bytes: int
    masked: int


class Rows(Struct, frozen=True):
    """Rows of statement `number` for the recording, as `Allow.record` asked: several may come, all before `Finished`.

    How many come in one depends on how the resource's bytes arrive. A value is text, None where there is none.
    """

    number: int
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


class Finished(Struct, frozen=True):
    """The resource's answer to statement `number` ended. `masked` counts hidden cells by rule name.

    `status` is how the protocol itself says what came of it ("403 Forbidden"), where it has words for that.
    """

    number: int
    rows: int
    affected: int | None
    bytes: int
    error: str | None = None
    masked: Mapping[str, int] = msgspec.field(default_factory=dict)
    status: str = ""


@dataclass(frozen=True, slots=True)
class Close:
    """End the session: flush what was sent before, close every side. Nothing follows it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Handover:
    """End the session; the client's connection goes on with a new one, of the resource that clients reach by `name`.

    `name` must be one that `Opening.reached` (or `Arrival.reached`) knows. The new session is fed `data` first: what
    came from the client and no session has taken. TLS stays as it is; what was sent to the client before is sent.
    Nothing follows it.
    """

    name: str
    data: bytes = field(repr=False)
    reason: str = "the client went on to another session"


@dataclass(frozen=True, slots=True)
class Answered:
    """A companion's reply to a `Lookup`; an exception as reply means that it could not be had."""

    number: int
    reply: object


@dataclass(frozen=True, slots=True)
class Later:
    """A companion has more to do: call `go_on` in the loop's next turn, and carry out what it returns."""

    go_on: Callable[[], Sequence[Output]]


Output = (
    Ask
    | Withdraw
    | Send
    | Dial
    | Adopt
    | Park
    | StartTls
    | Hangup
    | Claim
    | Interrupt
    | Lookup
    | Vacate
    | Isolate
    | Admitted
    | Refused
    | Exceeded
    | Injected
    | Streamed
    | Rows
    | Finished
    | Close
    | Handover
    | Answered
    | Later
)


# ── what a session is opened with, and what it must do ────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, depths in levels. `statement` is refused with a native error, `message` closes the connection."""

    startup: int = 16 * 1024
    message: int = 64 << 20
    statement: int = 1 << 20
    backlog: int = 4 << 20


def _nowhere(_name: str) -> str:
    """Nobody is reached by a name."""
    return ""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a session is opened with.

    `entropy(n)` returns n unguessable bytes (injected, so that a conversation can be replayed in a test).
    `plain_text` allows a client without TLS: set only for a loopback listener whose configuration says so.
    `warm` says that connections may be parked and adopted; a protocol that never does may ignore it.
    `full` says why nobody is let in now: the session tells its client so, in its protocol, and ends.
    `secured` says that the client's TLS is up already, with the application protocol `alpn`.
    `reached(name)` says what clients reach by a host name on this port now: the name of this session's resource, any
    other text where another session must go on (`Handover`: another resource, or this one configured anew), or "".
    `alone` says that every session of the resource on this node is in this process: what one of them is about to change
    can be told to the others.
    """

    session: str
    resource: Resource
    entropy: Callable[[int], bytes] = field(repr=False)
    limits: Limits = Limits()
    plain_text: bool = False
    warm: bool = False
    full: str = ""
    secured: bool = False
    alpn: str | None = None
    reached: Callable[[str], str] = field(default=_nowhere, repr=False)
    alone: bool = True


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the reception of a client is opened with, where several resources share a port. See `Opening`."""

    reached: Callable[[str], str] = field(repr=False)
    limits: Limits = Limits()
    plain_text: bool = False


class Reception(Protocol):
    """A client at a port that several resources share, until it has said which of them it wants.

    Gives `Send`, `StartTls`, `Handover` and `Close`, all for `CLIENT`. It is bounded by the limits of a login.
    """

    def receive(self, side: Side, data: bytes) -> Sequence[Output]: ...

    def receive_eof(self, side: Side) -> Sequence[Output]: ...

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> Sequence[Output]: ...

    def terminate(self, reason: str) -> Sequence[Output]:
        """Tell the client, in its protocol, that the gateway ends the connection, and `Close`."""


class ProtocolSession(Protocol):
    """One client connection. Never waits, never touches a socket, a clock or a logger."""

    def backlog(self, side: Side) -> int:
        """Bytes of a side's that wait inside for an answer; above `Limits.backlog` the relay stops reading it."""

    @property
    def idle(self) -> bool:
        """Whether no statement is under way and no transaction is open: a drain may end the session now."""

    def receive(self, side: Side, data: bytes) -> Sequence[Output]: ...

    def repeated(self, data: bytes) -> Again | None:
        """Take the client's bytes where they are, whole, one exchange whose answers stand; return what it asks.

        Where it is allowed, `granted` is called; where it is not, or something else came between, `answer` is, for
        each of its numbers. None: nothing was taken, the bytes go to `receive`.
        """

    def granted(self) -> bytes | None:
        """Return what goes to `UPSTREAM`, now that all is allowed that `repeated` has asked.

        None: something came between, so each must be told by `answer`.
        """

    def answered(self, data: bytes) -> Again | None:
        """Take the resource's bytes where they are, whole, the plain answer to what was granted; return what it gave.

        Nothing is hidden in it: the bytes pass to the client as they are. None: nothing was taken, they go to
        `receive`.
        """

    def receive_eof(self, side: Side) -> Sequence[Output]: ...

    def dial_failed(self, side: Side, reason: str) -> Sequence[Output]: ...

    def adopted(self, side: Side, state: object) -> Sequence[Output]:
        """Answer to `Adopt`: the state of the connection that `side` is now, None where there is none to be had."""

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> Sequence[Output]:
        """TLS is up on `side`; `certificate` is the peer's in DER, empty where it showed none."""

    def answer(self, number: int, answer: Answer) -> Sequence[Output]: ...

    def looked_up(self, number: int, reply: object) -> Sequence[Output]:
        """Take the reply to a `Lookup` or an `Isolate`; an exception means that there is none."""

    def interrupted(self, reason: str = "") -> Sequence[Output]:
        """Stop the statement under way; the session goes on.

        Without a `reason` another connection presented the handle that this session claimed; with one the gateway
        stops it, and the client hears why.
        """

    def reconsider(self) -> Sequence[Output]:
        """Policy changed: what was allowed but not yet executed must be asked again."""

    def terminate(self, reason: str) -> Sequence[Output]:
        """Tell the client, in its protocol, that the gateway ends the session, and hang up on it.

        `Close` comes at once, or after a last word to the resource (a cancel), for which the relay waits a little.
        """


class Companion(Protocol):
    """A protocol's own side connection to a resource, shared by its sessions. Sends, dials and TLS as in a session."""

    @property
    def place(self) -> str:
        """What it keeps others from while it is connected, as `Vacate` has it; "" for nothing."""

    @property
    def again(self) -> Hashable | None:
        """What it is asked again every few seconds, since sessions go by its answer; None for nothing."""

    def start(self) -> Sequence[Output]: ...

    def receive(self, side: Side, data: bytes) -> Sequence[Output]: ...

    def receive_eof(self, side: Side) -> Sequence[Output]: ...

    def dial_failed(self, side: Side, reason: str) -> Sequence[Output]: ...

    def tls_started(self, side: Side, alpn: str | None, certificate: bytes) -> Sequence[Output]: ...

    def look_up(self, number: int, question: Hashable) -> Sequence[Output]:
        """Answer with `Answered(number, …)` now or later; several may be under way."""
