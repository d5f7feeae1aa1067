"""A client of `connect` is let in without a password, and the proof goes to a verified gateway alone."""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.model.credential import Credential
from blastwall.model.resource import Address
from blastwall.protocols.contract import (
    CLIENT,
    UPSTREAM,
    Admit,
    Answer,
    Ask,
    Close,
    Deny,
    Dial,
    Output,
    Send,
    Side,
    StartTls,
)
from blastwall.protocols.postgres.errors import decode_fields, encode_error
from blastwall.protocols.postgres.forwarding import PostgresForwarder
from blastwall.protocols.postgres.messages import frame
from blastwall.protocols.postgres.startup import (
    AUTH_CLEARTEXT,
    AUTH_OK,
    AUTH_SASL,
    GSSENC_REQUEST,
    PROTOCOL_3_0,
    SSL_REQUEST,
    CancelKey,
    Startup,
    decode_startup,
    encode_authentication,
    encode_cancel,
    encode_password,
    encode_request,
    encode_startup,
)

GATEWAY = Address("gw.example", 15432)
PROOF = b"header.payload.signature"
STARTUP = encode_startup(Startup(PROTOCOL_3_0, {"user": "ana", "database": "shop", "application_name": "psql"}))
WELCOME = encode_authentication(AUTH_OK) + frame(b"S", b"server_version\x0015\0") + frame(b"Z", b"I")


class Dialogue:
    """One connection: what was sent where, and what else was asked for."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.forwarder = PostgresForwarder(GATEWAY)
        self.answer: Answer = answer if answer is not None else Admit(Credential("ana", PROOF, token=True))
        self.sent: dict[Side, bytes] = {CLIENT: b"", UPSTREAM: b""}
        self.clear = b""
        self.secure = False
        self.events: list[Output] = []

    def client(self, data: bytes) -> Dialogue:
        self._run(self.forwarder.receive(CLIENT, data))
        return self

    def gateway(self, data: bytes) -> Dialogue:
        self._run(self.forwarder.receive(UPSTREAM, data))
        return self

    def leaves(self, side: Side) -> Dialogue:
        self._run(self.forwarder.receive_eof(side))
        return self

    @property
    def closed(self) -> bool:
        return any(isinstance(event, Close) for event in self.events)

    def _run(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            assert not self.closed
            if isinstance(output, Send):
                self.sent[output.to] += bytes(output.span)
                if output.to == UPSTREAM and not self.secure:
                    self.clear += bytes(output.span)
                continue
            self.events.append(output)
            if isinstance(output, Ask):
                self._run(self.forwarder.answer(output.number, self.answer))
            if isinstance(output, StartTls):
                self.secure = True
                self._run(self.forwarder.tls_started(UPSTREAM, "postgresql", b""))


def let_in() -> Dialogue:
    return Dialogue().client(STARTUP).gateway(b"S").gateway(encode_authentication(AUTH_CLEARTEXT)).gateway(WELCOME)


def told(dialogue: Dialogue) -> str:
    return decode_fields(dialogue.sent[CLIENT][5:])["M"]


def test_a_login_without_a_password() -> None:
    talk = let_in()
    assert talk.sent[CLIENT] == WELCOME
    assert talk.clear == encode_request(SSL_REQUEST)
    secured = talk.sent[UPSTREAM][len(talk.clear) :]
    startup = decode_startup(secured[: int.from_bytes(secured[:4], "big")])
    assert startup.parameters == {
        "user": "ana",
        "database": "shop",
        "application_name": "psql",
        "options": "-c blastwall.authentication=password",
    }
    assert secured.endswith(encode_password(PROOF))


def test_afterwards_everything_passes_as_it_is_both_ways() -> None:
    talk = let_in()
    before = {side: len(sent) for side, sent in talk.sent.items()}
    talk.client(b"Q anything at all").gateway(b"\x16\x03 and anything back")
    assert talk.sent[UPSTREAM][before[UPSTREAM] :] == b"Q anything at all"
    assert talk.sent[CLIENT][before[CLIENT] :] == b"\x16\x03 and anything back"
    assert talk.leaves(CLIENT).closed


def test_a_clients_wish_for_tls_or_gssapi_is_declined() -> None:
    talk = Dialogue().client(encode_request(GSSENC_REQUEST)).client(encode_request(SSL_REQUEST))
    assert talk.sent[CLIENT] == b"NN"
    talk.client(STARTUP).gateway(b"S")
    assert not talk.closed


def test_the_clients_own_options_stay_and_cannot_choose_another_login() -> None:
    options = "-c search_path=x -c blastwall.authentication=oauthbearer"
    talk = Dialogue().client(encode_startup(Startup(PROTOCOL_3_0, {"user": "u", "options": options}))).gateway(b"S")
    sent = talk.sent[UPSTREAM][8:]
    assert decode_startup(sent).parameters["options"] == f"{options} -c blastwall.authentication=password"


@pytest.mark.parametrize("answer", [b"N", b"E", b"SS", b"S\x00", encode_error("XX000", "no")])
def test_a_gateway_without_tls_gets_no_proof(answer: bytes) -> None:
    talk = Dialogue().client(STARTUP).gateway(answer)
    assert talk.closed
    assert talk.sent[UPSTREAM] == encode_request(SSL_REQUEST)
    assert "no token" in told(talk)


def test_no_token_is_told_to_the_client_and_nothing_is_dialled() -> None:
    talk = Dialogue(Deny("your login has ended; run `blastwall login`")).client(STARTUP)
    assert "your login has ended" in told(talk)
    assert talk.closed
    assert not any(isinstance(event, Dial) for event in talk.events)


def test_a_gateway_that_cannot_be_reached() -> None:
    talk = Dialogue().client(STARTUP)
    talk._run(talk.forwarder.dial_failed(UPSTREAM, "refused"))
    assert "cannot be reached: refused" in told(talk)


def test_a_refused_login_reaches_the_client_in_the_gateways_words() -> None:
    refusal = encode_error("28000", "blastwall: the token has expired", severity="FATAL")
    talk = Dialogue().client(STARTUP).gateway(b"S").gateway(encode_authentication(AUTH_CLEARTEXT)).gateway(refusal)
    assert (talk.sent[CLIENT], talk.closed) == (refusal, True)


@pytest.mark.parametrize(
    "asked",
    [
        encode_authentication(AUTH_SASL, b"SCRAM-SHA-256\0\0"),
        encode_authentication(AUTH_CLEARTEXT) * 2,
        frame(b"D", b"data before the login"),
        b"R" + pack("!i", 1 << 20),
        b"R" + pack("!i", 0),
    ],
)
def test_whatever_else_a_gateway_asks_for_ends_it_and_gets_the_proof_once_at_most(asked: bytes) -> None:
    talk = Dialogue().client(STARTUP).gateway(b"S").gateway(asked)
    assert talk.closed
    assert talk.sent[UPSTREAM].count(PROOF) <= 1


@pytest.mark.parametrize("extra", [b"Q", encode_password(b"guess"), STARTUP])
def test_a_client_that_speaks_before_it_is_let_in_is_cut_off(extra: bytes) -> None:
    talk = Dialogue().client(STARTUP + extra)
    assert talk.closed
    assert PROOF not in talk.sent[UPSTREAM]


def test_a_client_that_insists_on_tls_is_cut_off() -> None:
    assert Dialogue().client(b"\x16\x03\x01").closed


@pytest.mark.parametrize("first", [b"\0\0\0\x04", b"\xff\xff\xff\xff", pack("!ii", 8, 1), b"GET / HTTP/1.1\r\n\r\n"])
def test_what_is_no_startup_is_cut_off(first: bytes) -> None:
    assert Dialogue().client(first).closed


def test_a_cancel_request_is_passed_on_over_tls_without_any_proof() -> None:
    cancel = encode_cancel(CancelKey(7, b"1234"))
    talk = Dialogue().client(cancel).gateway(b"S")
    assert talk.sent[UPSTREAM] == encode_request(SSL_REQUEST) + cancel
    assert not any(isinstance(event, Ask) for event in talk.events)
    assert talk.leaves(UPSTREAM).closed
    assert talk.sent[CLIENT] == b""


def test_a_gateway_that_leaves_during_the_login_is_told() -> None:
    talk = Dialogue().client(STARTUP).gateway(b"S").leaves(UPSTREAM)
    assert "closed the connection during the login" in told(talk)


@given(st.lists(st.integers(1, 40), max_size=30))
def test_it_does_not_matter_how_bytes_arrive(cuts: list[int]) -> None:
    def fed(data: bytes) -> list[bytes]:
        chunks = []
        for cut in cuts:
            chunks.append(data[:cut])
            data = data[cut:]
        return [chunk for chunk in [*chunks, data] if chunk]

    talk = Dialogue()
    for chunk in fed(encode_request(SSL_REQUEST) + STARTUP):
        talk.client(chunk)
    talk.gateway(b"S")
    for chunk in fed(encode_authentication(AUTH_CLEARTEXT) + WELCOME):
        talk.gateway(chunk)
    assert talk.sent[CLIENT] == b"N" + WELCOME
    assert talk.sent[UPSTREAM] == let_in().sent[UPSTREAM]
