"""The control port: where it is, how people reach it, sign in and get their roles."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from blastwall.config.types import Name, Strict

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

    @property
    def url(self) -> str:
        """Where people reach the control port, without a slash at its end."""
        return self.public or f"https://localhost:{self.port}"
