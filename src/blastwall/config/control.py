"""The control port: where it is, how people reach it, sign in and get their roles."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from blastwall.config.credentials import SecretSource
from blastwall.config.types import Name, NonEmpty, Period, Strict

_PUBLIC = re.compile(r"https://([A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?/?")


def _public(url: str) -> str:
    if _PUBLIC.fullmatch(url) is None:
        raise ValueError("expects https://HOST or https://HOST:PORT, without a path")
    return url.rstrip("/")


class RoleGroups(Strict):
    """Which groups of users have which role; every role includes what a viewer may."""

    viewer: list[Name] | None = Field(
        None,
        description="Groups that see sessions, approvals, grants, agents, resources, policies; default: every user.",
    )
    approver: list[Name] | None = Field(
        None,
        description="Groups that may decide on approvals and grants; default: every user. A policy's own group is "
        "asked for besides.",
    )
    auditor: list[Name] = Field(
        default_factory=list,
        description="Groups that read what was said in sessions; default: nobody over the network.",
    )
    operator: list[Name] = Field(
        default_factory=list,
        description="Groups that contain, lift, end sessions and revoke; default: nobody over the network.",
    )


class Login(Strict):
    """How people sign in to the web page: with OpenID Connect, at one of the issuers."""

    issuer: Name = Field(description="The issuer, by its name under `issuers`; its `audience` is the client id.")
    client_id: NonEmpty | None = Field(
        None,
        description="The gateway's client id there; default, and nothing else is accepted: the issuer's `audience`.",
    )
    client_secret: SecretSource | None = Field(
        None, description="Its secret; left out for a public client, which PKCE alone protects."
    )
    scopes: list[NonEmpty] = Field(
        default_factory=lambda: ["openid", "profile"], min_length=1, description="What is asked for; `openid` among it."
    )
    idle: Period = Field(
        timedelta(hours=1), description="A login of the web page ends when it is not used for so long."
    )
    longest: Period = Field(timedelta(hours=10), description="A login of the web page ends after this time.")
    command_line: Period = Field(timedelta(hours=8), description="A login of `blastwall login` ends after this time.")

    @model_validator(mode="after")
    def _openid(self) -> Login:
        if "openid" not in self.scopes:
            raise ValueError("`scopes` must have `openid`: without it the issuer gives no ID token")
        return self


class Control(Strict):
    """The control port: web page, API, token exchange, health and metrics."""

    port: Annotated[int, Field(ge=0, le=65535)] = Field(8443, description="Port of the control listener, over TLS.")
    listen: str | None = Field(None, description="Address of the control listener; default: the top-level `listen`.")
    public: Annotated[str, AfterValidator(_public)] | None = Field(
        None,
        description="The https URL under which people reach the control port, for links and sign-in; default: "
        "`https://localhost:PORT`.",
    )
    roles: RoleGroups = Field(default_factory=RoleGroups, description="Which groups have which role.")
    login: Login | None = Field(None, description="How people sign in; left out, they cannot: tokens alone are taken.")

    @property
    def url(self) -> str:
        """Where people reach the control port, as far as the configuration alone can say."""
        return self.public if self.public is not None else f"https://localhost:{self.port}"
