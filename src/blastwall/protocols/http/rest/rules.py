"""Rules of an API: which method and path do what.

    {match: "GET /users/{id}/token", action: reveal}
    {match: "POST /search/**", action: read, operation: orders.search}
    {match: "PUT|PATCH /orders/*/state", action: [update, execute]}

The first rule that matches counts. Segments are compared without regard to case.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from blastwall.model.effects import Action

_MATCH = re.compile(r"(\*|[A-Z]+(?:\|[A-Z]+)*) (/\S*)")
_PARAMETER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}|\*")
_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()+,=:@-]+")
ANY_REST = "**"


def _readable(match: str) -> str:
    found = _MATCH.fullmatch(match)
    if found is None:
        raise ValueError(
            f"{match!r} is no `METHOD /path`: write `GET /users/{{id}}`, `PUT|PATCH /orders/*`, `* /admin/**`"
        )
    *inner, last = found[2][1:].split("/")
    for segment in (*inner, *([] if last in ("", ANY_REST) else [last])):
        if _PARAMETER.fullmatch(segment) is None and (_LITERAL.fullmatch(segment) is None or segment in (".", "..")):
            raise ValueError(
                f"{segment!r} in {match!r} is no segment: it is a name, `{{name}}`, `*`, or at the end `**`"
            )
    return match


class RestRule(BaseModel):
    """One rule of an API."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    match: Annotated[str, AfterValidator(_readable)] = Field(
        description="Method and path: `GET /users/{id}`; several methods as `PUT|PATCH`, any as `*`; `{name}` and `*` "
        "stand for one segment, `**` at the end for any rest."
    )
    action: Action | list[Action] = Field(
        description="What it does, one action or several; `reveal` where the answer hands out a credential, which is "
        "then never recorded."
    )
    operation: str = Field("", description="What policies read as `context.operation`; default: the method.")

    @field_validator("action")
    @classmethod
    def _some(cls, action: Action | list[Action]) -> Action | list[Action]:
        if action == []:
            raise ValueError("it does something: name at least one action")
        return action

    @property
    def actions(self) -> tuple[Action, ...]:
        """What it does."""
        return tuple(self.action) if isinstance(self.action, list) else (self.action,)

    def matches(self, method: str, segments: tuple[str, ...]) -> bool:
        """Whether this rule is about a request with these segments, which are in lower case."""
        methods, pattern, open_end = self.parts
        if methods and not {method, _LIKE.get(method, method)} & methods:
            return False
        if len(segments) < len(pattern) or (len(segments) > len(pattern) and not open_end):
            return False
        return all(_fits(one, segment) for one, segment in zip(pattern, segments, strict=False))

    @cached_property
    def parts(self) -> tuple[frozenset[str], tuple[str, ...], bool]:
        """The methods (none: any), the path's segments in lower case, and whether any rest may follow."""
        methods, _, path = self.match.partition(" ")
        pattern = tuple(path[1:].lower().split("/"))
        open_end = pattern[-1] == ANY_REST
        if open_end or not pattern[-1]:
            pattern = pattern[:-1]
        return frozenset() if methods == "*" else frozenset(methods.split("|")), pattern, open_end


_LIKE = {"HEAD": "GET"}
"""Servers do for HEAD what they do for GET, and leave the body out (RFC 9110, section 9.3.2)."""


def _fits(pattern: str, segment: str) -> bool:
    return pattern in (segment, "*") or pattern.startswith("{")
