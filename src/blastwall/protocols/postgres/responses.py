"""The server's half of an admitted session: its messages pass as whole spans, and only what must be read is read.

Rows under no mask plan are counted by their headers and passed on, even before they are whole. Every other message is
matched with the entry at the head of the pipeline; one that was not owed closes the session, since from there on nobody
could say which rows belong to which statement.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from blastwall.masking.plan import MaskPlan
from blastwall.protocols.contract import CLIENT, Output, Send
from blastwall.protocols.postgres.application_name import without_label
from blastwall.protocols.postgres.catalog import split_path
from blastwall.protocols.postgres.conversation import Conversation
from blastwall.protocols.postgres.errors import QUERY_CANCELED, decode_fields, encode_error, summary
from blastwall.protocols.postgres.learned import CHANGES_CATALOG
from blastwall.protocols.postgres.messages import (
    Field,
    affected_rows,
    decode_command_tag,
    decode_parameter_status,
    decode_parameter_types,
    decode_ready,
    decode_row_description,
    encode_parameter_status,
    frame,
    tag_rows,
)
from blastwall.protocols.postgres.pipeline import Entry, Owed, Portal, Running
from blastwall.protocols.postgres.rows import (
    COPY_DATA,
    DATA_ROW,
    LENGTH_FIELD,
    CatalogTooOld,
    Rows,
    copying,
    current,
    head,
    sent_of,
)
from blastwall.protocols.postgres.settings import readable_encoding
from blastwall.wire.inbox import HEADER
from blastwall.wire.native import Flag, Octets, Whole
from blastwall.wire.reader import Malformed

_ROWS = frozenset({DATA_ROW, COPY_DATA})
_SKIPPED = "not run: an earlier statement of the same query or pipeline failed"


class Handled(NamedTuple):
    """What becomes of a server's message: `instead` replaces it (None: it passes as it is), `after` follows it."""

    instead: bytes | None = None
    after: tuple[Output, ...] | list[Output] = ()


PASS = Handled()
SWALLOW = Handled(b"")


class Responses:
    """Bytes of the server's in, outputs out. `farewell` is set once the server has said why it ends the session."""

    def __init__(self, conversation: Conversation) -> None:
        self._shared = conversation
        self.carry: Octets = b""
        self._parts: list[bytes] = []
        self._held = self._wanted = 0
        self.passing: Whole = 0
        self.rows = Rows(conversation)
        self._ran: list[Running] = []
        self._failed = False
        self.catalog_changed: Flag = False
        self._paused = False
        self.farewell = False
        self._cancelled: tuple[Entry | None, str] = (None, "")

    @classmethod
    def handlers(cls) -> dict[int, Callable[[Responses, bytes], Handled]]:
        """What is done with each type of message: one table for all, for bound methods cost each session 2 KiB."""
        return {
            ord("1"): cls._parse_complete,
            ord("2"): cls._bind_complete,
            ord("3"): cls._close_complete,
            ord("t"): cls._parameter_description,
            ord("T"): cls._row_description,
            ord("n"): cls._no_data,
            ord("C"): cls._command_complete,
            ord("I"): cls._command_complete,
            ord("s"): cls._portal_suspended,
            ord("V"): cls._function_result,
            ord("E"): cls._error,
            ord("N"): cls._notice,
            ord("Z"): cls._ready,
            ord("S"): cls._parameter_status,
            ord("A"): cls._notification,
            ord("G"): cls._copy_in,
            ord("H"): cls._copy_out,
            ord("c"): cls._copy_done,
        }

    @property
    def backlog(self) -> int:
        """Bytes that wait for the catalog; a message that is still arriving is bounded by its own limit."""
        return len(self.carry) if self._paused else 0

    @property
    def quiet(self) -> bool:
        """Whether nothing of the server's is half read or waits."""
        return self.passing == 0 and not self.carry and not self._paused

    @property
    def between_messages(self) -> bool:
        """Whether a message of the gateway's own may be put in: no message of the server's is half passed."""
        return self.passing == 0

    def resume(self) -> list[Output]:
        """Go on with what waited for a reading of the catalog."""
        self._paused = False
        return self.receive(b"")

    def receive(self, data: bytes) -> list[Output]:
        """Handle what arrived, unless a reading of the catalog must come first."""
        if self._wanted:
            # Joined once it is whole: joining a large message anew for each part would take quadratic time.
            self._parts.append(data)
            self._held += len(data)
            if self._held < self._wanted:
                return []
            data, self._parts, self._held, self._wanted = b"".join(self._parts), [], 0, 0
        buffer = self.carry + data if self.carry else data
        if self._paused:
            self.carry = buffer
            return []
        self.carry = b""
        outputs: list[Output] = []
        position = min(self.passing, len(buffer))
        self.passing -= position
        start = self._walk(buffer, position, outputs)
        outputs += self.rows.taken()
        self.carry = buffer[start:]
        outputs += self.rows.streamed()
        return outputs

    def _walk(self, buffer: bytes, position: int, outputs: list[Output]) -> int:
        """Walk over the messages; return where the unhandled rest begins."""
        start, size = 0, len(buffer)
        while size - position >= HEADER:
            kind = buffer[position]
            length = int.from_bytes(buffer[position + 1 : position + HEADER], "big", signed=True)
            if length < LENGTH_FIELD:
                raise Malformed(f"a message {chr(kind)!r} of the length {length}")
            end = position + 1 + length
            try:
                kept = self.rows.kept(kind, length) if self._shared.keeps and kind in _ROWS else None
                if kept is None and kind in _ROWS:
                    masked, passed = self._take_rows(kind, length, buffer, position)
                    if masked is not None:
                        self._send(outputs, buffer, start, position)
                        outputs.append(Send(CLIENT, masked))
                        start = passed
                    if passed > position:
                        position = passed
                        continue
                if end > size:
                    self._check_size(length)
                    self._wanted = end - size
                    break
                handled = self._message(kind, buffer, position, end)
            except CatalogTooOld:
                self._send(outputs, buffer, start, position)
                self._paused = True
                self._shared.refresh(outputs)
                return position
            if handled is not PASS:
                self._send(outputs, buffer, start, end if handled.instead is None else position)
                outputs += [Send(CLIENT, handled.instead)] if handled.instead else []
                outputs += handled.after
                start = end
            position = end
        self._send(outputs, buffer, start, position)
        return position

    def _take_rows(self, kind: int, length: int, buffer: bytes, position: int) -> tuple[bytes | None, int]:
        """Take the run of rows at `position`, where none must be read by itself.

        Returns what replaces it (None: it passes as it is) and its end, `position` where nothing was taken.
        """
        plan = self.rows.plan(kind)
        running = self.rows.running
        if self._shared.limits.current is not None or running is None:
            return None, position
        if isinstance(plan, MaskPlan):
            return self.rows.mask_run(running, plan, buffer, position)
        if plan is not None:
            return self.rows.mask_copy(running, plan, buffer, position)
        return None, self._pass_rows(kind, length, buffer, position)

    def _pass_rows(self, kind: int, length: int, buffer: bytes, position: int) -> int:
        """Pass a run of rows, or the part of one that is there; return where that ends."""
        passed = self.rows.pass_run(kind, buffer, position)
        if passed > position:
            return passed
        self.rows.count(length)
        end = position + 1 + length
        self.passing = max(0, end - len(buffer))
        return end - self.passing

    @staticmethod
    def _send(outputs: list[Output], buffer: bytes, start: int, end: int) -> None:
        if end > start:
            outputs.append(Send(CLIENT, buffer[start:end]))

    def _check_size(self, length: int) -> None:
        limit = self._shared.opening.limits.message
        if length > limit:
            raise Malformed(f"a message of {length:,} bytes that must be read whole; the limit is {limit:,}")

    def _message(self, kind: int, buffer: bytes, position: int, end: int) -> Handled:
        body = buffer[position + HEADER : end]
        if kind in _ROWS:
            limited = self._shared.limits.current
            if limited is not None and limited.reason:
                return SWALLOW
            kept = self.rows.kept(kind, len(body)) if self._shared.keeps else None
            masked = self.rows.masked(kind, body)
            if kept is not None:
                kept.take(body, masked)
            if limited is not None:
                row = buffer[position:end] if masked is None else masked
                taken = limited.take(row, body if kind == COPY_DATA else None)
                masked = masked if taken is None else taken
            return PASS if masked is None else Handled(masked)
        handler = _HANDLERS.get(kind)
        if handler is None:
            raise Malformed(f"a message of the type {chr(kind)!r} from the server")
        self.rows.end()
        return handler(self, body)

    @staticmethod
    def _own(entry: Entry) -> Handled:
        """An answer that the client did not ask for is kept from it."""
        return SWALLOW if entry.own or entry.stepped else PASS

    # ── answers to requests ──────────────────────────────────────────────────────────────────────────────────────────

    def _pop(self) -> Entry:
        entry = self._shared.pipeline.pop()
        self._shared.pipeline.drop_copy_end()
        return entry

    def _parse_complete(self, body: bytes) -> Handled:
        entry = head(self._shared, Owed.PARSE)
        self._pop()
        if entry.prepared is not None:
            self._shared.names.parsed(entry.prepared)
        after: list[Output] = []
        for running in entry.running:
            self._shared.finish(running, after)
        return SWALLOW if entry.stepped else Handled(None, after)

    def _bind_complete(self, body: bytes) -> Handled:
        entry = head(self._shared, Owed.BIND)
        self._pop()
        after: list[Output] = []
        if entry.portal is not None:
            self.give_up(self._shared.names.bound(entry.portal), after)
        own = self._own(entry)
        return Handled(own.instead, after) if after else own

    def _close_complete(self, body: bytes) -> Handled:
        entry = head(self._shared, Owed.CLOSE)
        self._pop()
        after: list[Output] = []
        self.give_up(self._shared.names.closed(entry.closes), after)
        return Handled(None, after) if after else PASS

    def _parameter_description(self, body: bytes) -> Handled:
        entry = head(self._shared, Owed.DESCRIBE)
        if entry.prepared is None:
            raise Malformed("parameter types of a portal")
        entry.prepared.types = decode_parameter_types(body)
        return PASS

    def _row_description(self, body: bytes) -> Handled:
        fields = decode_row_description(body)
        entry = head(self._shared, Owed.DESCRIBE, Owed.QUERY)
        if entry.owed is Owed.QUERY:
            running = current(entry)
            self.rows.describe(running, fields, [field.format_ for field in fields])
            return PASS
        return self._described(entry, fields)

    def _no_data(self, body: bytes) -> Handled:
        entry = head(self._shared, Owed.DESCRIBE)
        return SWALLOW if self._described(entry, ()) is SWALLOW else self._own(entry)

    def _described(self, entry: Entry, fields: tuple[Field, ...]) -> Handled:
        self._pop()
        if entry.portal is not None:
            entry.portal.fields = fields
        elif entry.prepared is not None and entry.prepared.version == entry.version:
            entry.prepared.fields = fields
        return SWALLOW if entry.own else PASS

    def _command_complete(self, body: bytes) -> Handled:
        entry = head(self._shared, Owed.EXECUTE, Owed.QUERY)
        running = current(entry)
        tag = decode_command_tag(body) if body else ""
        affected = affected_rows(tag)
        copy = running.classified.copy
        if copy is not None:
            affected = tag_rows(tag) if copy.direction == "in" else None
            if entry.owed is Owed.QUERY:
                self._shared.pipeline.copied()
        if entry.owed is Owed.EXECUTE:
            self._pop()
        if self._shared.limits.busy:
            return self._counted(running, body, tag, affected)
        self._completed(running)
        after: list[Output] = []
        self._shared.finish(running, after, affected)
        if running.classified.transaction == "commit" and self.catalog_changed:
            # Others see the new definitions now, although this client may never take its ReadyForQuery.
            self._read_catalog(after)
        return Handled(None, after)

    def _counted(self, running: Running, body: bytes, tag: str, affected: int | None) -> Handled:
        """A limited statement, or one beside it in a Query, is done: it stands only if it is within its limit."""
        after: list[Output] = []
        limits = self._shared.limits
        shown = limits.complete(frame(b"C", body) if body else frame(b"I", b""), tag, affected, after)
        if shown is None:
            return Handled(b"", after)
        self._completed(running)
        if not limits.finishes_later:
            self._shared.finish(running, after, affected)
        return Handled(limits.go_on(shown, affected, after), after)

    def _read_catalog(self, after: list[Output]) -> None:
        """What was defined is committed: the catalog is read anew, once."""
        self.catalog_changed = False
        self.rows.forget_unknown()
        self._shared.refresh(after)

    def _completed(self, running: Running) -> None:
        self._ran.append(running)
        opened = running.classified.closes if running.classified.declares is None else running.classified.declares[0]
        if opened is not None:
            self._shared.limits.opened(opened)
        self._shared.names.completed(running)
        classified = running.classified
        if classified.lost or any(effect.action in CHANGES_CATALOG for effect in classified.effects):
            self.catalog_changed = True

    def _portal_suspended(self, body: bytes) -> Handled:
        running = current(head(self._shared, Owed.EXECUTE))
        self._pop()
        after = sent_of(running)
        return Handled(None if self._shared.limits.suspend(after) else b"", after)

    def _function_result(self, body: bytes) -> Handled:
        entry = head(self._shared, Owed.QUERY)
        running = current(entry)
        if not entry.function:
            raise Malformed("the result of a FunctionCall that nobody sent")
        running.rows, running.bytes = 1, len(body)
        after: list[Output] = []
        self._shared.finish(running, after)
        return Handled(None, after)

    # ── errors and notices ───────────────────────────────────────────────────────────────────────────────────────────

    def _error(self, body: bytes) -> Handled:
        entry = self._shared.pipeline.head
        fields = decode_fields(body)
        self.farewell = fields.get("V", fields.get("S")) in ("FATAL", "PANIC")
        if entry is None:
            return PASS
        self._failed = True
        after: list[Output] = []
        limits = self._shared.limits
        if entry.owed is Owed.SYNC:
            limits.failed(summary(fields), after)
            return Handled(self._told(body, b"E", entry), after)
        placed = limits.error(body)
        shown = entry.refusal or limits.explained() or self._explained(entry, fields)
        shown = shown or self._told(placed, b"E", entry) or (frame(b"E", placed) if placed is not body else None)
        reason = summary(fields)
        if entry.owed is Owed.QUERY:
            for running in entry.running:
                if not running.done:
                    self._shared.finish(running, after, error=reason)
                    break
        else:
            self._fail_segment(reason, after)
        return Handled(shown, after)

    def explain_cancel(self, reason: str) -> None:
        """The gateway cancels the statement under way: its client hears why, and not that it asked for it itself."""
        self._cancelled = (self._shared.pipeline.head, reason)

    def _explained(self, entry: Entry, fields: dict[str, str]) -> bytes | None:
        cancelled, reason = self._cancelled
        if cancelled is not entry or fields["C"] != QUERY_CANCELED:
            return None
        fields["M"] = reason
        return encode_error(QUERY_CANCELED, f"blastwall: {reason}")

    def _fail_segment(self, reason: str, after: list[Output]) -> None:
        """The server ignores the rest of the segment: close its records, and ignore it likewise."""
        self._shared.limits.failed(reason, after)
        dropped, found = self._shared.pipeline.drop_to_sync()
        for position, entry in enumerate(dropped):
            if entry.owed is Owed.PARSE and entry.prepared is not None:
                self._shared.names.failed_parse(entry.prepared)
            elif entry.owed is Owed.BIND and entry.portal is not None:
                self._shared.names.failed_bind(entry.portal)
            for running in entry.running:
                self._shared.finish(running, after, error=_SKIPPED if position else reason)
        if not found:
            after += self._shared.withdrawn()
            self._shared.discarding = True

    def _told(self, body: bytes, kind: bytes, entry: Entry | None) -> bytes | None:
        """An error or notice as the client may see it: by the rules of the statement that it belongs to.

        What a transaction touched stays guarded to its end: a deferred constraint speaks at COMMIT.
        """
        running = [one for one in entry.running if not one.done] if entry is not None else []
        if entry is not None and entry.portal is not None:
            running.append(entry.portal.running)
        running = running or self._ran[-1:]
        if not running or not running[0].rules:
            return None
        concerned = running[0]
        guarded = concerned.guarded or self._shared.touched
        return self._shared.guard(concerned.rules).told(body, kind, guarded=guarded)

    def _notice(self, body: bytes) -> Handled:
        told = self._told(body, b"N", self._shared.pipeline.head)
        return PASS if told is None else Handled(told)

    def _notification(self, body: bytes) -> Handled:
        rules = self._shared.rules
        told = self._shared.guard(rules).notified(body) if rules else None
        return PASS if told is None else Handled(told)

    def _parameter_status(self, body: bytes) -> Handled:
        name, value = decode_parameter_status(body)
        check_parameter(name, value)
        if name == "search_path":
            self._shared.names.follow_search_path(split_path(value))
        elif name == "application_name":
            shown = without_label(value, self._shared.label, self._shared.application)
            return PASS if shown == value else Handled(encode_parameter_status(name, shown))
        return PASS

    # ── COPY ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _copy_in(self, body: bytes) -> Handled:
        running = copying(self._shared, "in")
        if head(self._shared, Owed.EXECUTE, Owed.QUERY).owed is Owed.EXECUTE:
            self._shared.pipeline.swallow_syncs()
        running.planned = True
        return PASS

    def _copy_out(self, body: bytes) -> Handled:
        running = copying(self._shared, "out")
        settled = self.rows.copy_settled(running)
        if running.rules:
            running.copy = self._shared.guard(running.rules).copied(running.classified, settled=settled)
        if running.kept is not None:
            guard, own = self._shared.guard(running.kept.rules), running.kept.own(running.rules)
            running.kept.describe_copy(guard, running.classified, own=own, settled=settled)
        running.planned = True
        return PASS

    def _copy_done(self, body: bytes) -> Handled:
        copying(self._shared, "out")
        return PASS

    # ── ready ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _ready(self, body: bytes) -> Handled:
        shared = self._shared
        status = decode_ready(body)
        entry = shared.pipeline.head
        if entry is None or entry.owed not in (Owed.QUERY, Owed.SYNC):
            raise Malformed("a ReadyForQuery that is not owed")
        self._pop()
        after: list[Output] = []
        for running in entry.running:
            shared.finish(running, after, error=_SKIPPED)
        completion = shared.limits.ready(after) if entry.stepped else b""
        ran, self._ran = self._ran, []
        failed, self._failed = self._failed, False
        self.settle(
            ran, status, after, query=entry.stepped or (entry.owed is Owed.QUERY and not entry.function), failed=failed
        )
        if completion:
            return Handled(completion + frame(b"Z", body), after)
        return Handled(None, after) if after else PASS

    def settle(
        self, ran: list[Running], status: bytes, after: list[Output], *, query: bool, failed: bool = False
    ) -> None:
        """The server is ready: what `ran` holds, but for what a failure undid."""
        shared = self._shared
        if query:
            self.give_up(shared.names.forget_unnamed(failed=failed), after)
        shared.names.ran(ran, transaction_open=status != b"I", failed=failed)
        shared.status = status
        if status == b"I":
            shared.touched = False
            self._close_portals(after)
        if not len(shared.pipeline):
            shared.names.settle(transaction_open=status != b"I")
        if self.catalog_changed and status == b"I":
            self._read_catalog(after)
        elif shared.refreshing is None:
            shared.settle_changes()

    def replay(self, kind: int, body: bytes) -> list[Output]:
        """Take note of a message that the client has already."""
        self.rows.end()
        return list(_HANDLERS[kind](self, body).after)

    def give_up(self, portal: Portal | None, after: list[Output]) -> None:
        """A portal is gone: close its record, with what was sent, where it was not run to its end."""
        if portal is not None:
            self._shared.finish(portal.running, after, error="not run to its end")

    def _close_portals(self, after: list[Output]) -> None:
        """Portals end with their transaction."""
        for portal in self._shared.names.portals():
            if not self._shared.pipeline.owes(portal):
                self.give_up(portal, after)


_HANDLERS = Responses.handlers()


def check_parameter(name: str, value: str) -> None:
    """Check what the server reports of its settings.

    Raises:
        Malformed: from now on the client's text means something else than what is classified.
    """
    if name == "client_encoding" and not readable_encoding(value):
        raise Malformed(f"client_encoding became {value}; only UTF8 and SQL_ASCII can be judged")
    if name == "standard_conforming_strings" and value != "on":
        raise Malformed("standard_conforming_strings became off; statements can no longer be judged")
