"""A server that lies to the auditor, or does not answer it, gives a failure and never a fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.model.credential import Credential
from blastwall.protocols.contract import UPSTREAM, Answered, Close, Output
from blastwall.protocols.kind import AUDIT, Finding, Weight
from blastwall.protocols.postgres.audit import PostgresAuditor
from blastwall.protocols.postgres.errors import encode_error
from blastwall.protocols.postgres.messages import cstring, encode_data_row, encode_ready, frame
from blastwall.protocols.postgres.startup import AUTH_OK, CancelKey, encode_authentication, encode_key
from blastwall.protocols.postgres.tests.specimens import opening

WELCOME = encode_authentication(AUTH_OK) + encode_key(CancelKey(7, b"\0\0\0\1")) + encode_ready(b"I")
DONE = frame(b"C", cstring("SELECT 1")) + encode_ready(b"I")


def asked() -> tuple[PostgresAuditor, list[Output]]:
    auditor = PostgresAuditor(opening(), Credential("app", b"secret"), "shop")
    return auditor, [*auditor.start(), *auditor.look_up(1, AUDIT), *auditor.receive(UPSTREAM, WELCOME)]


def reply(outputs: list[Output]) -> object:
    return next((one.reply for one in outputs if isinstance(one, Answered)), None)


def test_a_server_that_refuses_every_question_is_reported_so() -> None:
    auditor, outputs = asked()
    for _ in range(5):
        outputs += auditor.receive(UPSTREAM, encode_error("42501", "permission denied") + encode_ready(b"I"))
    found = reply(outputs)
    assert isinstance(found, tuple)
    assert len(found) == 4
    assert all(isinstance(one, Finding) and one.weight is Weight.NOTE for one in found)
    assert isinstance(outputs[-1], Close)


@pytest.mark.parametrize("row", [[], [None], [b"x"], [b"\xff"] * 7, [b"x"] * 20])
def test_rows_of_another_shape_are_a_failure(row: list[bytes | None]) -> None:
    auditor, outputs = asked()
    for _ in range(5):
        if not any(isinstance(one, Close) for one in outputs):
            outputs += auditor.receive(UPSTREAM, encode_data_row(row) + DONE)
    assert isinstance(reply(outputs), tuple | Exception)
    assert isinstance(outputs[-1], Close)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_bytes_are_a_fault(chunks: list[bytes]) -> None:
    auditor, _ = asked()
    for chunk in chunks:
        if any(isinstance(one, Close) for one in auditor.receive(UPSTREAM, chunk)):
            break


def test_a_server_that_leaves_is_a_failure() -> None:
    auditor, outputs = asked()
    outputs += auditor.receive_eof(UPSTREAM)
    assert isinstance(reply(outputs), Exception)
