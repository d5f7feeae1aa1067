"""A message as a Teams workflow takes it: an Adaptive Card in a message (https://adaptivecards.io/explorer).

Nothing of others stands where a card reads Markdown: it is in text runs, which have none, and the signs by which a card
would compute something (`{{DATE(…)}}`, `${…}`) are taken apart.
"""

from __future__ import annotations

import re

import msgspec

from blastwall.model.told import Told
from blastwall.notifying.texts import LONGEST_FACT, LONGEST_TEXT, LONGEST_TITLE, one_line, plain

_JOINER = "\N{WORD JOINER}"
_COMPUTES = re.compile(r"(?<=[{$])(?=\{)")
"""Within every `{{` and `${`, in longer runs as well."""

Element = dict[str, object]


def write(told: Told, link: str) -> bytes:
    """Return the request's body; `link` is the full URL of the page where people act, empty where there is none."""
    body = [_line(_run(one_line(told.title, LONGEST_TITLE), weight="Bolder", size="Medium"))]
    body += [
        _line(_run(one_line(f"{label}:", LONGEST_FACT) + " ", weight="Bolder"), _run(one_line(value, LONGEST_FACT)))
        for label, value in told.facts
    ]
    if told.text:
        body += [_line(_run(line, fontType="Monospace")) for line in plain(told.text, LONGEST_TEXT).split("\n")]
    actions = [{"type": "Action.OpenUrl", "title": "Open in Blastwall", "url": link}] if link else []
    card: Element = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "actions": actions,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return msgspec.json.encode({"type": "message", "attachments": [attachment]})


def _line(*runs: Element) -> Element:
    return {"type": "RichTextBlock", "spacing": "Small", "inlines": list(runs)}


def _run(text: str, **style: str) -> Element:
    inert = _COMPUTES.sub(_JOINER, text)
    return {"type": "TextRun", "text": inert or " ", **style}
