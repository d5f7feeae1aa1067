"""What people are told of: one message, before it is written for a place that it is sent to."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Topic(StrEnum):
    """What a message is about; `for:` of a notification names these."""

    APPROVAL = "approval"
    GRANT = "grant"
    BREAK_GLASS = "break_glass"
    CONTAINMENT = "containment"
    DENIED = "denied"


class Told(Struct, frozen=True):
    """One message. Every text in it may be shown to whoever reads the channel, so values in it are masked already.

    `title` is one line; `facts` are labels and values; `text` a statement's redacted text. `resource` is empty where it
    concerns all. `link` is a page of the web page's (`#/approvals/a1`), which asks for a login before it acts. `who`
    caused it: so many a minute are told of each. `id` is that of what it is about.
    """

    topic: Topic
    id: str
    title: str
    facts: tuple[tuple[str, str], ...] = ()
    text: str = ""
    resource: str = ""
    link: str = ""
    who: str = ""
