"""What an API's `settings:` say."""

from __future__ import annotations

import re
from typing import Annotated, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from blastwall.model.effects import Action
from blastwall.model.resource import Resource
from blastwall.protocols.http.rest.rules import RestRule

LINKS = ("$.nextLink", "$['@odata.nextLink']")

_FIELD_NAME = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)?")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "cookie", "te", "trailer", "upgrade"})


class RestSettings(BaseModel):
    """An API resource's `settings:`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    auth: Literal["bearer", "basic", "header"] = Field(
        "bearer",
        description="How the credential is shown: `Authorization: Bearer`, `Authorization: Basic` with `user`, or as "
        "it is in the field `header`.",
    )
    header: str = Field("", description="The field for `auth: header`, such as `X-Api-Key`.")
    rules: list[RestRule] = Field(
        default_factory=list,
        description="What methods and paths do, where it is not what the method says. The first that matches counts.",
    )
    methods: dict[Annotated[str, Field(pattern=r"^[A-Z]+$")], Action] = Field(
        default_factory=dict,
        description="What methods do where no rule matches, instead of: GET, HEAD, OPTIONS `read`, POST `create`, PUT, "
        "PATCH `update`, DELETE `delete`. Others are `unclassified`.",
    )
    ignore_case: bool = Field(
        True,
        description="Whether policies see paths in lower case, as servers that ignore case do; no: `/Orders` and "
        "`/orders` are two things.",
    )
    bodies: Annotated[int, Field(ge=0, le=1 << 20)] = Field(
        0,
        description="Bytes of a body that are read, judged, recorded and bound by approvals; longer ones are refused. "
        "0: bodies pass unread.",
    )
    links: list[Annotated[str, Field(pattern=r"^\$[.\[]")]] = Field(
        default_factory=lambda: list(LINKS),
        description="Members of JSON answers that are links to the API, which clients follow.",
    )
    cookies: bool = Field(
        False,
        description="Whether cookies pass. They may be a login of their own, so they are kept from clients by default.",
    )

    @model_validator(mode="after")
    def _whole(self) -> RestSettings:
        if (self.auth == "header") != bool(self.header):
            raise ValueError("`header` names the field for `auth: header`, and is given with it alone")
        if _FIELD_NAME.fullmatch(self.header) is None or self.header.lower() in _OURS:
            raise ValueError(f"{self.header!r} is no header field that can carry a credential")
        return self


_DEFAULTS = RestSettings()


def settings_of(resource: Resource) -> RestSettings:
    """Return a resource's settings; the defaults where it has none."""
    return cast("RestSettings", resource.settings) if resource.settings is not None else _DEFAULTS
