"""Every folder of `protocols/` keeps what the contract promises; a new one is checked without an edit here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.protocols.contract import (
    CLIENT,
    Adopt,
    Allow,
    Answer,
    Ask,
    Close,
    Deny,
    Dial,
    Finished,
    Held,
    Injected,
    Login,
    Park,
    Refused,
    Withdraw,
)
from blastwall.testing.conformance import Exchange, Specimens, specimens
from blastwall.testing.playbook import Peer, Playbook

PROTOCOLS = list(specimens())
EXCHANGES = [(kind, name, shown) for kind, shown in PROTOCOLS for name in shown.exchanges]


def opened(shown: Specimens, rule: Callable[[Ask], Answer | None], cut: Sequence[int] = ()) -> Playbook:
    def by_rule(ask: Ask) -> Answer | None:
        return shown.admit if isinstance(ask.question, Login) else rule(ask)

    def cut_up(data: bytes) -> list[bytes]:
        chunks, rest = [], data
        for size in cut:
            if len(rest) <= size:
                break
            chunks.append(rest[:size])
            rest = rest[size:]
        return [*chunks, rest]

    return Playbook(shown.session(), by_rule, shown.server(), shown.look_up, cut=cut_up)


def logged_in(shown: Specimens, rule: Callable[[Ask], Answer | None], cut: Sequence[int] = ()) -> Playbook:
    play = opened(shown, allow, cut)
    play.client(shown.login)
    assert play.closed is None
    for seen in (play.to_client, play.to_server, play.events, play.asked):
        seen.clear()
    play.rule = rule
    return play


def allow(_ask: Ask) -> Answer:
    return Allow()


def deny(_ask: Ask) -> Answer:
    return Deny("not permitted")


def wait(_ask: Ask) -> None:
    return None


def refuse(exchange: Exchange) -> Callable[[Ask], Answer]:
    def rule(ask: Ask) -> Answer:
        found = exchange.text in repr(ask.question)
        return Deny("not permitted") if found else Allow()

    return rule


def play_of_client(play: Playbook) -> list[str]:
    return [repr(event) for event in play.events if not isinstance(event, Finished)]


def play_of_server(play: Playbook) -> list[str]:
    return [repr(event) for event in play.events if isinstance(event, Finished)]


def test_there_is_a_protocol() -> None:
    assert PROTOCOLS


@pytest.mark.parametrize(("kind", "name", "shown"), EXCHANGES)
class TestEveryStatement:
    def test_an_allowed_one_is_forwarded_as_it_came(self, kind: str, name: str, shown: Specimens) -> None:
        play = logged_in(shown, allow)
        play.client(shown.exchanges[name].sent)
        assert bytes(play.to_server) == shown.forwarded(shown.exchanges[name].sent)
        assert shown.refusals(bytes(play.to_client)) == 0

    def test_no_byte_of_an_unanswered_one_reaches_the_resource(self, kind: str, name: str, shown: Specimens) -> None:
        play = logged_in(shown, wait)
        play.client(shown.exchanges[name].sent)
        assert play.asked
        assert not play.to_server

    def test_no_byte_of_a_held_one_reaches_the_resource(self, kind: str, name: str, shown: Specimens) -> None:
        play = logged_in(shown, lambda _ask: Held("waits for dba"))
        play.client(shown.exchanges[name].sent)
        assert not play.to_server

    def test_no_byte_of_a_denied_one_reaches_the_resource(self, kind: str, name: str, shown: Specimens) -> None:
        exchange = shown.exchanges[name]
        play = logged_in(shown, refuse(exchange))
        play.client(exchange.sent)
        assert exchange.marker not in bytes(play.to_server)
        assert shown.refusals(bytes(play.to_client)) == 1

    def test_the_session_works_after_a_refusal(self, kind: str, name: str, shown: Specimens) -> None:
        exchange = shown.exchanges[name]
        play = logged_in(shown, refuse(exchange))
        play.client(exchange.sent)
        play.to_client.clear()
        play.client(shown.after_refusal.sent)
        assert shown.forwarded(shown.after_refusal.sent) in bytes(play.to_server)
        assert shown.refusals(bytes(play.to_client)) == 0
        assert play.closed is None

    def test_what_the_gateway_puts_in_is_marked(self, kind: str, name: str, shown: Specimens) -> None:
        exchange = shown.exchanges[name]
        play = logged_in(shown, refuse(exchange))
        play.client(exchange.sent)
        injected = [event for event in play.events if isinstance(event, Injected)]
        assert len(injected) == (1 if shown.injects else 0)
        assert all(each.text.encode() in bytes(play.to_server) for each in injected)
        assert injected or not play.to_server

    def test_leaving_while_it_waits_withdraws_it(self, kind: str, name: str, shown: Specimens) -> None:
        play = logged_in(shown, wait)
        play.client(shown.exchanges[name].sent)
        asked = [ask.number for ask in play.asked if not isinstance(ask.question, Login)]
        play.leave()
        assert [event.number for event in play.events if isinstance(event, Withdraw)] == asked
        assert play.closed is not None
        assert shown.exchanges[name].marker not in bytes(play.to_server)

    def test_an_answer_after_it_was_cancelled_sends_nothing(self, kind: str, name: str, shown: Specimens) -> None:
        play = logged_in(shown, wait)
        play.client(shown.exchanges[name].sent)
        play.interrupt()
        for ask in play.asked:
            if not isinstance(ask.question, Login):
                play.answer(ask.number, Allow())
        assert shown.exchanges[name].marker not in bytes(play.to_server)
        assert shown.refusals(bytes(play.to_client)) == 1

    @settings(max_examples=60, deadline=None)
    @given(cut=st.lists(st.integers(1, 40), max_size=60), denied=st.booleans())
    def test_chunking_changes_nothing(
        self, kind: str, name: str, shown: Specimens, cut: list[int], denied: bool
    ) -> None:
        exchange = shown.exchanges[name]
        rule = refuse(exchange) if denied else allow
        whole, pieces = opened(shown, rule), opened(shown, rule, cut)
        for play in (whole, pieces):
            play.client(shown.login)
            play.client(exchange.sent)
            play.client(shown.after_refusal.sent)
        assert bytes(pieces.to_client) == bytes(whole.to_client)
        assert bytes(pieces.to_server) == bytes(whole.to_server)
        for of in (play_of_client, play_of_server):
            assert of(pieces) == of(whole)


@pytest.mark.parametrize(("kind", "shown"), PROTOCOLS)
class TestEveryProtocol:
    def test_a_refusal_never_overtakes_earlier_replies(self, kind: str, shown: Specimens) -> None:
        first, second = shown.pipelined
        play = logged_in(shown, refuse(second))
        play.client(first.sent + second.sent)
        answers = list(shown.answers(bytes(play.to_client)))
        assert answers[-1] == "refused"
        assert any(first.text in answer for answer in answers[:-1])

    def test_unreadable_input_closes_and_passes_nothing_on(self, kind: str, shown: Specimens) -> None:
        for data in shown.unreadable:
            play = logged_in(shown, allow)
            play.client(data)
            assert play.closed is not None, data
            assert data not in bytes(play.to_server)

    def test_an_unreadable_start_closes(self, kind: str, shown: Specimens) -> None:
        for data in shown.unreadable_start:
            play = opened(shown, allow)
            play.client(data)
            assert play.closed is not None, data
            assert not play.to_server
            assert not play.asked

    def test_nothing_is_dialled_before_the_gate_admits(self, kind: str, shown: Specimens) -> None:
        play = Playbook(shown.session(), wait, shown.server(), shown.look_up)
        play.client(shown.login + shown.after_refusal.sent)
        assert [type(event) for event in play.events] == [Ask]
        assert not play.to_server

    def test_a_refused_login_reaches_nothing(self, kind: str, shown: Specimens) -> None:
        play = Playbook(shown.session(), deny, shown.server(), shown.look_up)
        play.client(shown.login)
        assert (play.closed is None) is shown.tries_again
        assert not play.to_server
        assert shown.written("not permitted") in play.to_client

    def test_the_credential_is_never_sent_to_the_client(self, kind: str, shown: Specimens) -> None:
        play = opened(shown, allow)
        play.client(shown.login + shown.after_refusal.sent)
        assert shown.admit.upstream.secret not in bytes(play.to_client)

    def test_an_oversized_statement_is_refused_and_the_session_lives(self, kind: str, shown: Specimens) -> None:
        play = logged_in(shown, allow)
        play.client(shown.oversized.sent)
        assert shown.oversized.marker not in bytes(play.to_server)
        assert shown.refusals(bytes(play.to_client)) == 1
        play.client(shown.after_refusal.sent)
        assert shown.forwarded(shown.after_refusal.sent) in bytes(play.to_server)
        assert any(isinstance(event, Refused) for event in play.events)

    def test_what_waits_inside_is_counted(self, kind: str, shown: Specimens) -> None:
        play = logged_in(shown, wait)
        flood = shown.after_refusal.sent * 50
        play.client(flood)
        assert play.session.backlog(CLIENT) >= len(flood) - len(shown.after_refusal.sent)

    def test_terminating_tells_the_client_and_ends(self, kind: str, shown: Specimens) -> None:
        play = logged_in(shown, wait)
        play.client(shown.after_refusal.sent)
        play.terminate("contained")
        assert play.closed == "contained"
        assert shown.written("contained") in play.to_client
        assert shown.after_refusal.marker not in bytes(play.to_server)

    @settings(max_examples=150, deadline=None)
    @given(data=st.binary(max_size=200))
    def test_whatever_comes_before_it_nothing_unanswered_is_sent(
        self, kind: str, shown: Specimens, data: bytes
    ) -> None:
        play = logged_in(shown, wait)
        play.client(data)
        if play.closed is None:
            play.client(shown.after_refusal.sent)
        assert shown.after_refusal.marker not in bytes(play.to_server)


# ── warm connections ─────────────────────────────────────────────────────────────────────────────────────────────────

WARM = [(kind, shown) for kind, shown in PROTOCOLS if shown.warm_session() is not None]


def warm(
    shown: Specimens, rule: Callable[[Ask], Answer | None], parked: object = None, server: Peer | None = None
) -> Playbook:
    """Log in with a session that may adopt and park."""

    def by_rule(ask: Ask) -> Answer | None:
        return shown.admit if isinstance(ask.question, Login) else rule(ask)

    session = shown.warm_session()
    assert session is not None
    play = Playbook(session, by_rule, server or shown.server(), shown.look_up, parked=parked)
    play.client(shown.login)
    assert play.closed is None
    return play


def parks(play: Playbook) -> list[Park]:
    return [event for event in play.events if isinstance(event, Park)]


@pytest.mark.parametrize(("kind", "shown"), WARM)
def test_a_session_that_finds_nothing_parked_is_as_any(kind: str, shown: Specimens) -> None:
    play, cold = warm(shown, allow), logged_in(shown, allow)
    play.to_client.clear()
    play.to_server.clear()
    for exchange in shown.exchanges.values():
        play.client(exchange.sent)
        cold.client(exchange.sent)
    assert (play.to_client, play.to_server) == (cold.to_client, cold.to_server)


@pytest.mark.parametrize(("kind", "shown"), WARM)
def test_what_is_parked_is_adopted_without_a_login_and_works(kind: str, shown: Specimens) -> None:
    server = shown.server()
    first = warm(shown, allow, server=server)
    first.client(shown.after_refusal.sent)
    first.client(shown.goodbye)
    (park,) = parks(first)
    assert isinstance(first.events[-1], Close)
    second = warm(shown, allow, park.state, server)
    (adopt,) = [event for event in second.events if isinstance(event, Adopt)]
    assert adopt.likeness == park.likeness
    assert not [event for event in second.events if isinstance(event, Dial)]
    second.to_client.clear()
    second.client(shown.after_refusal.sent)
    assert shown.after_refusal.text in " ".join(shown.answers(bytes(second.to_client)))


@pytest.mark.parametrize(("kind", "shown"), WARM)
def test_only_a_session_that_its_client_ended_at_rest_parks(kind: str, shown: Specimens) -> None:
    left = warm(shown, allow)
    left.leave()
    ended = warm(shown, allow)
    ended.terminate("contained")
    waiting = warm(shown, wait)
    waiting.client(shown.after_refusal.sent)
    waiting.client(shown.goodbye)
    waiting.leave()
    trailing = warm(shown, allow)
    trailing.client(shown.goodbye + shown.after_refusal.sent)
    assert [parks(play) for play in (left, ended, waiting, trailing)] == [[], [], [], []]


@pytest.mark.parametrize(("kind", "shown"), PROTOCOLS)
def test_a_session_whose_opening_is_not_warm_never_parks_or_adopts(kind: str, shown: Specimens) -> None:
    play = logged_in(shown, allow)
    play.client(shown.after_refusal.sent)
    play.client(shown.goodbye)
    assert not [event for event in play.events if isinstance(event, Park | Adopt)]
