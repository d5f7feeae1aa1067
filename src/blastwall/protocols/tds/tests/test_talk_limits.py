"""Dialogues under a row limit of 3: nothing over it is committed, and the client's transaction is as it left it."""

from __future__ import annotations

import pytest

from blastwall.model.ruling import Obligations
from blastwall.model.statement import Statement
from blastwall.protocols.contract import Allow, Answer, Ask, Exceeded, Finished, Injected, Refused, Side
from blastwall.protocols.tds.answers import done, env_change, info
from blastwall.protocols.tds.packets import EOM, IGNORE, RESET, Kind, Message, framed, header
from blastwall.protocols.tds.running import INSERT_BULK
from blastwall.protocols.tds.tests.talking import (
    Talk,
    TinyServer,
    attention,
    batch,
    executesql,
    opening,
    rpc,
)
from blastwall.protocols.tds.tokens import ENV_BEGIN, ENV_COMMIT
from blastwall.protocols.tds.transactions import Verb, read_transaction

DELETE = "DELETE FROM dbo.orders"
TOO_MANY = "blastwall: policy limits this statement to 3 rows: it changes more than 3 rows; it was rolled back"
OVER = [f"error 50000: {TOO_MANY}", "done failed", "|"]
ACKNOWLEDGED = ["done cancelled", "|"]


pytestmark = pytest.mark.usefixtures("meant")


def limited(ask: Ask) -> Answer | None:
    assert isinstance(ask.question, Statement)
    return Allow(obligations=Obligations(limit_affected=3))


def over(talk: Talk) -> Exceeded:
    (exceeded,) = talk.events(Exceeded)
    assert isinstance(exceeded, Exceeded)
    assert talk.events(Finished)[-1] == Finished(exceeded.number, 0, None, 0, f"50000: {exceeded.told}"), (
        "recorded as failed"
    )
    return exceeded


def transactions(talk: Talk) -> list[str]:
    return [f"{text} in {transaction:x}" for kind, text, _, transaction in talk.server.got if kind == "transaction"]


def test_outside_a_transaction_it_runs_in_one_of_the_gateway_s_and_is_committed() -> None:
    talk = Talk(limited, TinyServer(changes=3))
    talk.client(batch(DELETE))
    assert talk.heard == ["done 3 rows", "|"], "nothing of the transaction is told"
    assert talk.server.got == [
        ("transaction", "BEGIN", 0, 0),
        ("batch", DELETE, 0, 0x100),
        ("transaction", "COMMIT", 0, 0x100),
    ]
    assert [one.text for one in talk.events(Injected) if isinstance(one, Injected)] == [
        "BEGIN TRANSACTION",
        "COMMIT TRANSACTION",
    ]
    assert not talk.conversation.in_transaction


def test_over_its_limit_it_is_rolled_back_before_the_client_hears_of_it() -> None:
    talk = Talk(limited, TinyServer(changes=4))
    talk.client(batch(DELETE))
    assert talk.since() == OVER
    assert transactions(talk) == ["BEGIN in 0", "ROLLBACK in 100"]
    assert over(talk).limit == "affected"
    talk.server.changes = 1
    talk.client(batch(DELETE))
    assert talk.since() == ["done 1 rows", "|"]


def test_in_the_client_s_transaction_only_the_statement_is_undone() -> None:
    talk = Talk(limited, TinyServer(changes=4))
    talk.conversation.descriptor = talk.server.transaction = 7
    talk.client(batch(DELETE, transaction=7))
    assert talk.heard == OVER
    assert transactions(talk) == ["SAVE blastwall_limit in 7", "ROLLBACK blastwall_limit in 7"]
    assert talk.conversation.descriptor == 7, "it goes on"


def test_under_xact_abort_the_whole_transaction_is_undone_as_an_error_would() -> None:
    talk = Talk(limited, TinyServer(changes=4))
    talk.client(batch("SET xact_abort on"))
    talk.conversation.descriptor = talk.server.transaction = 7
    talk.since()
    talk.client(batch(DELETE, transaction=7))
    assert talk.since() == ["change 10", *OVER]
    assert transactions(talk) == ["SAVE blastwall_limit in 7", "ROLLBACK in 7"]
    assert not talk.conversation.in_transaction


def test_in_the_client_s_transaction_what_is_within_the_limit_stays() -> None:
    talk = Talk(limited, TinyServer(changes=2))
    talk.conversation.descriptor = talk.server.transaction = 7
    talk.client(batch(DELETE, transaction=7))
    assert talk.heard == ["done 2 rows", "|"]
    assert transactions(talk) == ["SAVE blastwall_limit in 7"]
    assert talk.server.got[-1] == ("batch", DELETE, 0, 7)


def test_in_implicit_mode_the_transaction_that_it_opens_is_undone() -> None:
    talk = Talk(limited, Implicit(changes=4))
    talk.client(batch("SET implicit_transactions on"))
    talk.since()
    talk.client(batch(DELETE))
    assert talk.since() == OVER, "the client has never heard of the transaction"
    assert transactions(talk) == ["ROLLBACK in 100"]
    assert not talk.conversation.in_transaction
    talk.server.changes = 1
    talk.client(batch(DELETE))
    assert talk.since() == ["change 8", "done 1 rows", "|"], "it is the client's to commit"
    assert talk.conversation.in_transaction


class Implicit(TinyServer):
    """A change opens a transaction."""

    def batch(self, text: str) -> bytes:
        done = super().batch(text)
        if text.startswith("SET"):
            return done
        self.transaction = 0x100
        return env_change(ENV_BEGIN, self.transaction.to_bytes(8, "little")) + done


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("DELETE FROM dbo.orders NOCOUNT", "would not say how many rows"),
        ("DELETE FROM dbo.orders COMMIT", "begins or ends a transaction"),
    ],
)
def test_what_cannot_be_counted_or_undone_is_refused_before_it_is_sent(text: str, why: str) -> None:
    talk = Talk(limited)
    talk.client(batch(text))
    assert why in talk.heard[0]
    assert not talk.server.got
    assert talk.events(Refused)


def test_with_nocount_on_a_change_under_a_limit_is_refused() -> None:
    talk = Talk(limited)
    talk.client(batch("SET nocount on"), batch(DELETE))
    assert "SET NOCOUNT OFF" in talk.heard[-3]
    assert talk.server.texts() == ["SET nocount on"]


def test_a_change_whose_count_the_server_does_not_tell_is_rolled_back() -> None:
    talk = Talk(limited)
    talk.client(batch(DELETE + " SILENTLY"))
    assert "did not say how many rows" in talk.heard[0]
    assert transactions(talk) == ["BEGIN in 0", "ROLLBACK in 100"]


def test_what_fails_is_told_as_it_is() -> None:
    talk = Talk(limited, TinyServer(error="violates a constraint"))
    talk.client(batch(DELETE))
    assert talk.heard == ["error 547: violates a constraint", "done failed", "|"]
    assert transactions(talk) == ["BEGIN in 0", "COMMIT in 100"]
    (finished,) = talk.events(Finished)
    assert isinstance(finished, Finished)
    assert finished.error is not None


def test_a_commit_that_fails_is_told_in_the_place_of_success() -> None:
    talk = Talk(limited, TinyServer(fails=frozenset({Verb.COMMIT})))
    talk.client(batch(DELETE))
    assert "could not be committed" in talk.heard[0]
    assert talk.heard[1:] == ["done failed", "|"]
    (finished,) = talk.events(Finished)
    assert isinstance(finished, Finished)
    assert finished.error is not None


def test_a_transaction_that_cannot_be_opened_keeps_the_statement_back() -> None:
    talk = Talk(limited, TinyServer(fails=frozenset({Verb.BEGIN})))
    talk.client(batch(DELETE))
    assert "could not be opened" in talk.heard[0]
    assert not talk.server.texts("batch")
    assert talk.events(Refused)


def test_what_cannot_be_rolled_back_ends_the_session() -> None:
    talk = Talk(limited, TinyServer(changes=4, fails=frozenset({Verb.ROLLBACK})))
    talk.client(batch(DELETE))
    assert talk.play.closed is not None
    assert talk.heard == [], "success is never told"


def test_where_it_is_open_how_many_counts_must_come_nocount_is_put_off_first() -> None:
    """A server may have NOCOUNT on for every session ("user options"), which the gateway cannot see."""
    talk = Talk(limited, TinyServer(changes=4))
    talk.client(
        batch("DELETE x IF", status=RESET), batch("DELETE y IF"), batch(DELETE), batch("DELETE z IF", status=RESET)
    )
    assert talk.server.texts("batch") == [
        "SET NOCOUNT OFF", "DELETE x IF", "DELETE y IF", DELETE, "SET NOCOUNT OFF", "DELETE z IF"
    ]  # fmt: skip
    assert [reset for _, text, reset, _ in talk.server.got if text == "SET NOCOUNT OFF"] == [RESET, RESET]


def test_a_cancel_before_the_savepoint_is_set_undoes_nothing() -> None:
    talk = Talk(limited, Dawdling())
    talk.conversation.descriptor = talk.server.transaction = 7
    talk.client(batch("DELETE x IF", transaction=7), attention())
    talk.play.from_server(LATE)
    assert talk.heard == ["done failed", "|", *ACKNOWLEDGED]
    assert talk.server.texts() == ["SET NOCOUNT OFF"]
    assert talk.conversation.descriptor == 7


class Dawdling(TinyServer):
    """Does not answer batches."""

    def receive(self, side: Side, data: bytes) -> bytes:
        reply = super().receive(side, data)
        return b"" if self.got and self.got[-1][0] == "batch" else reply


LATE = framed(Kind.REPLY, done(), 4096)


def test_code_that_commits_by_itself_is_told_to_stand_and_ends_the_session() -> None:
    talk = Talk(limited, Committing(changes=4))
    talk.client(batch(DELETE))
    assert "it stands" in (talk.play.closed or "")
    assert talk.heard == [], "and nobody is told that it was rolled back"
    (exceeded,) = talk.events(Exceeded)
    assert isinstance(exceeded, Exceeded)
    assert "it stands" in exceeded.told


class Committing(TinyServer):
    """Its triggers commit."""

    def batch(self, text: str) -> bytes:
        old, self.transaction = self.transaction.to_bytes(8, "little"), 0
        return env_change(ENV_COMMIT, b"", old) + super().batch(text)


def test_a_commit_that_commits_nothing_ends_the_session() -> None:
    talk = Talk(limited, Idle())
    talk.client(batch(DELETE))
    assert "committed nothing" in (talk.play.closed or "")
    assert talk.heard == []


class Idle(TinyServer):
    """Says yes to COMMIT and does nothing."""

    def _transaction(self, message: Message) -> bytes:
        verb = read_transaction(message.payload).verb
        return done() if verb is Verb.COMMIT else super()._transaction(message)


def test_a_reset_goes_with_the_transaction_that_is_opened_for_the_request() -> None:
    talk = Talk(limited)
    talk.client(batch(DELETE, status=RESET))
    assert [reset for *_, reset, _ in talk.server.got] == [RESET, 0, 0]


def test_what_returns_more_than_can_be_kept_is_rolled_back() -> None:
    talk = Talk(limited, Chatty(), opening=opening(backlog=20_000))
    talk.client(batch(DELETE))
    assert "20,000 bytes that can be kept" in talk.heard[0]
    assert transactions(talk) == ["BEGIN in 0", "ROLLBACK in 100"]


class Chatty(TinyServer):
    """Says much before it is done."""

    def batch(self, text: str) -> bytes:
        return info(0, "x" * 8000) * 3 + super().batch(text)


def test_an_attention_undoes_what_ran_under_a_limit_and_is_acknowledged_once() -> None:
    talk = Talk(limited, TinyServer(silent=True))
    talk.client(batch(DELETE), attention())
    assert talk.heard == ACKNOWLEDGED
    assert transactions(talk) == ["BEGIN in 0", "ROLLBACK in 100"]


@pytest.mark.parametrize("slow", [Verb.BEGIN, Verb.COMMIT, Verb.ROLLBACK])
def test_an_attention_between_the_gateway_s_own_requests_is_acknowledged_once(slow: Verb) -> None:
    server = Slow(changes=4 if slow is Verb.ROLLBACK else 1)
    server.slow = slow
    talk = Talk(limited, server)
    talk.client(batch(DELETE), attention())
    assert "attention" not in server.texts()
    talk.play.from_server(server.late)
    assert talk.heard.count("done cancelled") == 1
    assert talk.heard[-2:] == ACKNOWLEDGED
    assert server.transaction == 0
    assert not talk.conversation.busy
    if slow is Verb.BEGIN:
        assert not server.texts("batch")
        assert talk.events(Refused)


def test_what_the_gateway_stops_before_it_is_sent_is_never_sent() -> None:
    server = Slow()
    talk = Talk(limited, server)
    talk.client(batch(DELETE))
    talk.play.interrupt("its budget is spent")
    talk.play.from_server(server.late)
    assert talk.heard == ["error 50000: blastwall: its budget is spent", "done failed", "|"]
    assert not server.texts("batch")
    assert server.transaction == 0


def test_what_the_gateway_stops_while_it_runs_is_undone_and_the_client_hears_why() -> None:
    talk = Talk(limited, TinyServer(silent=True))
    talk.client(batch(DELETE))
    talk.play.interrupt("its budget is spent")
    assert talk.heard == ["error 50000: blastwall: its budget is spent", "done failed", "|"]
    assert transactions(talk) == ["BEGIN in 0", "ROLLBACK in 100"]
    talk.server.silent = False
    talk.client(attention(), batch(DELETE))
    assert talk.heard[3:] == [*ACKNOWLEDGED, "done 1 rows", "|"]


class Slow(TinyServer):
    """Keeps the answer to one transaction request for later."""

    slow = Verb.BEGIN
    late = b""

    def receive(self, side: Side, data: bytes) -> bytes:
        reply = super().receive(side, data)
        if self.got and self.got[-1][1] == self.slow.name and not self.late:
            self.late = reply
            return b""
        return reply


def test_the_calls_of_one_request_share_the_smallest_limit() -> None:
    talk = Talk(limited, TinyServer(changes=2))
    talk.client(rpc(executesql(DELETE), executesql(DELETE)))
    assert talk.heard == [
        f"error 50000: {TOO_MANY}",
        "doneproc failed more",
        f"error 50000: {TOO_MANY}",
        "doneproc failed",
        "|",
    ]
    assert transactions(talk) == ["BEGIN in 0", "ROLLBACK in 100"]


# ── bulk loads ───────────────────────────────────────────────────────────────────────────────────────────────────────

ANNOUNCED = batch(INSERT_BULK + " dbo.orders (id int)")
METADATA = bytes.fromhex("8101000000000008003802690064 00".replace(" ", ""))


def rows(count: int) -> bytes:
    return METADATA + b"\xd1\x01\0\0\0" * count + b"\xfd" + b"\0" * 12


def test_a_bulk_load_within_the_limit_passes() -> None:
    talk = Talk(limited)
    loaded = framed(Kind.BULK, rows(3), 512)
    talk.client(ANNOUNCED, loaded)
    assert bytes(talk.play.to_server) == ANNOUNCED + loaded
    assert talk.heard == ["done", "|", "done 3 rows", "|"]
    (finished,) = talk.events(Finished)
    assert isinstance(finished, Finished)
    assert finished.affected == 3


@pytest.mark.parametrize("size", [512, 4096])
def test_a_bulk_load_over_the_limit_is_taken_back_whole(size: int) -> None:
    talk = Talk(limited)
    talk.client(ANNOUNCED)
    talk.since()
    talk.client(framed(Kind.BULK, rows(300), size))
    assert "it loads more than 3 rows" in talk.since()[0]
    assert not [text for text in talk.server.texts("bulk") if text != "taken back"]
    over(talk)
    talk.client(batch("SELECT 1"))
    assert talk.since() == ["done 1 rows", "|"]


def test_a_load_that_the_gateway_stops_is_taken_back_between_its_packets() -> None:
    talk = Talk(limited)
    part = METADATA + b"\xd1\x01\0\0\0" * 2
    talk.client(ANNOUNCED, header(Kind.BULK, 0, 8 + len(part)) + part)
    talk.play.interrupt("its budget is spent")
    talk.client(header(Kind.BULK, EOM, 8 + 13) + b"\xfd" + b"\0" * 12)
    assert talk.server.texts() == [ANNOUNCED[30:].decode("utf-16-le"), "taken back"]
    assert talk.heard == ["done", "|", "error 50000: blastwall: its budget is spent", "done failed", "|"]


def test_rows_that_nobody_announced_are_dropped() -> None:
    talk = Talk(limited)
    talk.client(framed(Kind.BULK, rows(1), 512))
    assert "follow no INSERT BULK" in talk.since()[0]
    talk.client(ANNOUNCED, batch("SELECT 1"))
    talk.since()
    talk.client(framed(Kind.BULK, rows(1), 512))
    assert "follow no INSERT BULK" in talk.since()[0]
    assert not talk.server.texts("bulk")


def test_a_load_that_its_client_takes_back_is_taken_back_at_the_resource() -> None:
    talk = Talk(limited)
    part = METADATA + b"\xd1\x01\0\0\0" * 2
    talk.client(ANNOUNCED, header(Kind.BULK, 0, 8 + len(part)) + part)
    talk.client(header(Kind.BULK, EOM | IGNORE, 8))
    assert talk.server.texts("bulk") == ["taken back"]
    assert talk.heard == ["done", "|", "done failed", "|"]
    assert not talk.conversation.busy


@pytest.mark.parametrize(
    "payload",
    [b"\x81\xff\xff", METADATA + b"\xd1\x01", METADATA + b"\xe3\x01\0\x12"],
    ids=["no columns", "half", "other"],
)
def test_under_a_limit_rows_that_cannot_be_counted_are_not_loaded(payload: bytes) -> None:
    talk = Talk(limited)
    talk.client(ANNOUNCED)
    talk.since()
    talk.client(framed(Kind.BULK, payload, 4096))
    assert "cannot be counted" in talk.since()[0]
    assert not talk.server.texts("bulk")
    talk.client(batch("SELECT 1"))
    assert talk.since() == ["done 1 rows", "|"]


def test_rows_announced_under_another_policy_are_dropped() -> None:
    talk = Talk(limited)
    talk.client(ANNOUNCED)
    talk.since()
    talk.conversation.reconsider()
    talk.client(framed(Kind.BULK, rows(1), 512))
    assert "policy changed" in talk.since()[0]
    assert not talk.server.texts("bulk")


# ── ways around ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("forged", [0, 8])
def test_nothing_runs_outside_the_transaction_that_can_be_undone(forged: int) -> None:
    talk = Talk(limited, TinyServer(changes=2))
    talk.conversation.descriptor = talk.server.transaction = 7
    talk.client(batch(DELETE, transaction=forged))
    assert talk.server.got[-1] == ("batch", DELETE, 0, 7)


def test_an_error_elsewhere_in_the_request_is_no_reason_to_do_without_a_count() -> None:
    """A server may have NOCOUNT on by default: then the count of the change behind the error would not come."""
    talk = Talk(limited)
    talk.client(rpc(executesql("EXEC broken"), executesql(DELETE)))
    assert talk.server.texts("batch") == ["SET NOCOUNT OFF"]


def test_an_option_that_a_cancelled_request_may_not_have_set_is_not_relied_on() -> None:
    talk = Talk(limited)
    talk.client(batch("SET nocount on"))
    talk.server.silent = True
    talk.client(batch("SET nocount off"), attention())
    talk.server.silent = False
    talk.since()
    talk.client(batch(DELETE + " IF"))
    assert "SET NOCOUNT OFF" in talk.since()[0]
    assert talk.server.texts("batch") == ["SET nocount on", "SET nocount off"]


def test_what_was_allowed_under_an_older_policy_is_not_sent_once_its_transaction_is_there() -> None:
    server = Slow()
    talk = Talk(limited, server)
    talk.client(batch(DELETE))
    talk.halves.reconsider()
    talk.play.from_server(server.late)
    assert talk.heard[0].startswith("error 50000: blastwall: policy changed before it was sent")
    assert not server.texts("batch")
    assert server.transaction == 0


@pytest.mark.parametrize("size", [0, 4, 9, 255])
def test_a_descriptor_of_another_size_ends_the_session(size: int) -> None:
    talk = Talk(limited, TinyServer(silent=True))
    talk.client(batch("SELECT 1"))
    talk.play.from_server(framed(Kind.REPLY, env_change(ENV_BEGIN, b"\xff" * size) + done(), 4096))
    assert f"a transaction descriptor of {size} bytes" in (talk.play.closed or "")
