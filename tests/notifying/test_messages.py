"""What is written for each place. Texts of others are shown whole, and do nothing there."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator

import pytest
from tests.notifying.conftest import told

from blastwall.model.told import Told
from blastwall.notifying import signed, slack, teams

LINK = "https://gw.example:8443/#/approvals/a1"

EVIL = (
    "<!channel> <@U123> <https://evil.example|approve>",
    "[approve](https://evil.example) **bold** <at>everyone</at>",
    "```\nout of the code\n``` *bold* _it_ ~no~ `tick`",
    "{{DATE(2026-01-01T00:00:00Z, SHORT)}} ${user.name}",
    "\u202eesrever\u202c\x00\x1b[31m",
    "&lt;!here&gt; https://evil.example",
    "{{{DATE(2026-01-01T00:00:00Z, SHORT)}}} $${{user.name}",
)


def parts(value: object) -> Iterator[dict[str, object]]:
    """Every object in a JSON document."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from parts(each)
    elif isinstance(value, list):
        for each in value:
            yield from parts(each)


def with_evil(evil: str) -> Told:
    return told(title=f"t {evil}", facts=((f"l {evil}", f"v {evil}"),), text=f"SELECT {evil}")


class TestSlack:
    def test_a_message(self) -> None:
        sent = json.loads(slack.write(told(), LINK))
        assert sent["text"] == "ci wants to delete at pg-prod"
        assert [block["type"] for block in sent["blocks"]] == ["header", "section", "rich_text", "section"]
        assert sent["blocks"][-1]["text"]["text"] == f"<{LINK}|Open in Blastwall>"
        assert "DELETE FROM orders WHERE id = 1" in json.dumps(sent)

    @pytest.mark.parametrize("evil", EVIL)
    def test_nothing_of_others_is_markup(self, evil: str) -> None:
        sent = json.loads(slack.write(with_evil(evil), LINK))
        for part in parts(sent):
            if part.get("type") == "mrkdwn":
                assert part["text"] == f"<{LINK}|Open in Blastwall>"
            if part.get("type") == "plain_text":
                assert "<" not in str(part["text"])
                assert ">" not in str(part["text"])
        assert "<" not in sent["text"]
        preformatted = [part for part in parts(sent) if part.get("type") == "rich_text_preformatted"]
        assert all(part["type"] == "text" for each in preformatted for part in parts(each["elements"]))

    def test_many_facts_are_split_as_slack_asks(self) -> None:
        sent = json.loads(slack.write(told(facts=tuple((str(n), "x") for n in range(25))), ""))
        assert [len(block["fields"]) for block in sent["blocks"] if "fields" in block] == [10, 10, 5]


class TestTeams:
    def test_a_card(self) -> None:
        sent = json.loads(teams.write(told(), LINK))
        (attachment,) = sent["attachments"]
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert attachment["content"]["actions"] == [
            {"type": "Action.OpenUrl", "title": "Open in Blastwall", "url": LINK}
        ]

    @pytest.mark.parametrize("evil", EVIL)
    def test_nothing_of_others_is_markup(self, evil: str) -> None:
        sent = json.loads(teams.write(with_evil(evil), LINK))
        allowed = {"AdaptiveCard", "RichTextBlock", "TextRun", "Action.OpenUrl", "message"}
        assert {str(part["type"]) for part in parts(sent) if "type" in part} <= allowed
        assert "msteams" not in sent["attachments"][0]["content"]
        for part in parts(sent):
            if part.get("type") == "TextRun":
                assert "{{" not in str(part["text"])
                assert "${" not in str(part["text"])


class TestBoth:
    @pytest.mark.parametrize("write", [slack.write, teams.write])
    def test_what_is_not_seen_is_shown(self, write: Callable[[Told, str], bytes]) -> None:
        sent = json.loads(write(with_evil(EVIL[4]), LINK))
        texts = "".join(str(part.get("text", "")) for part in parts(sent))
        assert not {"\u202e", "\x00", "\x1b"} & set(texts)
        assert "\N{REPLACEMENT CHARACTER}" in texts

    @pytest.mark.parametrize("write", [slack.write, teams.write])
    def test_a_long_statement_is_cut_and_says_so(self, write: Callable[[Told, str], bytes]) -> None:
        sent = write(told(text="SELECT " + "x" * 200_000), LINK)
        assert len(sent) < 20_000
        assert b"more characters" in sent

    @pytest.mark.parametrize("write", [slack.write, teams.write])
    def test_without_a_page_there_is_no_link(self, write: Callable[[Told, str], bytes]) -> None:
        assert b"Open in Blastwall" not in write(told(), "")


class TestSigned:
    def test_a_receiver_verifies_as_standard_webhooks_say(self) -> None:
        secret = b"a key of more than twenty-four bytes"
        body = signed.write(told(), LINK, 1000.0)
        headers = signed.sign(secret, "m1", 1700, body)
        expected = hmac.new(secret, b"m1.1700." + body, hashlib.sha256).digest()
        assert headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()
        assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("m1", "1700")
        assert json.loads(body)["link"] == LINK

    def test_a_key_as_standard_webhooks_write_it(self) -> None:
        raw = bytes(range(32))
        written = b"whsec_" + base64.b64encode(raw)
        assert signed.sign(written, "m", 1, b"") == signed.sign(raw, "m", 1, b"")

    @pytest.mark.parametrize("secret", [b"", b"short", b"whsec_" + base64.b64encode(b"short"), b"whsec_!!"])
    def test_a_weak_key_signs_nothing(self, secret: bytes) -> None:
        with pytest.raises(signed.WeakKey):
            signed.sign(secret, "m", 1, b"")

    def test_another_body_time_or_id_has_another_signature(self) -> None:
        key = bytes(32)
        given = [("m", 1, b"a"), ("m", 1, b"b"), ("m", 2, b"a"), ("n", 1, b"a")]
        assert len({signed.sign(key, *each)["webhook-signature"] for each in given}) == 4
