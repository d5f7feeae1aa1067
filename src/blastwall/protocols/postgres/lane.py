"""The fast lane: a statement whose answer stands, asked again while nothing else is under way.

Most of what a busy client sends is what it sent before with other values. Where everything that the first answer
depended on is as it was, such an exchange needs no classification, no ruling and no entry in the pipeline:

    client   Query                     or   [Parse] Bind [Describe] Execute Sync, whole in one read
    gate     Repeat ─▶ Allow           (`AskWhole`: the very same bytes go the ordinary way)
    server   the plain answer, whose order a table tells (`plain_answers`)

Whatever else happens, whoever causes it, the lane is left: `leave` puts into pipeline and names what the ordinary way
would have put there, plays to it what the server has said so far, and the ordinary way goes on from the next message.
The lane never decides anything by itself: it knows only what the ordinary way has shown it (`learn_…`), and everything
that it cannot read with certainty is not its business.
"""

from __future__ import annotations

from dataclasses import replace

from blastwall.masking.plan import MaskPlan
from blastwall.model.statement import Stage, Statement
from blastwall.protocols.again import Again
from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Allow,
    Answer,
    AskWhole,
    Deny,
    Finished,
    Output,
    Refused,
    Send,
)
from blastwall.protocols.postgres.bound import Bound, numbers_at, read_bind, recorded, values_of
from blastwall.protocols.postgres.conversation import Conversation, Waiting
from blastwall.protocols.postgres.learned import Learned, Similar
from blastwall.protocols.postgres.messages import (
    affected_by,
    affected_rows,
    decode_command_tag,
    decode_row_description,
    format_of,
)
from blastwall.protocols.postgres.naming import Names
from blastwall.protocols.postgres.pipeline import Entry, Known, Owed, Portal, Prepared, Running
from blastwall.protocols.postgres.plain_answers import (
    COMPLETE,
    DESCRIBED,
    NO_DATA,
    READY,
    Plain,
    plain_answer,
    steps_ended,
)
from blastwall.protocols.postgres.requests import Requests
from blastwall.protocols.postgres.responses import Responses
from blastwall.protocols.postgres.rows import STRIDE, CatalogTooOld, sent_of
from blastwall.protocols.postgres.runs import run_of_rows, uint32
from blastwall.sql.postgres import Classified, NameState, facts, shape_in
from blastwall.wire import memory
from blastwall.wire.inbox import HEADER
from blastwall.wire.native import Flag, Octets, Whole
from blastwall.wire.reader import Malformed

_D, _P, _B, _E, _Q = b"DPBEQ"
_I = ord("I")
_DESCRIBE_UNNAMED = b"D\0\0\0\6P\0"
_EXECUTE_UNNAMED = b"E\0\0\0\x09\0\0\0\0\0"
_SYNC = b"S\0\0\0\4"
_ENDING = _EXECUTE_UNNAMED + _SYNC
_DESCRIBED_ENDING = _DESCRIBE_UNNAMED + _ENDING
_DESCRIBED_STEPS, _BOUND_STEPS = b"BDES", b"BES"
_STATUSES = (b"I", b"T")
_LONGEST = 0x7FFFFFFF
"""A length field is signed."""
_LONGEST_READ = 64 * 1024
"""A message that is to be read whole is waited for here up to this length; the ordinary way has limits of its own."""
_GIVES_ROWS = (_E, _Q)
_DESCRIPTIONS = (DESCRIBED, NO_DATA)
_READY_SIZE = 6
_HEADER = HEADER
_IDLE, _INSIDE = b"I", b"T"


class Lane:
    """The fast lane of one session: `open` while an exchange is under way, `asking` while it waits for answers."""

    def __init__(self, conversation: Conversation, learned: Learned, requests: Requests, responses: Responses) -> None:
        self._shared = conversation
        self._learned = learned
        self._requests = requests
        self._responses = responses
        self._state: NameState | None = None
        self._bare: NameState | None = None
        self._facts: tuple[object, ...] = ()
        self.open: Flag = False
        self._asked: Waiting | None = None
        self._spare_running: Running | None = None
        self._spare_again: Again | None = None
        self._spare_waiting: Waiting | None = None
        self._spare_bound: Bound = Bound()
        self._found: Plain = Plain()
        self._named = ""
        self._name: Octets = b"\0"
        """What was bound last, and the same as it stands in a Bind."""
        self._changed: Whole = -1
        self._last_tag: Octets = b""
        """The rows that the command of the last tag changed, below 0 where it is none that does."""
        self._more: list[Output] = []
        self._seen: list[tuple[int, bytes]] = []
        self._similar: Similar | None = None
        """What the text that was asked for last is like, where it is only like a known one (`Again.like`)."""
        self._stated = self._state_like
        self._set_out(b"", b"", None)

    def _set_out(self, data: Octets, steps: Octets, known: Known | None) -> None:
        self._data: Octets = data
        self._steps: Octets = steps
        self._at: Whole = 0
        self._known = known
        self._again: Again | None = None
        self._main: Running | None = None
        self._parse: Running | None = None
        self._prepared: Prepared | None = None
        self._bound: Bound | None = None
        if self._seen:
            self._seen = []
        self._tag = b""
        self._planned: Flag = False
        self._plan: MaskPlan | None = None

    def _holds(self, known: Known) -> Flag:
        """Whether the session is in the state in which the statement was classified and asked."""
        shared: Conversation = self._shared
        self._note_state()
        inside: Flag = shared.status != _IDLE
        if known.mark is not shared.present.mark or known.inside != inside:
            return False
        if known.facts is not self._facts:
            if known.facts != self._facts:
                return False
            known.facts = self._facts
        return not (known.commits and self._responses.catalog_changed)

    def _note_state(self) -> None:
        state = self._shared.names.meaning()
        if state is not self._state:
            self._state, self._facts = state, facts(state)
            self._bare = replace(state, prepared={}, cursors={})

    # ── the client's half ────────────────────────────────────────────────────────────────────────────────────────────

    def client(self, data: Octets) -> Again | None:
        """Take what the client sent; None where it must go the ordinary way."""
        shared: Conversation = self._shared
        if (
            self.open
            or len(data) < _HEADER
            or shared.waiting is not None
            or shared.discarding
            or shared.refreshing is not None
            or shared.cancelling
            or self._requests.unread()
            or shared.pipeline.owes_anything()
            or len(self._responses.carry)
        ):
            return None
        kind: Whole = data[0]
        if kind == _Q:
            return self._simple(data)
        if kind == _B or kind == _P:  # noqa: SIM109, PLR1714 - the twin compares numbers
            return self._extended(data, kind)
        return None

    def _simple(self, data: Octets) -> Again | None:
        known: Known | None = self._learned.queries.get(data)
        if known is None:
            return self._like(data)
        if not self._holds(known):
            return None
        self._set_out(data, b"QS", known)
        main: Running = self._run(known)
        self._main = main
        return self._ask((main,), self._repeat(main, known, ()), False)

    def _like(self, data: Octets) -> Again | None:
        """Take a simple Query whose text differs from a known one in literals that nobody looked at."""
        end: Whole = len(data) - 1
        if uint32(data, 1) != end or data[end] != 0:
            return None
        shaped = shape_in(data, HEADER, end)
        if shaped is None and data.find(b"\0", HEADER) != end:
            return None  # a shape says that there is no NUL within
        try:
            text = memory.text(data, HEADER, end)
        except UnicodeDecodeError:
            return None
        one: Similar | None = self._learned.alike(data, shaped) if shaped is not None else None
        if one is None or not self._holds(one.known):
            one = self._find_like(data, text, shaped)
            if one is None:
                return None
        known: Known = one.known
        self._set_out(data, b"QS", known)
        main: Running = self._run(known)
        self._main = main
        again: Again = self._repeat(main, known, ())
        again.text, again.like = text, self._stated
        self._similar = one
        return self._ask((main,), again, False)

    def _find_like(self, data: Octets, text: str, shaped: tuple[bytes, list[int]] | None) -> Similar | None:
        """Find what speaks for a text among all that is known of its catalog, and remember it for the next of its like.

        None where its answer does not stand now.
        """
        self._note_state()
        alike = self._shared.snapshot.texts.alike(text, self._facts)
        if alike is None or len(alike.template.found) != 1:
            return None
        known = self._learned.like(alike.template.of(text)[0])
        if known is None or not self._holds(known):
            return None
        one = Similar(known, alike.template)
        if shaped is not None:
            self._learned.note_alike(data, shaped, alike, one)
        return one

    def _state_like(self) -> Statement:
        """What is under way by its likeness to a known statement, in the gate's words."""
        again, similar = self._again, self._similar
        if again is None or again.text is None or similar is None:
            raise AssertionError("what is asked for is like something")
        return self._shared.statement(again.text, similar.template.of(again.text)[0], Stage.EXECUTE)

    def _extended(self, data: Octets, kind: Whole) -> Again | None:
        position: Whole = 0
        message = b""
        parsed: Known | None = None
        if kind == _P:
            position = 1 + int.from_bytes(data[1:HEADER], "big")
            message = data[:position]
            parsed = self._learned.parses.get(message)
            if parsed is None or not self._holds(parsed):
                return None
        bound: Bound = self._spare_bound
        if not read_bind(bound, data, position) or (parsed is not None and bound.name_end > bound.name):
            return None
        described: Flag = memory.same(data, bound.end, len(data), _DESCRIBED_ENDING)
        if not described and not memory.same(data, bound.end, len(data), _ENDING):
            return None
        if parsed is not None:
            known: Known | None = self._learned.binds.get(message)
            if known is None or not self._holds(known) or (not described and known.ruled and known.gives):
                return None
            return self._parse_too(data, message, parsed, known, described)
        prepared: Prepared | None = self._prepared_by(bound, data)
        known = prepared.known if prepared is not None else None
        if prepared is None or known is None or not self._holds(known):
            return None
        if prepared.fields is None and not described and known.ruled and known.gives:
            return None
        if prepared.catalog is not self._shared.present.mark:
            return None
        return self._ask_bound(data, known, prepared, described)

    def _prepared_by(self, bound: Bound, data: Octets) -> Prepared | None:
        """What a Bind binds. Mostly that has the same name as what was bound before."""
        if not memory.same(data, bound.name, bound.name_end + 1, self._name):
            self._name = data[bound.name : bound.name_end + 1]
            self._named = memory.text(data, bound.name, bound.name_end)
        return self._shared.names.prepared_as(self._named)

    def _ask_bound(self, data: Octets, known: Known, prepared: Prepared, described: Flag) -> Again:
        """Ask for what a prepared statement does."""
        bound: Bound = self._spare_bound
        values = recorded(bound, data, prepared.types)
        self._set_out(data, _DESCRIBED_STEPS if described else _BOUND_STEPS, known)
        main: Running = self._run(known)
        self._main = main
        again: Again = self._repeat(main, known, values)
        again.opaque = _opaque(values)
        self._prepared, self._bound = prepared, bound
        return self._ask((main,), again, True)

    def _parse_too(self, data: Octets, message: Octets, parsed: Known, known: Known, described: Flag) -> Again:
        """Ask for what is prepared by the same bytes, and bound."""
        bound: Bound = self._spare_bound
        values = recorded(bound, data, known.types)
        self._set_out(data, b"P" + (_DESCRIBED_STEPS if described else _BOUND_STEPS), known)
        parse: Running = self._run(parsed)
        prepared: Prepared = Prepared("", _text_of(message), known.classified, known.types, self._bare)
        prepared.catalog, prepared.known, prepared.message = self._shared.present.mark, known, message
        main: Running = self._run(known)
        again: Again = self._repeat(main, known, values)
        again.parse, again.parsing, again.opaque = parse.number, parsed.standing, _opaque(values)
        self._parse, self._main, self._prepared, self._bound = parse, main, prepared, bound
        return self._ask((parse, main), again, True)

    # Of each the one of an exchange that has ended is used again: making them anew costs as much as all the rest.

    def _run(self, known: Known) -> Running:
        running: Running | None = self._spare_running
        self._spare_running = None
        if running is None:
            running = Running(self._shared.next_number(), known.classified)
        else:
            running.number, running.classified = self._shared.next_number(), known.classified
        running.rules, running.guarded = known.rules, known.guarded
        return running

    def _repeat(self, main: Running, known: Known, values: tuple[str | bytes | None, ...]) -> Again:
        again: Again | None = self._spare_again
        self._spare_again = None
        if again is None:
            return Again(main.number, known.standing, values)
        again.begin(main.number, known.standing, values)
        return again

    def _ask(self, running: tuple[Running, ...], again: Again, extended: Flag) -> Again:
        waiting: Waiting | None = self._spare_waiting
        self._spare_waiting = None
        if waiting is None:
            waiting = Waiting(running, _never, extended)
        else:
            waiting.running, waiting.extended = running, extended
        self._asked = self._shared.waiting = waiting
        self._again = again
        return again

    def _let_go(self, main: Running, again: Again) -> None:
        """An exchange has ended, and nothing but the lane knows its statement."""
        main.rows = main.bytes = main.width = 0
        main.planned = main.done = False
        self._main, self._spare_running = None, main
        self._spare_again = again

    @property
    def asking(self) -> bool:
        """Whether what the session waits for was asked here; a cancel may have ended that meanwhile."""
        return self._asked is not None and self._asked is self._shared.waiting

    def give_up(self) -> None:
        """What was asked here is about to be refused: its Sync, which was taken with it, is still to be answered."""
        if self.asking:
            if self._steps[0] != _Q:
                self._requests.put_first(_SYNC)
            self._asked = None

    def answer(self, number: int, answer: Answer) -> list[Output]:
        """Take the answer to something asked here: all allowed, or nothing is sent and the lane is left."""
        shared, waiting = self._shared, self._shared.waiting
        if waiting is None or all(one.number != number for one in waiting.running):
            return []
        if isinstance(answer, Allow):
            waiting.allowed.add(number)
            if len(waiting.allowed) < len(waiting.running):
                return []
            self._go()
            return [Send(UPSTREAM, self._data)]
        data, self._asked = self._data, None
        if isinstance(answer, AskWhole):
            shared.waiting = None
            outputs: list[Output] = [
                Refused(one.number, "asked for as a whole instead")
                for one in waiting.running
                if one.number in waiting.allowed
            ]
            self._learned.forget()
            return outputs + self._requests.receive_first(data)
        outputs = shared.answer(number, answer if isinstance(answer, Deny) else Deny("not allowed"))
        return outputs + (self._requests.receive_first(_SYNC) if waiting.extended else [])

    def granted(self) -> bytes | None:
        """All is allowed that was asked here: return what is sent; None where something came between."""
        waiting: Waiting | None = self._asked
        if waiting is None or waiting is not self._shared.waiting or self._requests.unread():
            return None
        self._go()
        if not (waiting.allowed or waiting.held or waiting.stale):
            waiting.running, self._spare_waiting = (), waiting
        return self._data

    def owed(self) -> list[Running]:
        """What the server has of an exchange here, and has not answered to its end."""
        found = (self._parse, self._main) if self.open else ()
        return [one for one in found if one is not None and not one.done]

    def under_way(self) -> Classified | None:
        """The statement that the server has of an exchange here."""
        return self._main.classified if self.open and self._main is not None else None

    def _go(self) -> None:
        """What was asked is about to be sent."""
        shared: Conversation = self._shared
        known: Known | None = self._known
        shared.waiting = self._asked = None
        self.open = True
        if known is not None:
            shared.touched = shared.touched or known.guarded
            if known.ruled and not known.gives:
                self._planned = True

    # ── the server's half ────────────────────────────────────────────────────────────────────────────────────────────

    def server(self, data: bytes) -> list[Output]:
        """Take what the server sent while an exchange is under way here."""
        responses = self._responses
        buffer = responses.carry + data if responses.carry else data
        size = len(buffer)
        passing = responses.passing
        position = min(size, passing)
        responses.passing = passing - position
        responses.carry = b""
        outputs: list[Output] = []
        start = 0
        while size - position >= HEADER:
            kind = buffer[position]
            length = uint32(buffer, position + 1)
            end = position + 1 + length
            if (
                length < 4
                or length > (_LONGEST if kind == _D else _LONGEST_READ)
                or (kind == _D and not self._gives_rows())
            ):
                return self._leave_at(buffer, start, position, outputs)
            if kind == _D:
                passed, masked = self._pass_rows(buffer, position, end)
                if masked is not None:
                    self._pass(buffer, start, position, outputs)
                    outputs.append(Send(CLIENT, masked))
                    start = passed
                elif passed == position and (end <= size or length > _LONGEST_READ):
                    return self._leave_at(buffer, start, position, outputs)
                elif passed == position:
                    break
                position = passed
                continue
            if end > size:
                break
            if not self._step(kind, buffer[position + HEADER : end]):
                return self._leave_at(buffer, start, position, outputs)
            position = end
            if kind == READY:
                return self._finish(buffer, start, position, outputs)
        self._pass(buffer, start, position, outputs)
        responses.carry = buffer[position:] if position < size else b""
        outputs += self.streamed(STRIDE)
        return outputs

    def answered(self, data: Octets) -> Again | None:
        """Take an answer that is whole in one read, plain, and passes as it is; None, and nothing taken, for any other.

        It follows the same table as `server`.
        """
        responses: Responses = self._responses
        main: Running | None = self._main
        again: Again | None = self._again
        if not self.open or self._at or self._seen or len(responses.carry) or responses.passing:
            return None
        if main is None or again is None or self._requests.unread():
            return None
        found: Plain = self._found
        if not plain_answer(data, self._steps, found) or not self._passes(found, data):
            return None
        affected: Whole = -1
        if found.tag_end:
            try:
                affected = self._affected(found, data)
            except Malformed:
                return None
        self.open = False
        main.rows, main.bytes, main.done = found.rows, found.size, True
        again.rows, again.size, again.affected = found.rows, found.size, affected
        if self._parse is not None and self._prepared is not None:
            self._shared.names.parsed(self._prepared)
        outputs: list[Output] = self._more
        if self._settle(main, _IDLE if data[len(data) - 1] == _I else _INSIDE, outputs):
            self._let_go(main, again)
        if outputs:
            again.more, self._more = outputs, []
        return again

    def _affected(self, found: Plain, data: Octets) -> Whole:
        """The rows that the command changed, below 0 where it is none that does. Mostly its tag is the same as before.

        Raises:
            Malformed: what it says is none.
        """
        if not memory.same(data, found.tag, found.tag_end, self._last_tag):
            tag = data[found.tag : found.tag_end]
            changed = affected_by(tag)
            self._changed = -1 if changed is None else changed
            self._last_tag = tag
        return self._changed

    def _passes(self, found: Plain, data: Octets) -> Flag:
        """Whether the rows of such an answer pass as they are, as far as it is known."""
        known: Known | None = self._known
        main: Running | None = self._main
        if known is None or main is None:
            return False
        if found.start:
            described = known.described
            if known.plan is not None or described is None:
                return False
            if not memory.same(data, found.start, found.stop, described):
                return False
            main.width, main.planned, main.plan = len(known.fields), True, None
            return True
        if not self._planned and found.rows and (self._steps[0] == _Q or not self._plan_bound()):
            return False
        return self._plan is None

    @staticmethod
    def _pass(buffer: bytes, start: int, end: int, outputs: list[Output]) -> None:
        if end > start:
            outputs.append(Send(CLIENT, buffer if start == 0 and end == len(buffer) else buffer[start:end]))

    def _gives_rows(self) -> bool:
        """Whether rows are owed now, and it is known what in them is to be masked."""
        step = self._steps[self._at]
        return step in _GIVES_ROWS and (self._planned or (step == _E and self._plan_bound()))

    def _pass_rows(self, buffer: bytes, position: int, end: int) -> tuple[int, bytes | None]:
        """Take the run of rows at `position`; return its end, and what replaces it where it is masked.

        Its end is `position` where the ordinary way must read its rows, or the first one is not whole and must be.
        """
        main, plan, size = self._main, self._plan, len(buffer)
        if main is None:
            return position, None
        if plan is not None:
            masked, stop = self._responses.rows.mask_run(main, plan, buffer, position)
            return stop, masked
        stop, rows = run_of_rows(buffer, position, _D)
        if not rows:
            rows, stop = 1, min(end, size)
            self._responses.passing = end - stop
            main.bytes += end - stop
        main.rows += rows
        main.bytes += stop - position
        return stop, None

    def streamed(self, stride: int = 0) -> list[Output]:
        """How much of the result under way was sent, where that is `stride` bytes more than was last said."""
        return sent_of(self._main, stride) if self.open and self._main is not None else []

    def _step(self, kind: int, body: bytes) -> bool:
        """Follow the table; False where the ordinary way must see to this message."""
        step = self._steps[self._at]
        moves = steps_ended(step, kind)
        if moves is None:
            return False
        if kind in _DESCRIPTIONS:
            if not self._describe(body if kind == DESCRIBED else b""):
                return False
        elif kind == COMPLETE:
            self._tag = body
        if kind != READY:
            self._seen.append((kind, body))
        self._at += moves
        return True

    def _describe(self, body: bytes) -> bool:
        """Take the result's description; False where the catalog must be read before its rows can be masked."""
        known, main = self._known, self._main
        if known is None or main is None:
            return False
        if known.described != body:
            fields = decode_row_description(body) if body else ()
            try:
                self._responses.rows.describe(main, fields, [field.format_ for field in fields])
            except CatalogTooOld:
                return False
            known.described, known.fields, known.plan = body, fields, main.plan
        main.width, main.planned, main.plan = len(known.fields), True, known.plan
        self._planned, self._plan = True, known.plan
        return True

    def _plan_bound(self) -> Flag:
        """Plan for rows that were not described in this exchange, by what is known of the prepared statement."""
        main: Running | None = self._main
        prepared: Prepared | None = self._prepared
        bound: Bound | None = self._bound
        known: Known | None = self._known
        if main is None or prepared is None or bound is None or known is None:
            return False
        if not known.ruled:
            self._planned = main.planned = True
            return True
        fields = prepared.fields
        if fields is None:
            return False
        results = numbers_at(self._data, bound.results_at, bound.results)
        try:
            formats = [format_of(results, position) for position in range(len(fields))]
            self._responses.rows.describe(main, fields, formats)
        except CatalogTooOld:
            return False
        self._planned, self._plan = True, main.plan
        return True

    def _finish(self, buffer: bytes, start: int, position: int, outputs: list[Output]) -> list[Output]:
        """The server is ready: what ran has succeeded."""
        main, shared = self._main, self._shared
        status = buffer[position - 1 : position]
        if main is None or status not in _STATUSES:
            return self._leave_at(buffer, start, position - _READY_SIZE, outputs)
        self.open = False
        self._pass(buffer, start, position, outputs)
        if self._parse is not None and self._prepared is not None:
            shared.names.parsed(self._prepared)
            outputs.append(Finished(self._parse.number, 0, None, 0))
        main.done = True
        affected = affected_rows(decode_command_tag(self._tag)) if self._tag else None
        outputs.append(Finished(main.number, main.rows, affected, main.bytes, None, _counted(self._plan)))
        self._settle(main, status, outputs)
        if position < len(buffer):
            outputs += self._responses.receive(buffer[position:])
        return outputs

    def _settle(self, main: Running, status: Octets, outputs: list[Output]) -> Flag:
        """What the end of an exchange means for the session; whether nothing there refers to its statement."""
        shared: Conversation = self._shared
        names: Names = shared.names
        known: Known | None = self._known
        idle: Flag = status == _IDLE
        if self._bound is not None and not idle:
            self._responses.give_up(names.bound(self._portal(main)), outputs)
        alone: Flag = not (known is None or known.ends or status != shared.status or names.any_portals())
        if not alone:
            self._responses.settle([main], status, outputs, query=self._steps[0] == _Q)
        elif self._steps[0] == _Q:
            names.forget_unnamed_statement()
        if idle:
            shared.touched = False
        return alone

    # ── leaving ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def leave(self) -> list[Output]:
        """Hand what is under way over to the ordinary way."""
        if not self.open:
            return []
        self.open = False
        main, known = self._main, self._known
        if main is None or known is None:
            return []
        known.described, known.plan = None, None  # the plan counts for this result now
        again, similar = self._again, self._similar
        if again is not None and again.like is not None and again.text is not None and similar is not None:
            main.classified = similar.template.of(again.text)[0]
        if self._steps[0] == _Q:
            self._push(Entry(Owed.QUERY, self._shared.pipeline.segment, running=[main]))
            self._shared.names.sent(main)
        else:
            self._push_extended(main)
        return self._replay(main)

    def _push(self, entry: Entry) -> None:
        self._shared.pipeline.push(entry)

    def _push_extended(self, main: Running) -> None:
        names, segment = self._shared.names, self._shared.pipeline.segment
        prepared = self._prepared
        if self._parse is not None and prepared is not None:
            self._push(Entry(Owed.PARSE, segment, running=[self._parse], prepared=prepared))
            names.sent_parse(prepared)
        portal = self._portal(main)
        self._push(Entry(Owed.BIND, segment, running=[main], portal=portal))
        names.sent_bind(portal)
        if _D in self._steps:
            portal.described = True
            self._push(Entry(Owed.DESCRIBE, segment, portal=portal))
        self._push(Entry(Owed.EXECUTE, segment, running=[main], portal=portal))
        names.sent(main)
        self._push(Entry(Owed.SYNC, segment))

    def _portal(self, main: Running) -> Portal:
        prepared, bound, data = self._prepared, self._bound, self._data
        if prepared is None or bound is None:
            raise AssertionError("an exchange of the extended protocol binds")
        formats = numbers_at(data, bound.formats_at, bound.formats)
        return Portal(
            "", prepared, main, values_of(bound, data), formats, numbers_at(data, bound.results_at, bound.results)
        )

    def _replay(self, main: Running) -> list[Output]:
        """Play to the ordinary way what the server has said; the client has it already."""
        planned, plan, width = main.planned, main.plan, main.width
        outputs: list[Output] = []
        for kind, body in self._seen:
            if kind != DESCRIBED or self._steps[0] != _Q:  # the plan stands, which another catalog may not give
                outputs += self._responses.replay(kind, body)
        if planned and not main.done:
            main.planned, main.plan, main.width = planned, plan, width
        return outputs

    def _leave_at(self, buffer: bytes, start: int, position: int, outputs: list[Output]) -> list[Output]:
        """The ordinary way goes on from the message at `position`."""
        self._pass(buffer, start, position, outputs)
        outputs += self.leave()
        return outputs + self._responses.receive(buffer[position:])


def _opaque(values: tuple[str | bytes | None, ...]) -> bool:
    for value in values:  # noqa: SIM110 - faster than a generator
        if isinstance(value, bytes):
            return True
    return False


def _text_of(message: bytes) -> str:
    """The text of a Parse of the unnamed statement, which the ordinary way has read before."""
    start = HEADER + 1
    return message[start : message.index(b"\0", start)].decode()


def _counted(plan: MaskPlan | None) -> dict[str, int]:
    """The cells that a plan hid, which begins to count anew."""
    if plan is None or not plan.counts:
        return {}
    counts, plan.counts = plan.counts, {}
    return counts


def _never(_outputs: list[Output]) -> None:
    raise AssertionError("the lane sends by itself")
