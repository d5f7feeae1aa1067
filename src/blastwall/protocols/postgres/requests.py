"""The client's half of an admitted session: read its messages, ask, and send on what was allowed, as it came.

Query    asked statement by statement; sent whole once all are allowed
Parse    asked at the stage "prepare"
Bind     asked at the stage "execute", with its values; asked again at Execute if policy has changed since
Describe, Execute, Close, Sync, Flush    passed on for what was allowed
FunctionCall    asked as the SELECT that it amounts to, for large objects; refused for every other function
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from blastwall.model.effects import Action, Effect, Object
from blastwall.model.statement import Parameter, Stage, Statement
from blastwall.protocols.contract import UPSTREAM, Close, Output, Send
from blastwall.protocols.postgres import errors
from blastwall.protocols.postgres.application_name import with_label
from blastwall.protocols.postgres.conversation import Conversation
from blastwall.protocols.postgres.declared import declared_type
from blastwall.protocols.postgres.elsewhere import Postponed
from blastwall.protocols.postgres.function_calls import decode_function_call
from blastwall.protocols.postgres.learned import Learned
from blastwall.protocols.postgres.messages import (
    FLUSH,
    Named,
    decode_bind,
    decode_execute,
    decode_named,
    decode_parse,
    decode_query,
    encode_describe,
    encode_parse,
    encode_query,
    format_of,
)
from blastwall.protocols.postgres.naming import gives_name
from blastwall.protocols.postgres.pipeline import Entry, Owed, Portal, Prepared, Running
from blastwall.protocols.postgres.values import recorded_value
from blastwall.sql.postgres import Classified, NameState, bound_as, either, goes_by_names, same_names
from blastwall.wire.inbox import HEADER, Frame, Inbox
from blastwall.wire.native import Flag
from blastwall.wire.reader import Malformed

_TEXT_OVERHEAD = 4096
"""What a Query or Parse may have besides its text: names and parameter types."""
_WAITING = frozenset(b"QPBDECF")
"""Messages whose meaning depends on the answers to earlier ones."""
_TEXTS = frozenset(b"QP")
_OWING = frozenset(b"QPBDECFS")
_MOST_OWED = 10_000
"""Messages that the server may owe an answer to: a flood of Syncs costs five bytes each, their entries here far more.

A server flushes its answers every 8 KiB unasked, so that of so many small ones most come without a Sync.
"""

_FULL = (
    "the session keeps as much under names of prepared statements, portals and cursors as it may (32 MiB); "
    "close or deallocate some"
)

Handler = Callable[["Requests", bytes, list[Output]], None]


class Requests:
    """Bytes of the client's in, outputs out."""

    def __init__(self, conversation: Conversation, learned: Learned) -> None:
        limits = conversation.opening.limits
        self._learned = learned
        texts = limits.statement + _TEXT_OVERHEAD
        self._shared = conversation
        self._inbox: Inbox = Inbox(limits.message, dict.fromkeys(_TEXTS, texts))
        self.ended = False
        self.goodbye = _goodbye
        """What follows a client's Terminate."""
        self._blocked = False
        self._postponed: tuple[Handler, bytes] | None = None

    @classmethod
    def handlers(cls) -> dict[int, Handler]:
        """What is done with each type of message: one table for all, for bound methods cost each session 2 KiB."""
        return {
            ord("Q"): cls._query,
            ord("P"): cls._parse,
            ord("B"): cls._bind,
            ord("D"): cls._describe,
            ord("E"): cls._execute,
            ord("C"): cls._close,
            ord("F"): cls._function_call,
            ord("S"): cls._sync,
            ord("H"): cls._flush,
            ord("X"): cls._terminate,
            ord("d"): cls._copy,
            ord("c"): cls._copy,
            ord("f"): cls._copy,
        }

    @property
    def backlog(self) -> int:
        """Bytes that wait for an answer; a message that is still arriving is bounded by its own limit."""
        return len(self) if self._blocked or self._shared.waiting is not None or self._postponed is not None else 0

    def __len__(self) -> int:
        """Bytes that were not handled yet, those included that are still to come and will be dropped."""
        return len(self._inbox) + (len(self._postponed[1]) if self._postponed is not None else 0) + self._inbox.skipping

    def unread(self) -> Flag:
        """Whether there are any."""
        return self._postponed is not None or self._inbox.unread()

    def receive(self, data: bytes) -> list[Output]:
        self._inbox.feed(data)
        return self.go_on()

    def put_first(self, data: bytes) -> None:
        """Keep what comes before everything that waits; `go_on` handles it."""
        self._inbox.feed_first(data)

    def receive_first(self, data: bytes) -> list[Output]:
        """Take what came before everything that waits."""
        self._inbox.feed_first(data)
        return self.go_on()

    def go_on(self) -> list[Output]:
        """Handle the messages that need not wait."""
        outputs: list[Output] = []
        self._blocked = False
        while not self.ended and self._shared.waiting is None and self._shared.elsewhere.waiting is None:
            if self._postponed is not None:
                (handler, message), self._postponed = self._postponed, None
                self._do(handler, message, outputs)
                continue
            frame = self._inbox.peek()
            self._blocked = frame is not None and self._must_wait(frame.kind)
            if frame is None or self._blocked:
                break
            if frame.kind in _WAITING and self._shared.forgotten:
                self._blocked = True
                self._shared.refresh(outputs)
                break
            self._handle(frame, outputs)
        return outputs

    def _must_wait(self, kind: int) -> bool:
        if kind in _OWING and len(self._shared.pipeline) >= _MOST_OWED:
            return True
        if self._shared.limits.busy:
            return self._shared.limits.blocks(kind)
        if kind not in _WAITING or self._shared.discarding:
            return False
        pipeline = self._shared.pipeline
        if pipeline.copy_is_open:
            raise Malformed(f"a message of the type {chr(kind)!r} in the middle of a COPY FROM STDIN")
        if self._shared.cancelling or self._shared.refreshing is not None:
            return True
        return pipeline.unsettled() or pipeline.copies_in

    def _handle(self, frame: Frame, outputs: list[Output]) -> None:
        handler = _HANDLERS.get(frame.kind)
        if handler is None:
            raise Malformed(f"a message of the type {chr(frame.kind)!r}")
        if frame.oversized:
            self._inbox.skip(frame)
            if not self._shared.discarding:
                self._oversized(frame, outputs)
            return
        message = self._inbox.take(frame)
        if self._shared.discarding and frame.kind not in b"SX":
            return
        self._do(handler, message, outputs)

    def _do(self, handler: Handler, message: bytes, outputs: list[Output]) -> None:
        try:
            handler(self, message, outputs)
        except Postponed as postponed:
            self._postponed = (handler, message)
            outputs.append(postponed.order)
        else:
            self._shared.elsewhere.forget()

    def give_up(self, code: str, reason: str) -> list[Output]:
        """Refuse the message whose text is read elsewhere, if there is one."""
        if self._postponed is None:
            return []
        (_, message), self._postponed = self._postponed, None
        outputs = self._shared.elsewhere.withdrawn()
        told = f"[a text of {len(message)} bytes that was not read]"
        self._refuse(told, "UNREAD", reason, outputs, extended=message[0] != ord("Q"), code=code)
        return outputs

    # ── the simple protocol ──────────────────────────────────────────────────────────────────────────────────────────

    def _query(self, message: bytes, outputs: list[Output]) -> None:
        text = decode_query(message[HEADER:])
        shared = self._shared
        classified = shared.classify(text) or (nothing(shared.database, text),)
        asked = [(shared.statement(text, one, Stage.EXECUTE), one) for one in classified]

        own = with_label(text, classified, shared.label)

        def release(running: tuple[Running, ...], out: list[Output]) -> None:
            if any(one.limited for one in running):
                shared.limits.query(list(running), out)
                return
            if len(running) == 1 and own is None:
                self._learned.query(message, running[0])
            shared.send(message if own is None else encode_query(own), own, running, out)
            shared.pipeline.push(Entry(Owed.QUERY, shared.pipeline.segment, running=list(running)))
            for one in running:
                shared.names.sent(one)

        verdict = self._full(any(gives_name(one) for one in classified))
        shared.ask(outputs, asked, release, extended=False, text=text, verdict=verdict)

    def _full(self, named: bool) -> tuple[str, str] | None:
        """Why nothing more may get a name, where something is to."""
        return (errors.PROGRAM_LIMIT, _FULL) if named and self._shared.names.full else None

    def _function_call(self, message: bytes, outputs: list[Output]) -> None:
        call = decode_function_call(message[HEADER:])
        listed = call.listed
        if listed is None:
            reason = "the FunctionCall message is passed on for large objects only; call the function with SELECT"
            self._refuse(f"[FunctionCall of {len(message)} bytes]", "FUNCTION CALL", reason, outputs, extended=False)
            return
        shared = self._shared
        classified = self._one(listed.text, shared.names.meaning())
        parameters = tuple(
            Parameter(recorded_value(value, type_, call.format_of(n)), None)
            for n, (value, type_) in enumerate(zip(call.values, listed.types, strict=True))
        )

        def release(running: tuple[Running, ...], out: list[Output]) -> None:
            if running[0].rules and listed.reads:
                shared.refuse_allowed(running[0], "what FunctionCall reads cannot be masked; use SELECT loread(…)", out)
                return
            out.append(Send(UPSTREAM, message))
            entry = Entry(Owed.QUERY, shared.pipeline.segment, running=list(running), function=True)
            shared.pipeline.push(entry)

        statement = shared.statement(listed.text, classified, Stage.EXECUTE, parameters)
        shared.ask(outputs, [(statement, classified)], release, extended=False, text=listed.text)

    def _oversized(self, frame: Frame, outputs: list[Output]) -> None:
        limits = self._shared.opening.limits
        limit = limits.statement if frame.kind in _TEXTS else limits.message
        reason = f"a message of {frame.size:,} bytes is over the limit of {limit:,}; send less at once"
        if frame.kind not in b"QPB":
            raise Malformed(reason)
        told, extended = f"[{frame.size} bytes]", frame.kind != ord("Q")
        self._refuse(told, "OVERSIZED", reason, outputs, extended=extended, code=errors.PROGRAM_LIMIT)

    def _refuse(
        self,
        text: str,
        operation: str,
        reason: str,
        outputs: list[Output],
        *,
        extended: bool,
        code: str = errors.FEATURE_NOT_SUPPORTED,
    ) -> None:
        """Ask, for the record, about what is refused whatever the answer is."""
        shared = self._shared
        effect = Effect(Action.UNCLASSIFIED, Object((shared.database,), "database"))
        statement = Statement(text, (effect,), operation, shared.database, doubt=reason)
        shared.ask(
            outputs,
            [(statement, nothing(shared.database, text))],
            lambda _running, _out: None,
            extended=extended,
            verdict=(code, reason),
        )

    # ── the extended protocol ────────────────────────────────────────────────────────────────────────────────────────

    def _parse(self, message: bytes, outputs: list[Output]) -> None:
        parse = decode_parse(message[HEADER:])
        shared = self._shared
        state = shared.names.meaning()
        classified = bound_as(self._one(parse.query, state), parse.types, shared.snapshot.catalog, state)
        prepared = Prepared(parse.name, parse.query, classified, parse.types, _names_only(state), shared.snapshot.mark)

        own = with_label(parse.query, (classified,), shared.label)

        def release(running: tuple[Running, ...], out: list[Output]) -> None:
            if own is None:
                self._learned.parse(message, prepared, running[0])
            shared.send(message if own is None else encode_parse(replace(parse, query=own)), own, running, out)
            shared.pipeline.push(Entry(Owed.PARSE, shared.pipeline.segment, running=list(running), prepared=prepared))
            shared.names.sent_parse(prepared)

        statement, verdict = shared.statement(parse.query, classified, Stage.PREPARE), self._full(bool(parse.name))
        shared.ask(outputs, [(statement, classified)], release, extended=True, verdict=verdict)

    def _one(self, text: str, state: NameState) -> Classified:
        found = self._shared.classify(text, state) or (nothing(self._shared.database, text),)
        return found[0] if len(found) == 1 else several(found)

    def _bind(self, message: bytes, outputs: list[Output]) -> None:
        bind = decode_bind(message[HEADER:])
        shared = self._shared
        prepared = shared.names.prepared_as(bind.statement)
        if prepared is None:
            called = f'prepared statement "{bind.statement}"' if bind.statement else "unnamed prepared statement"
            text = f"{called} does not exist"
            shared.refuse_unasked(errors.UNDEFINED_STATEMENT, text, outputs)
            return
        self._judge_anew(prepared)

        def release(running: tuple[Running, ...], out: list[Output]) -> None:
            self._learned.bind(prepared, running[0])
            portal = Portal(bind.portal, prepared, running[0], bind.values, bind.formats, bind.results)
            out.append(Send(UPSTREAM, message))
            shared.pipeline.push(Entry(Owed.BIND, shared.pipeline.segment, running=list(running), portal=portal))
            shared.names.sent_bind(portal)
            shared.limits.opened(bind.portal)

        statement = self._bound_statement(prepared, bind.values, bind.formats)
        asked, verdict = [(statement, prepared.classified)], self._full(bool(bind.portal))
        shared.ask(outputs, asked, release, extended=True, text=prepared.text, verdict=verdict)

    def _judge_anew(self, prepared: Prepared) -> None:
        """PostgreSQL analyses a prepared statement anew where its names mean something else by now; so do we.

        It does so under the search_path of the moment, and keeps the old meaning where nothing that it watches has
        changed (a temporary table that came since): so both count. A utility statement is analysed when it is run, and
        an EXECUTE or FETCH means whatever has the name then.
        """
        shared = self._shared
        now, then, snapshot = shared.names.meaning(), prepared.state, shared.snapshot
        if then is None:
            name = prepared.name.replace('"', '""')
            inner, (fresh,) = prepared.classified, shared.classify(f'EXECUTE "{name}"')
            prepared.classified = replace(
                fresh, start=inner.start, end=inner.end, operation=inner.operation, literals=inner.literals,
                parameters=inner.parameters, executes=None,
            )  # fmt: skip
        elif prepared.catalog is not snapshot.mark or goes_by_names(prepared.classified) or not same_names(then, now):
            both = either(now, then)
            prepared.classified = bound_as(self._one(prepared.text, both), prepared.types, snapshot.catalog, both)
            prepared.state, prepared.catalog = _names_only(both), snapshot.mark
        else:
            return
        prepared.fields = None
        prepared.version += 1

    def _bound_statement(
        self, prepared: Prepared, values: tuple[bytes | None, ...], formats: tuple[int, ...]
    ) -> Statement:
        classified, types = prepared.classified, prepared.types
        parameters = tuple(
            Parameter(
                recorded_value(value, types[n] if n < len(types) else 0, format_of(formats, n)),
                classified.parameters.get(n + 1),
                n + 1 in classified.secret_parameters,
                declared_type(types, n),
            )
            for n, value in enumerate(values)
        )
        return self._shared.statement(prepared.text, classified, Stage.EXECUTE, parameters)

    def _describe(self, message: bytes, outputs: list[Output]) -> None:
        """Pass it on: it tells a result's columns, never its rows. A cursor of SQL's is described this way too."""
        named = decode_named(message[HEADER:])
        entry = Entry(Owed.DESCRIBE, self._shared.pipeline.segment)
        if named.kind == "S":
            entry.prepared = self._shared.names.prepared_as(named.name)
            entry.version = entry.prepared.version if entry.prepared is not None else 0
        else:
            entry.portal = self._shared.names.portal(named.name)
        if entry.portal is not None:
            entry.portal.described = True
        outputs.append(Send(UPSTREAM, message))
        self._shared.pipeline.push(entry)

    def _execute(self, message: bytes, outputs: list[Output]) -> None:
        execute = decode_execute(message[HEADER:])
        shared = self._shared
        portal = shared.names.portal(execute.portal)
        if portal is None:
            text = f'portal "{execute.portal}" does not exist'
            shared.refuse_unasked(errors.UNDEFINED_CURSOR, text, outputs)
            return
        self._judge_anew(portal.prepared)
        then, now = portal.judged or portal.running.classified, portal.prepared.classified
        if now is not then and now != then:
            portal.stale, portal.described, portal.fields = True, False, None
        if not portal.stale:
            self._run(portal, execute.rows, message, outputs)
            return

        def release(running: tuple[Running, ...], out: list[Output]) -> None:
            shared.finish(portal.running, out, error="asked again, since policy has changed")
            running[0].given = portal.running.given + portal.running.rows
            portal.running, portal.stale, portal.judged = running[0], False, None
            self._run(portal, execute.rows, message, out)

        statement = self._bound_statement(portal.prepared, portal.values, portal.formats)
        asked = [(statement, portal.prepared.classified)]
        shared.ask(outputs, asked, release, extended=True, text=portal.prepared.text)

    def _run(self, portal: Portal, rows: int, message: bytes, outputs: list[Output]) -> None:
        shared = self._shared
        segment = shared.pipeline.segment
        if portal.doubted:
            _forget(portal)
        fixed = portal.prepared.classified.otherwise is None and not portal.doubted
        known = portal.described or (fixed and portal.prepared.fields is not None)
        if portal.running.rules and portal.prepared.classified.returns_rows and not known:
            # Masking needs the result's columns before its rows: ask for them, and keep the answer to ourselves.
            portal.described = True
            outputs.append(Send(UPSTREAM, encode_describe(Named("P", portal.name))))
            shared.pipeline.push(Entry(Owed.DESCRIBE, segment, portal=portal, own=True))
        if portal.running.limited:
            shared.limits.execute(portal, rows, message, outputs)
            return
        outputs.append(Send(UPSTREAM, message))
        shared.pipeline.push(Entry(Owed.EXECUTE, segment, running=[portal.running], portal=portal))
        shared.names.sent(portal.running)

    def _close(self, message: bytes, outputs: list[Output]) -> None:
        named = decode_named(message[HEADER:])
        outputs.append(Send(UPSTREAM, message))
        self._shared.pipeline.push(Entry(Owed.CLOSE, self._shared.pipeline.segment, closes=named.kind + named.name))

    def _sync(self, message: bytes, outputs: list[Output]) -> None:
        if self._shared.limits.busy:
            return  # only in the middle of a COPY FROM STDIN, where a server ignores it
        outputs.append(Send(UPSTREAM, message))
        self._shared.discarding = False
        self._shared.pipeline.push(Entry(Owed.SYNC, self._shared.pipeline.segment))

    def _flush(self, message: bytes, outputs: list[Output]) -> None:
        outputs.append(Send(UPSTREAM, message))

    def _copy(self, message: bytes, outputs: list[Output]) -> None:
        """Data for a COPY under way; a server ignores it otherwise, so it need not get it."""
        if self._shared.pipeline.copies_in and self._shared.limits.copied(message, outputs):
            outputs.append(Send(UPSTREAM, message))
            if message[0] != ord("d"):
                self._shared.pipeline.push(Entry(Owed.COPY_END, self._shared.pipeline.segment))
                outputs += [Send(UPSTREAM, FLUSH)] if self._shared.limits.busy else []

    def _terminate(self, message: bytes, outputs: list[Output]) -> None:
        self.ended = True
        outputs += self.goodbye(message)


_HANDLERS = Requests.handlers()


def _goodbye(message: bytes) -> list[Output]:
    return [Send(UPSTREAM, message), Close("the client ended the session")]


def _names_only(state: NameState) -> NameState:
    """What relations and functions mean in a state, without all that is prepared in it."""
    return replace(state, prepared={}, cursors={})


def nothing(database: str, text: str) -> Classified:
    """A text that asks for nothing: drivers send it to see whether the connection lives."""
    effect = Effect(Action.CONNECT, Object((database,), "database"))
    return Classified(start=0, end=len(text), operation="EMPTY", effects=(effect,))


def several(found: tuple[Classified, ...]) -> Classified:
    """Several commands in one Parse: the server refuses them, and so do we where policy would not."""
    return Classified(
        start=0,
        end=found[-1].end,
        operation="SEVERAL",
        effects=(Effect(Action.UNCLASSIFIED, found[0].effects[0].object),),
        doubt="cannot insert multiple commands into a prepared statement",
        literals=tuple(literal for one in found for literal in one.literals),
        returns_rows=True,
        reads=frozenset().union(*(one.reads for one in found)),
        copies=None,
    )


def _forget(portal: Portal) -> None:
    """Nobody knows what a portal shows in whose place code may have put a cursor of its own."""
    running = portal.running
    if portal.judged is None:
        portal.judged = running.classified
        running.classified = replace(running.classified, by_code=True, outputs=None, otherwise=None)
    running.guarded, running.planned, running.plan = True, False, None
    portal.described, portal.fields = False, None
