"""Whom to tell, and of what: the section `notifications` of `blastwall.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from blastwall.config.credentials import SecretSource
from blastwall.config.types import File, Name, Strict
from blastwall.model.told import Topic

_DEFAULT = ("approval", "grant", "break_glass", "containment")
_KINDS = ("slack", "teams", "webhook")
TopicName = Literal["approval", "grant", "break_glass", "containment", "denied"]


def https_url(url: str) -> str:
    """Return a URL that a message may be posted to.

    Raises:
        ValueError: it is not https, or carries user information; the text does not repeat it.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("expects an https URL") from None
    if parts.scheme != "https" or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("expects an https URL")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("the URL must not carry user, password or fragment")
    return url


class Notification(Strict):
    """One place where people are told of what happens."""

    name: Name | None = Field(None, description="Its name in logs and metrics; default: `slack`, `teams` or `webhook`.")
    slack: SecretSource | None = Field(
        None, description="Where the URL of a Slack incoming webhook is read from: the URL is a secret."
    )
    teams: SecretSource | None = Field(
        None,
        description="Where the URL of a Microsoft Teams workflow (`When a Teams webhook request is received`) is read "
        "from: the URL is a secret.",
    )
    webhook: Annotated[str, AfterValidator(https_url)] | None = Field(
        None, description="https URL of a service of your own, which verifies the signature by `secret`."
    )
    secret: SecretSource | None = Field(
        None, description="The key that a `webhook`'s messages are signed with; at least 24 bytes."
    )
    for_: list[TopicName] = Field(
        default_factory=lambda: list(_DEFAULT),
        alias="for",
        min_length=1,
        validate_default=True,
        description="What it is told of: `approval`, `grant`, `break_glass`, `containment`, `denied`; default: all but "
        "`denied`.",
    )
    resources: list[Name] = Field(
        default_factory=list, description="Only of these resources, and of what concerns all; default: every resource."
    )
    private: bool = Field(
        False, description="Let it be at a private address, as inside your own network; default: public addresses only."
    )
    ca: File | None = Field(None, description="PEM file of the CA of its certificate; default: the system's.")

    @model_validator(mode="after")
    def _one(self) -> Notification:
        if sum(place is not None for place in (self.slack, self.teams, self.webhook)) != 1:
            raise ValueError("give one of `slack`, `teams` and `webhook`")
        if (self.webhook is None) != (self.secret is None):
            raise ValueError("`webhook` needs `secret`, which its messages are signed with; the others take none")
        return self

    @property
    def kind(self) -> str:
        """Which of the kinds of places it is."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    @property
    def called(self) -> str:
        """Its name."""
        return self.name or self.kind

    def wants(self, topic: Topic, resource: str) -> bool:
        """Whether it is told of something; `resource` is empty for what concerns all."""
        return topic.value in self.for_ and (not self.resources or not resource or resource in self.resources)
