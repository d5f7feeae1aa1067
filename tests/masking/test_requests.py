"""What a recording holds of a request's text."""

from __future__ import annotations

import json

from blastwall.masking.statements import StatementRedactor
from blastwall.model.masks import DetectRule, FieldRule, MaskRules, MaskStyle
from blastwall.model.statement import Literal, Statement

KEY = b"a key that is long enough for it"
DETECT = DetectRule("pii", ("email", "card", "phone"), MaskStyle.REDACT)
FIELDS = (FieldRule("..email", "..email", MaskStyle.PARTIAL), FieldRule("$.pin", "$.pin", MaskStyle.NULL))


def redacted(text: str, *, fields: bool = True, secrets: tuple[str, ...] = (), doubt: str = "") -> str:
    rules = MaskRules(detect=(DETECT,), key=KEY, fields=FIELDS if fields else ())
    literals = tuple(Literal(text.index(one), text.index(one) + len(one), secret=True) for one in secrets)
    return StatementRedactor(rules).redact(Statement(text, (), "PUT", "", literals=literals, doubt=doubt)).text


def test_fields_of_the_body_and_of_the_query() -> None:
    body = json.dumps({"email": "ann@example.com", "pin": 12, "note": "call bob@example.org"})
    text = f"PUT https://gw.example/people?email=ann%40example.com&pin=7&page=2\nIf-Match: *\n\n{body}"
    head, _, shown = redacted(text).partition("\n\n")
    assert head == "PUT https://gw.example/people?email=a***@example.com&pin=[redacted]&page=2\nIf-Match: *"
    assert json.loads(shown) == {"email": "a***@example.com", "pin": None, "note": "call [redacted:email]"}


def test_bodies_of_other_forms() -> None:
    assert redacted("POST https://gw.example/\n\nname=x&email=ann%40example.com").endswith(
        "\n\nname=x&email=a***@example.com"
    )
    assert redacted("POST https://gw.example/\n\n<p><email>ann@example.com</email></p>").endswith(
        "<p><email>a***@example.com</email></p>"
    )
    assert redacted("POST https://gw.example/\n\nname;email\nx;ann").endswith("\n\n[16 bytes]")
    assert redacted('POST https://gw.example/\n\n{"email": "ann').endswith("\n\n[14 bytes]")


def test_secrets_stay_out_whatever_the_rules_say() -> None:
    text = 'PUT https://gw.example/s?sig=abc%2Bdef\n\n{"value": "s3cret", "email": "x"}'
    shown = redacted(text, secrets=("abc%2Bdef", "s3cret"))
    assert "abc" not in shown
    assert "s3cret" not in shown
    assert "[secret]" in json.loads(shown.partition("\n\n")[2])["value"]
    assert "s3cret" not in redacted(text, fields=False, secrets=("s3cret",))


def test_what_is_escaped_in_a_url_is_found() -> None:
    for escaped in (
        "4111%201111%201111%201111",
        "4111-1111-1111-1111",
        "%34111111111111111",
        "ann%40example.com",
        "%2B49%20170%201234567",
    ):
        assert redacted(f"GET https://gw.example/a/{escaped}?q={escaped}", fields=False).count("[redacted") == 2, (
            escaped
        )
    assert redacted("GET https://gw.example/a%20b?c=%7B", fields=False) == "GET https://gw.example/a%20b?c=%7B"


def test_a_request_in_doubt_shows_nothing_that_is_quoted() -> None:
    assert "bob" not in redacted('POST https://gw.example/\n\n{"name": "bob"}', doubt="an unknown path")


def test_no_request_takes_long() -> None:
    for unit in ("a", "%", "%3", "a%20", "=", "&", "a=", "&=", "?", "+", ";", "/", "{", "<"):
        for start in ("GET https://gw.example/?", "POST https://gw.example/\n\n", "POST https://gw.example/\n\na="):
            redacted(start + unit * (20_000 // len(unit)))
            redacted(start + unit * (20_000 // len(unit)), fields=False)
