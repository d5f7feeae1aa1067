"""Whatever a client sends, however it is cut: each request is answered once, and no denied text goes through."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.model.ruling import Obligations
from blastwall.model.statement import Statement
from blastwall.protocols.contract import Allow, Answer, Ask, Deny, Exceeded, Finished, Held, Refused, Withdraw
from blastwall.protocols.tds.packets import EOM, IGNORE, RESET, Kind, framed, header
from blastwall.protocols.tds.running import INSERT_BULK
from blastwall.protocols.tds.tests.talking import Talk, TinyServer, attention, batch, executesql, meaning, rpc
from blastwall.protocols.tds.transactions import Verb, write_transaction

METADATA = bytes.fromhex("810100000000000800380269006400")
REQUESTS = {
    "select": batch("SELECT 1"),
    "secret": batch("SELECT secret"),
    "secret reset": batch("SELECT secret", status=RESET),
    "reset": batch("SELECT 2", status=RESET),
    "delete": batch("DELETE FROM dbo.orders"),
    "delete reset": batch("DELETE FROM dbo.orders", status=RESET),
    "delete with commit": batch("DELETE FROM dbo.orders COMMIT"),
    "abort on": batch("SET xact_abort on"),
    "create": batch("CREATE TABLE t (id int)"),
    "use": batch("USE master"),
    "calls": rpc(executesql("DELETE a"), executesql("DELETE b")),
    "secret calls": rpc(executesql("DELETE a"), executesql("DELETE secret")),
    "begin": framed(Kind.TRANSACTION, write_transaction(Verb.BEGIN, 0), 512),
    "commit": framed(Kind.TRANSACTION, write_transaction(Verb.COMMIT, 0), 512),
    "promote": framed(Kind.TRANSACTION, write_transaction(Verb.BEGIN, 0)[:22] + b"\x06\0", 512),
    "rows": framed(Kind.BULK, METADATA + b"\xd1\x01\0\0\0" * 5, 512),
    "bulk": batch(INSERT_BULK + " dbo.orders (id int)"),
    "taken back": header(Kind.BATCH, EOM | IGNORE, 8),
    "attention": attention(),
}
ACTIONS = st.lists(st.sampled_from(sorted(REQUESTS)), max_size=14)


class Judge:
    """Allows under a limit, denies what is secret, holds every third ask a while."""

    def __init__(self) -> None:
        self.open: list[int] = []
        self._asked = 0

    def __call__(self, ask: Ask) -> Answer | None:
        assert isinstance(ask.question, Statement)
        self._asked += 1
        if "secret" in ask.question.text:
            return Deny("no")
        if self._asked % 3 == 0:
            self.open.append(ask.number)
            return None
        return Allow(obligations=Obligations(limit_affected=3))


@settings(max_examples=80, deadline=None)
@given(ACTIONS, st.integers(0, 6), st.booleans(), st.integers(1, 600))
def test_every_request_is_answered_once(names: list[str], changes: int, pipelined: bool, step: int) -> None:
    with meaning():
        judge = Judge()
        talk = Talk(
            judge, TinyServer(changes=changes), cut=lambda data: [data[n : n + step] for n in range(0, len(data), step)]
        )
        data = [REQUESTS[name] for name in names]
        for message in [b"".join(data)] if pipelined else data:
            talk.client(message)
            _decide(talk, judge)
        _check(talk, names, pipelined=pipelined)


def _decide(talk: Talk, judge: Judge) -> None:
    while judge.open:
        number = judge.open.pop(0)
        talk.play.answer(number, Held("a while"))
        talk.play.answer(number, Allow(obligations=Obligations(limit_affected=3)))


def _check(talk: Talk, names: list[str], *, pipelined: bool) -> None:
    assert talk.play.closed is None
    assert not talk.conversation.busy
    assert not any("secret" in bytes.fromhex(text).decode("utf-16-le", "replace") for text in talk.server.texts("rpc"))
    assert not any("secret" in text for text in talk.server.texts("batch"))
    answered = talk.heard.count("|")
    if pipelined:
        assert names.count("attention") == 0 or answered >= len(names) - names.count("attention")
    else:
        assert answered == len(names)
    asked = {one.number for one in talk.play.asked}
    ends = [one.number for one in talk.play.events if isinstance(one, Finished | Refused | Withdraw)]
    assert len(ends) == len(set(ends)), "each is recorded once"
    denied = asked - set(ends)
    texts = {one.number: one.question for one in talk.play.asked}
    loading = {talk.conversation.loading.number} if talk.conversation.loading is not None else set()
    for number in denied - loading:
        question = texts[number]
        assert isinstance(question, Statement)
        assert "secret" in question.text, "what was allowed came to an end"
    for one in talk.events(Exceeded):
        assert isinstance(one, Exceeded)
        assert "rolled back" in one.told or "none was loaded" in one.told
