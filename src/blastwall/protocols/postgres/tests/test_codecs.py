"""Every message read is the message written, and what is not one is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.protocols.postgres import messages, startup
from blastwall.protocols.postgres.errors import decode_fields, encode_fields, without_values
from blastwall.protocols.postgres.messages import Bind, Execute, Field, Named, Parse
from blastwall.protocols.postgres.startup import CancelKey, Startup
from blastwall.wire.inbox import HEADER
from blastwall.wire.reader import Malformed

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
VALUES = st.lists(st.none() | st.binary(max_size=30), max_size=6).map(tuple)
FIELDS = st.builds(
    Field,
    NAMES,
    st.integers(0, 2**32 - 1),
    st.integers(-20, 1600),
    st.integers(0, 2**32 - 1),
    format_=st.integers(0, 1),
)


@given(st.builds(Parse, NAMES, NAMES, st.lists(st.integers(0, 2**32 - 1), max_size=5).map(tuple)))
def test_parse(parse: Parse) -> None:
    assert messages.decode_parse(messages.encode_parse(parse)[HEADER:]) == parse


@given(NAMES, NAMES, VALUES, st.sampled_from([(), (0,), (1,)]), st.sampled_from([(), (0,), (1,), (0, 1)]))
def test_bind(
    portal: str, name: str, values: tuple[bytes | None, ...], formats: tuple[int], results: tuple[int]
) -> None:
    bind = Bind(portal, name, formats, values, results)
    assert messages.decode_bind(messages.encode_bind(bind)[HEADER:]) == bind


@given(st.builds(Named, st.sampled_from("SP"), NAMES))
def test_describe_and_close(named: Named) -> None:
    assert messages.decode_named(messages.encode_describe(named)[HEADER:]) == named
    assert messages.decode_named(messages.encode_close(named)[HEADER:]) == named


@given(st.builds(Execute, NAMES, st.integers(0, 2**31 - 1)))
def test_execute(execute: Execute) -> None:
    assert messages.decode_execute(messages.encode_execute(execute)[HEADER:]) == execute


@given(st.lists(FIELDS, max_size=5).map(tuple))
def test_row_description(fields: tuple[Field, ...]) -> None:
    assert messages.decode_row_description(messages.encode_row_description(fields)[HEADER:]) == fields


@given(st.lists(st.none() | st.binary(max_size=50), max_size=8))
def test_data_row(row: list[bytes | None]) -> None:
    assert messages.decode_data_row(messages.encode_data_row(row)[HEADER:]) == row


@given(st.dictionaries(NAMES.filter(bool), NAMES, max_size=5))
def test_startup(parameters: dict[str, str]) -> None:
    packet = Startup(startup.PROTOCOL_3_0, parameters)
    assert startup.decode_startup(startup.encode_startup(packet)) == packet


@given(st.integers(0, 2**32 - 1), st.binary(min_size=4, max_size=256))
def test_cancel_keys_of_every_length(pid: int, key: bytes) -> None:
    cancel = CancelKey(pid, key)
    assert startup.decode_cancel(startup.encode_cancel(cancel)) == cancel
    assert startup.decode_key(startup.encode_key(cancel)[HEADER:]) == cancel


DECODERS: list[Callable[[bytes], object]] = [
    messages.decode_parse,
    messages.decode_bind,
    messages.decode_named,
    messages.decode_execute,
    messages.decode_query,
    messages.decode_row_description,
    messages.decode_data_row,
    messages.decode_parameter_types,
    messages.decode_parameter_status,
    messages.decode_command_tag,
    messages.decode_ready,
    decode_fields,
    startup.decode_authentication,
    startup.decode_key,
    startup.decode_password,
    startup.decode_mechanisms,
]


@pytest.mark.parametrize("decode", DECODERS)
@given(body=st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(decode: Callable[[bytes], object], body: bytes) -> None:
    try:
        decode(body)
    except Malformed as error:
        assert str(error)


@pytest.mark.parametrize(
    ("tag", "affected"),
    [("INSERT 0 5", 5), ("UPDATE 3", 3), ("DELETE 0", 0), ("MERGE 2", 2), ("SELECT 4", None), ("CREATE TABLE", None)],
)
def test_affected_rows(tag: str, affected: int | None) -> None:
    assert messages.affected_rows(tag) == affected


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("42501", "permission denied for table x", "permission denied for table x"),
        ("42P01", 'relation "219-09-9999" does not exist', "withheld"),
        ("3D000", 'database "219-09-9999" does not exist', "withheld"),
        ("22P02", 'invalid input syntax for type integer: "ana@example.com"', "withheld"),
        ("P0001", "ana@example.com", "withheld"),
        ("23505", 'duplicate key value violates unique constraint "k"', "duplicate key value violates"),
    ],
)
def test_an_error_over_masked_values_quotes_none(code: str, message: str, told: str) -> None:
    secret = "Failing row contains (1, ana@example.com)."
    fields = {"S": "ERROR", "C": code, "M": message, "D": secret, "W": secret, "H": secret, "q": secret, "n": "k"}
    shown = without_values(decode_fields(encode_fields(b"E", fields)[HEADER:]))
    assert told in shown["M"]
    assert "ana@example.com" not in "".join(shown.values())
    assert shown["n"] == "k"
