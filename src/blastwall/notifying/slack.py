"""A message as Slack's incoming webhooks take it.

Nothing of others stands where Slack reads markup. It is in `plain_text` objects, with Slack's three control characters
escaped (https://docs.slack.dev/messaging/formatting-message-text#escaping), or in preformatted rich text, which is not
parsed.
"""

from __future__ import annotations

import msgspec

from blastwall.model.told import Told
from blastwall.notifying.texts import LONGEST_FACT, LONGEST_TEXT, LONGEST_TITLE, one_line, plain

_FIELDS = 10
"""So many fields a section has at most (https://docs.slack.dev/reference/block-kit/blocks/section-block)."""

Block = dict[str, object]


def write(told: Told, link: str) -> bytes:
    """Return the request's body; `link` is the full URL of the page where people act, empty where there is none."""
    title = escape(one_line(told.title, LONGEST_TITLE))
    blocks: list[Block] = [{"type": "header", "text": _text(title)}]
    facts = [_text(escape(one_line(f"{label}: {value}", LONGEST_FACT))) for label, value in told.facts]
    blocks += [{"type": "section", "fields": facts[at : at + _FIELDS]} for at in range(0, len(facts), _FIELDS)]
    if told.text:
        element = {"type": "text", "text": plain(told.text, LONGEST_TEXT)}
        code: Block = {"type": "rich_text_preformatted", "elements": [element]}
        blocks.append({"type": "rich_text", "elements": [code]})
    if link:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": f"<{link}|Open in Blastwall>"}})
    return msgspec.json.encode({"text": title, "blocks": blocks, "unfurl_links": False, "unfurl_media": False})


def escape(text: str) -> str:
    """Escape the characters by which Slack tells links, mentions and channels."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _text(escaped: str) -> Block:
    return {"type": "plain_text", "text": escaped, "emoji": False}
