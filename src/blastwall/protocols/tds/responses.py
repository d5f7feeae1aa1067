"""The server's half of an admitted session: its replies pass as they came, and only what must be read is read.

Every token belongs to the request that was sent last, since TDS without MARS has one under way. A reply that nobody
asked for closes the session, and so does whatever a reply may not hold: a routing, a login's answer, COMPUTE's rows.
Rows that nobody has to read are counted by their lengths and passed, even before they are whole.

Where the gateway stops a request (over its limit of rows, or ended by somebody), the resource gets an attention, and
the client an error where the resource acknowledges it: transactions are then what the resource says they are.
"""

from __future__ import annotations

from blastwall.protocols.contract import CLIENT, Exceeded, Output, Send, Streamed
from blastwall.protocols.tds.answers import done, error, notice, return_status
from blastwall.protocols.tds.conversation import Conversation
from blastwall.protocols.tds.denial import LIMIT, STOPPED
from blastwall.protocols.tds.plain_answers import Shown
from blastwall.protocols.tds.reply_writer import ReplyWriter
from blastwall.protocols.tds.results import Results, count
from blastwall.protocols.tds.returned import masked_value
from blastwall.protocols.tds.running import Asked, Audience, Running
from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.tokens import (
    DONE_PROC,
    FAILED,
    IN_TRANSACTION,
    ColInfo,
    ColMetadata,
    Done,
    EnvChange,
    Error,
    Info,
    Order,
    ReturnStatus,
    ReturnValue,
    RowRun,
    TabName,
    Token,
)
from blastwall.protocols.tds.told import summary, told
from blastwall.wire.reader import Malformed

STRIDE = 64 << 10
"""After so many bytes of a result it is said how much was sent, for the sake of budgets."""
_FATAL = 20
"""The severity from which on an error ends the connection (MS-TDS 2.2.7.10)."""


class Responses:
    """Bytes of the server's in, outputs out. `farewell` is set once the server has said why it ends the session."""

    def __init__(self, conversation: Conversation) -> None:
        self._shared = conversation
        conversation.responses = self
        self._writer = ReplyWriter(conversation.packet_size)
        self._results = Results(conversation, self._writer)
        self._reader: TokenReader | None = None
        self._outputs: list[Output] = []
        self._last: Done | None = None
        self._stopped = ""
        self._dropping = self._silent = self._begun = self._replied = False
        self.farewell = False

    @property
    def backlog(self) -> int:
        """Bytes of the server's that wait to be whole, or for the end of what must be read as one."""
        return self._writer.buffered + (self._reader.buffered if self._reader is not None else 0)

    @property
    def between_messages(self) -> bool:
        """Whether a reply of the gateway's own may be put in: no packet of the one under way has been delivered."""
        return not self._begun

    @property
    def quiet(self) -> bool:
        """Whether nothing of the reply that is owed has come yet, and nothing is to be said in it."""
        return self._reader is None and not self._begun and not self._stopped and self._writer.buffered == 0

    @property
    def shows_status(self) -> bool:
        """Whether what the procedures of the request under way return passes."""
        rules = self._results.rules
        return not rules or not any(self._results.guard(rules).hides_status(one) for one in self._results.statements)

    # ── what the client's half calls ─────────────────────────────────────────────────────────────────────────────────

    def begin(self, running: Running) -> None:
        """This request was sent: its reply comes next."""
        self._results.begin(running)
        self._stopped = ""
        self._dropping = self._silent = self._replied = False

    def refusal(self, asked: Asked) -> str | None:
        """Why masking refuses an allowed statement; None where it does not."""
        return self._results.guard(asked.rules).refusal(asked.classified) if asked.rules else None

    def explain_cancel(self, reason: str) -> None:
        """The gateway stops the request under way: its client hears why, and not that it asked for it itself."""
        running = self._shared.running
        if running is not None and not running.own and not self._stopped:
            self._stopped = f"blastwall: {reason}"

    # ── what comes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def receive(self, data: bytes) -> list[Output]:
        """Handle what arrived.

        Raises:
            Malformed: it is no reply that is owed.
            DetectorFailed: masking failed; nothing more of the reply may be shown.
        """
        outputs = self._outputs = []
        writer = self._writer
        if not writer.feed(data):
            return outputs
        while (payload := writer.take()) or writer.ended:
            running = self._shared.running
            if running is None:
                raise Malformed("a reply that nobody asked for")
            self._take(payload, running)
            if writer.ended:
                self._end(running)
            elif writer.flushed:
                writer.flush()
        if self._shared.running is not None:
            self._deliver(self._shared.running)
            self._report(self._shared.running.current)
        return outputs

    def streamed(self) -> list[Output]:
        """How much was sent of the reply under way: its record may never be closed."""
        asked = self._shared.running.current if self._shared.running is not None else None
        if asked is None or asked.bytes <= asked.said:
            return []
        asked.said = asked.bytes
        return [Streamed(asked.number, asked.rows, asked.bytes, self._results.masked(asked))]

    def _take(self, payload: bytes, running: Running) -> None:
        reader = self._reader
        if reader is None:
            reader = self._reader = TokenReader(self._shared.opening.limits.message)
        reader.feed(payload)
        while (token := reader.take()) is not None:
            if isinstance(token, RowRun):
                self._row_run(token, running, reader)
            else:
                self._results.end_rows()
                self._last = token if isinstance(token, Done) else None
                self._token(token, running, reader)

    def _token(self, token: Token, running: Running, reader: TokenReader) -> None:
        match token:
            case ColMetadata():
                self._columns(token, running, reader)
            case Done():
                self._done(token, running)
            case Error() | Info():
                self._said(token, running)
            case EnvChange():
                self._changed(token)
            case ReturnValue():
                self._returned(token, running)
            case ReturnStatus():
                self._status(token)
            case Order() | TabName() | ColInfo():
                self._keep(token)
            case _:
                raise Malformed(f"a token {type(token).__name__} in the middle of a session")

    def _end(self, running: Running) -> None:
        """A message of the server's has ended; the reply has, too, if no acknowledgement is still owed."""
        if self._reader is not None:
            self._reader.finish()
            self._reader = None
        if self._last is None or self._last.more:
            raise Malformed("a reply without its end")
        self._last = None
        self._results.end_result(running.current)
        self._writer.end()
        self._deliver(running)
        self._begun = self._silent = False
        self._replied = True
        if not self._shared.attention.owed:
            for asked in running.asks:
                self._outputs += self._results.taken(asked)
            self._results.ended()
            self._shared.ended(running, self._outputs)

    def _deliver(self, running: Running) -> None:
        """Give what is ready to whom it is for."""
        ready = self._writer.outputs()
        if not ready or self._silent or running.audience is Audience.NOBODY:
            return
        if running.audience is Audience.CLIENT:
            self._begun = True
            self._outputs += [Send(CLIENT, span) for span in ready]
        elif not running.spilt:
            running.kept += ready
            if sum(map(len, running.kept)) > self._shared.opening.limits.backlog:
                running.spilt = True
                running.kept.clear()

    def _report(self, asked: Asked | None) -> None:
        """Say how much was sent, where that is much more than was last said; give the rows that were kept."""
        if asked is None:
            return
        self._outputs += self._results.taken(asked)
        if asked.bytes - asked.said > STRIDE:
            self._outputs += self.streamed()

    def _keep(self, token: Token) -> None:
        """Pass a token as it is, unless what is left of the reply is dropped."""
        if self._dropping:
            self._put(b"", token)
        else:
            self._writer.keep(token.raw, 0, len(token.raw))

    def _put(self, instead: bytes | None, token: Token) -> None:
        """Replace a token; None keeps it."""
        if instead is None:
            self._keep(token)
        else:
            self._writer.put(b"" if self._dropping else instead, len(token.raw))

    # ── results ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _columns(self, token: ColMetadata, running: Running, reader: TokenReader) -> None:
        instead = self._results.described(token, running, reader)
        asked = running.current
        if asked is not None and reader.plan is not None and instead is None and self._results.passing:
            # Where names have come to mean something else, or are in doubt, this tells nothing of what comes later.
            asked.shown = Shown(token.raw, reader.plan) if asked.read_under(self._shared.catalog) else None
        self._put(instead, token)

    def _row_run(self, run: RowRun, running: Running, reader: TokenReader) -> None:
        asked = running.current
        if self._dropping:
            self._writer.put(b"", run.stop - run.start)
        elif not self._results.pass_run(run, asked, reader) and asked is not None:
            self._over(asked)

    def _over(self, asked: Asked) -> None:
        """The statement gives more rows than it may: the resource is to stop, and the rest is dropped."""
        most = asked.limit_rows or 0
        reason = f"policy limits this statement to {most:,} rows: its result has more than {most:,} rows"
        self._outputs.append(Exceeded(asked.number, "rows", most, reason))
        asked.error = f"{LIMIT}: {reason}"
        self._stopped, self._dropping = f"blastwall: {reason}", True
        self._shared.attention.send(self._outputs)

    # ── ends ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _done(self, token: Done, running: Running) -> None:
        asked = running.current
        if asked is not None:
            asked.count(token)
        elif token.failed and running.outcome is None:
            running.outcome = "it failed"
        if token.kind == DONE_PROC and running.calls:
            self._results.end_result(asked)
            running.call_ended()
        if token.cancelled:
            self._acknowledged(token)
        elif not token.more and (self._dropping or (self._stopped and token.failed)):
            # A server may end the answer first, and acknowledge in a message of its own (MS-TDS 2.2.1.7, 3.3.5.9).
            self._stop(token, b"")
        elif running.private and token.status & IN_TRANSACTION:
            status = token.status & ~IN_TRANSACTION
            self._put(done(token.kind, status, token.command, token.rows), token)
        else:
            self._keep(token)

    def _acknowledged(self, token: Done) -> None:
        """The resource has stopped. What the client has not asked for it must not hear of as if it had."""
        asked = self._shared.attention.asked
        self._shared.acknowledged()
        if self._stopped and not self._replied:
            self._stop(token, token.raw if asked else b"")
        elif asked:
            self._keep(token)
        else:
            self._silent = self._replied
            self._put(done(token.kind, FAILED | token.status & IN_TRANSACTION), token)

    def _stop(self, token: Done, end: bytes) -> None:
        """End the client's reply with the reason why the gateway stopped it; `end` is its last token."""
        said = error(STOPPED, self._stopped, server=self._shared.server)
        self._stopped, self._dropping = "", False
        self._put(said + (end or done(token.kind, FAILED | token.status & IN_TRANSACTION)), token)

    # ── what is said, changed and returned ───────────────────────────────────────────────────────────────────────────

    def _said(self, token: Error | Info, running: Running) -> None:
        fatal = token.severity >= _FATAL
        self.farewell = self.farewell or fatal
        if isinstance(token, Error):
            self._failed(token, running)
        rules = self._results.rules
        shown = told(token, self._results.guard(rules), self._results.statements) if rules else None
        if fatal:
            self._dropping = False
        self._put(None if shown is None else notice(shown), token)

    @staticmethod
    def _failed(token: Error, running: Running) -> None:
        if running.own:
            running.outcome = running.outcome or summary(token)
        elif running.current is not None and running.current.error is None:
            running.current.error = summary(token)

    def _changed(self, token: EnvChange) -> None:
        """Transactions change for the client too where what is left of the reply is dropped."""
        forward = self._shared.changed(token)
        dropping, self._dropping = self._dropping, False
        self._put(None if forward else b"", token)
        self._dropping = dropping

    def _returned(self, token: ReturnValue, running: Running) -> None:
        asked, rules = running.current, self._results.rules
        handle = asked is not None and asked.returned is not None
        if asked is not None and asked.returned is not None:
            asked.returned(token)
        if not rules or asked is None:
            self._keep(token)
            return
        name = token.name.lower()
        if not name and token.ordinal < len(asked.declared):
            name = asked.declared[token.ordinal]
        plan = self._results.guard(rules).returned(token, name, self._results.statements, handle=handle)
        instead = None if plan is None else masked_value(token, plan)
        if plan is not None:
            count(asked, plan)
        self._put(instead, token)

    def _status(self, token: ReturnStatus) -> None:
        self._put(None if self.shows_status else return_status(0), token)
