"""Finders of credentials: spans hold the secret and not what names it, whatever stands around it, in linear time."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.masking import credentials, phones
from blastwall.masking.detectors import CREDENTIALS, FINDERS
from blastwall.masking.kinds import ResultColumn, ValueKind
from blastwall.masking.plan import plan
from blastwall.masking.probe import probe
from blastwall.model.masks import DetectRule, MaskRules, MaskStyle

NEW = ("phone", *sorted(CREDENTIALS))
TOKEN = st.builds(
    lambda header, claims, signature: b".".join(
        base64.urlsafe_b64encode(part).rstrip(b"=")
        for part in (json.dumps({"alg": header}).encode(), json.dumps(claims).encode(), signature)
    ),
    st.sampled_from(["none", "RS256", "ES512"]),
    st.dictionaries(st.text(max_size=5), st.integers(), min_size=1),
    st.binary(max_size=64),
)
ACCOUNT_KEY = st.builds(base64.b64encode, st.binary(min_size=64, max_size=64))
AROUND = st.text(st.characters(codec="ascii", exclude_characters="+/=_.-", exclude_categories=["L", "N"]), max_size=20)


@settings(max_examples=150, deadline=None)
@given(AROUND, TOKEN, AROUND)
def test_any_token_is_found_whole(before: str, token: bytes, after: str) -> None:
    assert credentials.find_jwts(before.encode() + token + after.encode()) == [(len(before), len(before) + len(token))]


@settings(max_examples=150, deadline=None)
@given(AROUND, ACCOUNT_KEY, AROUND)
def test_any_account_key_is_found_whole(before: str, key: bytes, after: str) -> None:
    data = before.encode() + key + after.encode()
    assert (len(before), len(before) + len(key)) in credentials.find_azure_keys(data)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ey.J=:/@+-PRIVATE KEYBGINpwdsg019 (){}\\'\"\n\u00a0\uff1d\u200b"), max_size=60))
def test_probe_asks_for_nothing_that_a_find_can_lack(text: str) -> None:
    for name in NEW:
        made = plan(
            [ResultColumn("c", ValueKind.TEXT, frozenset(), exact=True)],
            MaskRules(detect=(DetectRule("d", (name,), MaskStyle.REDACT),)),
        )
        assert made is not None
        row: list[bytes | None] = [text.encode()]
        if FINDERS[name](text.encode(), False):
            assert probe(frozenset({name}), False).may_match(text.encode())
            assert made.mask(row)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://app:hunter2@db/shop", "postgres://app:[redacted:connection_string]@db/shop"),
        ("Uid=a;Password=x;Encrypt=yes", "Uid=a;Password=[redacted:connection_string];Encrypt=yes"),
        ("https://x/?sv=1&sig=" + "a" * 43 + "%3D&se=2", "https://x/?sv=1&sig=[redacted:azure_key]&se=2"),
        ("call +49 170 1234567 now", "call [redacted:phone] now"),
        ("-----BEGIN PRIVATE KEY-----\nMIIx\n-----END PRIVATE KEY-----\nrest", "[redacted:private_key]\nrest"),
    ],
)
def test_what_names_the_secret_stays(text: str, shown: str) -> None:
    made = plan(
        [ResultColumn("c", ValueKind.TEXT, frozenset(), exact=True)],
        MaskRules(detect=(DetectRule("d", NEW, MaskStyle.REDACT),)),
    )
    assert made is not None
    row: list[bytes | None] = [text.encode()]
    assert made.mask(row)
    assert row == [shown.encode()]


@pytest.mark.parametrize("name", sorted(CREDENTIALS))
def test_partial_shows_nothing_of_a_credential(name: str) -> None:
    secrets = {
        "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2VjcmV0LXRhaWw",
        "azure_key": "A" * 80 + "TAIL12==",
        "connection_string": "password=secret-tail",
        "private_key": "-----BEGIN PRIVATE KEY-----\nc2VjcmV0LXRhaWw",
    }
    made = plan(
        [ResultColumn("c", ValueKind.TEXT, frozenset(), exact=True)],
        MaskRules(detect=(DetectRule("d", (name,), MaskStyle.PARTIAL),)),
    )
    assert made is not None
    row: list[bytes | None] = [secrets[name].encode()]
    assert made.mask(row)
    assert (row[0] or b"").removeprefix(b"password=") == b"****"


HOSTILE = [
    b"ey" * 100_000, b"eyJ." * 50_000, b"eyJhbGciOiJ" * 20_000, b"A" * 200_000, b"+ASt" * 50_000, b"password" * 25_000,
    b"a://" * 50_000, b"a://b:" * 40_000, b"-----BEGIN PRIVATE KEY-----" * 8_000, b"-----BEGIN " * 20_000,
    b"+1" * 100_000, b"+1 (" * 50_000, b"0123 " * 40_000, b"12 " * 70_000, b"sig=" * 50_000, b"aaa8Q~" * 35_000,
]  # fmt: skip


@pytest.mark.parametrize("data", HOSTILE, ids=lambda data: data[:12].decode())
def test_hostile_texts_take_time_in_proportion(data: bytes) -> None:
    """Four times the text may not take sixteen times as long; a little is allowed for a busy machine."""
    for find in (phones.find_phones, *(FINDERS[name] for name in CREDENTIALS)):
        quarter, whole = (min(_seconds(find, part) for _ in range(2)) for part in (data[: len(data) // 4], data))
        assert whole < 12 * quarter + 0.25


def _seconds(find: object, data: bytes) -> float:
    assert callable(find)
    begun = time.process_time()
    find(data, False)
    return time.process_time() - begun
