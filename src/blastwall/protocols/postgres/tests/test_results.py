"""What errors, notices and notifications may say under masking rules."""

from __future__ import annotations

import pytest

from blastwall.masking.detectors import FINDERS
from blastwall.model.masks import ColumnRule, DetectRule, MaskRules, MaskStyle
from blastwall.protocols.postgres.errors import WITHHELD, decode_fields, encode_fields
from blastwall.protocols.postgres.notifications import Notification, decode_notification, encode_notification
from blastwall.protocols.postgres.results import ResultGuard
from blastwall.protocols.postgres.tests.specimens import snapshot
from blastwall.wire.inbox import HEADER

COLUMNS = MaskRules((ColumnRule("c", "public.customers.email", MaskStyle.REDACT),))
DETECT = MaskRules(detect=(DetectRule("d", tuple(FINDERS), MaskStyle.REDACT),))
UUID = b"0f0e0d0c-0b0a-0908-0706-050403020100"


def notified(rules: MaskRules, payload: bytes) -> bytes:
    body = encode_notification(Notification(7, b"orders", payload))[HEADER:]
    told = ResultGuard(rules, snapshot()).notified(body)
    found = decode_notification(body if told is None else told[HEADER:])
    assert (found.process, found.channel) == (7, b"orders")
    return found.payload


@pytest.mark.parametrize("payload", [b"", b"17", b"-4", b"123456789", UUID])
def test_a_payload_that_names_a_row_passes(payload: bytes) -> None:
    assert notified(COLUMNS, payload) == payload


@pytest.mark.parametrize("payload", [b"ada@example.com", b"4539578763621486", b"Byron", b'{"id": 1}', b"1234567890"])
def test_any_other_payload_is_hidden_under_column_rules(payload: bytes) -> None:
    assert notified(COLUMNS, payload) == b"[redacted]"


def test_detectors_read_payloads() -> None:
    assert notified(DETECT, b"Byron: ada@example.com") == b"Byron: [redacted:email]"
    assert notified(DETECT, b"Byron") == b"Byron"


def told(rules: MaskRules, *, guarded: bool = False, **fields: str) -> str:
    body = encode_fields(b"N", {"S": "NOTICE", "C": "00000", "M": "Byron", **fields})[HEADER:]
    shown = ResultGuard(rules, snapshot()).told(body, b"N", guarded=guarded)
    return decode_fields(body if shown is None else shown[HEADER:])["M"]


@pytest.mark.parametrize(
    ("context", "withheld"),
    [
        ("PL/pgSQL function speak() line 1 at RAISE", True),
        ("función PL/pgSQL speak() en la línea 1", True),
        ('PL/pgSQL function speak() line 1 at RAISE\nCOPY orders, line 1: "1"', True),
        ('COPY orders, line 1: "1"\nPL/pgSQL function speak()', True),
        ('COPY orders, line 1, column total: "x"', False),
        ("", False),
    ],
)
def test_what_code_says_is_withheld_whatever_table_the_statement_is_about(context: str, withheld: bool) -> None:
    assert told(COLUMNS, W=context) == (WITHHELD if withheld else "Byron")
    assert told(DETECT, W=context) == "Byron"


def test_what_concerns_a_masked_table_is_withheld() -> None:
    assert told(COLUMNS, guarded=True) == WITHHELD
