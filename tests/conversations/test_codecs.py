"""Whole conversations through the codecs: what is read and written again is what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest
from tests.conversations.conversations import CLIENT_SAID, NAMES, SERVER_SAID, recorded

from blastwall.protocols.postgres import errors, messages, startup
from blastwall.protocols.tds.login7 import read_login7, write_login7
from blastwall.protocols.tds.packets import Kind, Message, MessageReader
from blastwall.protocols.tds.prelogin import read_prelogin, write_prelogin
from blastwall.protocols.tds.rpc import read_rpcs, write_rpcs
from blastwall.protocols.tds.token_reader import TokenReader
from blastwall.protocols.tds.transactions import Verb, read_transaction
from blastwall.wire.inbox import HEADER, Inbox

Again = Callable[[bytes], bytes]
REQUESTS: Mapping[int, Again] = {
    ord("Q"): lambda body: messages.encode_query(messages.decode_query(body)),
    ord("P"): lambda body: messages.encode_parse(messages.decode_parse(body)),
    ord("B"): lambda body: messages.encode_bind(messages.decode_bind(body)),
    ord("D"): lambda body: messages.encode_describe(messages.decode_named(body)),
    ord("C"): lambda body: messages.encode_close(messages.decode_named(body)),
    ord("E"): lambda body: messages.encode_execute(messages.decode_execute(body)),
    ord("p"): lambda body: startup.encode_password(startup.decode_password(body)),
}
ANSWERS: Mapping[int, Again] = {
    ord("R"): lambda body: startup.encode_authentication(*startup.decode_authentication(body)),
    ord("K"): lambda body: startup.encode_key(startup.decode_key(body)),
    ord("S"): lambda body: messages.encode_parameter_status(*messages.decode_parameter_status(body)),
    ord("T"): lambda body: messages.encode_row_description(messages.decode_row_description(body)),
    ord("D"): lambda body: messages.encode_data_row(messages.decode_data_row(body)),
    ord("C"): lambda body: messages.frame(b"C", messages.cstring(messages.decode_command_tag(body))),
    ord("Z"): lambda body: messages.encode_ready(messages.decode_ready(body)),
    ord("E"): lambda body: errors.encode_fields(b"E", errors.decode_fields(body)),
    ord("N"): lambda body: errors.encode_fields(b"N", errors.decode_fields(body)),
}


def frames(data: bytes) -> Iterator[bytes]:
    inbox = Inbox(1 << 24, {})
    inbox.feed(data)
    while (frame := inbox.peek()) is not None:
        yield inbox.take(frame)
    assert len(inbox) == 0


@pytest.mark.parametrize("name", [name for name in NAMES if recorded(name).protocol == "postgres"])
def test_what_is_read_is_written_as_it_was(name: str) -> None:
    conversation = recorded(name)
    first = conversation.steps[0][1]
    assert startup.encode_startup(startup.decode_startup(first)) == first
    asked = [(REQUESTS.get(one[0]), one) for one in frames(conversation.said(CLIENT_SAID)[len(first) :])]
    told = [(ANSWERS.get(one[0]), one) for one in frames(conversation.said(SERVER_SAID))]
    known = [(again, message) for again, message in (*asked, *told) if again is not None]
    assert len(known) > 30
    for again, message in known:
        assert again(message[HEADER:]) == message


def sent(data: bytes) -> Iterator[Message]:
    reader = MessageReader(1 << 24)
    reader.feed(data)
    while (message := reader.take()) is not None:
        assert isinstance(message, Message)
        yield message
    assert not reader.buffered


def call_again(payload: bytes) -> bytes:
    headers, calls = read_rpcs(payload)
    return write_rpcs(payload[: headers.size], calls)


TDS_NAMES = [name for name in NAMES if recorded(name).protocol == "tds"]


@pytest.mark.parametrize("name", TDS_NAMES)
def test_calls_and_logins_are_written_as_they_were(name: str) -> None:
    found = list(sent(recorded(name).said(CLIENT_SAID)))
    prelogin, login, *rest = found
    assert write_prelogin(read_prelogin(prelogin.payload)) == prelogin.payload
    read = read_login7(login.payload)
    assert read_login7(write_login7(read)) == read
    for message in rest:
        if message.kind is Kind.RPC:
            assert call_again(message.payload) == message.payload
    transactions = [read_transaction(one.payload).verb for one in rest if one.kind is Kind.TRANSACTION]
    assert name == "pymssql" or Verb.COMMIT in transactions


@pytest.mark.parametrize("name", TDS_NAMES)
def test_each_token_of_a_reply_is_read_whole(name: str) -> None:
    _, *replies = [one for one in sent(recorded(name).said(SERVER_SAID)) if one.kind is Kind.REPLY]
    assert len(replies) > 8
    for reply in replies:
        tokens, raw = TokenReader(), b""
        tokens.feed(reply.payload)
        while (token := tokens.take()) is not None:
            raw += token.raw
        tokens.finish()
        assert raw == reply.payload
