"""The frame of `/api/v1`: an endpoint's order, which no handler can leave.

    who is it ─▶ may they ─▶ is the request well formed ─▶ was it done before ─▶ handler ─▶ answer, or problem+json

An area is a module with pydantic models, handlers and a table, here `api/approvals.py` as an example:

    class Approve(Body):
        \"\"\"What an approver decides.\"\"\"

        scope: Literal["once", "statement", "session"] = Field(description="What the approval is good for.")
        comment: Text = Field("", description="For the record.")

    class Approval(Answer):
        \"\"\"A statement that waits, or waited.\"\"\"

        id: str = Field(description="Its id.")

    async def approve(control: InControl, caller: InCaller, id: Id, body: Approve) -> Approval:
        \"\"\"Approve a held statement.

        The first decision wins …
        \"\"\"
        return _approval(await control.approving.approve(caller, id, body.scope, body.comment))

    ENDPOINTS = (
        Endpoint("GET", "/approvals", listed, Approving.list),
        Endpoint("POST", "/approvals/{id}/approve", approve, Approving.approve, {NoSuchApproval: 404, Ended: 409}),
    )

and `*approvals.ENDPOINTS` in the table of `api/routes.py`. The use-case decides who may call; its class is a field of
`control.control.Control`. The handler's docstring, models and the table of errors are the OpenAPI document. A list
takes `query: Annotated[ApprovalsQuery, Query()]` (a `PageQuery`) and returns a `Page[Approval]`; see `api/pages.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from types import FunctionType
from typing import Annotated, Literal

from fastapi import Depends, Path, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, StringConstraints

from blastwall.api import known
from blastwall.api.problems import MEDIA_TYPE, Unacceptable, problem_of
from blastwall.api.repeats import KEY_PARAMETER, once
from blastwall.api.requests import StrictRequest, refuse_unstorable
from blastwall.control.access import Access, Remote, access_of, authorize
from blastwall.control.control import Control

PREFIX = "/api/v1"
NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$", description="Its id or name.")]
Text = Annotated[str, StringConstraints(max_length=1000)]
"""What a person writes: a comment."""
Reason = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"\S")]
"""A comment that must be given."""
NamedThing = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
"""A name of the configuration."""


class Body(BaseModel):
    """What a request carries: unknown keys are refused, nothing is turned into another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Answer(BaseModel):
    """What an answer holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _control(request: Request) -> Control:
    control: Control = request.app.state.control
    return control


def _caller(request: Request) -> Remote:
    caller: Remote = request.state.caller
    return caller


InControl = Annotated[Control, Depends(_control)]
InCaller = Annotated[Remote, Depends(_caller)]


def time_of(at: float) -> str:
    """Return a time, in seconds since the epoch, as answers write it: RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def access_by(use_case: object, route: str) -> Access:
    """Return who may call a route, by its use-case.

    Raises:
        TypeError: that was never classified.
    """
    access = access_of(use_case)
    if access is None:
        raise TypeError(f"{route}: its use-case is not classified (see control.access)")
    return access


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route below `/api/v1`.

    `use_case` is the method of a `UseCases` class that `handler` calls; `errors` are that use-case's own, by status.
    `repeats` says that `Idempotency-Key` is honoured. `answers` is the media type; `prefix` stands before `path`.
    """

    method: Literal["GET", "POST", "DELETE", "PUT", "PATCH"]
    path: str
    handler: object
    use_case: object
    errors: Mapping[type[Exception], int] = field(default_factory=dict)
    status: int = 200
    repeats: bool = False
    answers: str = "application/json"
    prefix: str = PREFIX

    @property
    def full_path(self) -> str:
        """The path from the root."""
        return self.prefix + self.path

    @property
    def access(self) -> Access:
        """Who may call it.

        Raises:
            TypeError: its use-case was never classified.
        """
        return access_by(self.use_case, f"{self.method} {self.path}")


class ApiRoute(APIRoute):
    """An endpoint as the application serves it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._served = endpoint
        handler = endpoint.handler
        if not isinstance(handler, FunctionType):
            raise TypeError(f"{endpoint.method} {endpoint.path}: its handler is no function")
        summary, _, description = inspect.cleandoc(handler.__doc__ or "").partition("\n")
        json = endpoint.answers == "application/json"
        super().__init__(
            endpoint.full_path,
            handler,
            summary=summary.rstrip("."),
            description=description.strip() or None,
            methods=[endpoint.method],
            status_code=endpoint.status,
            response_class=JSONResponse if json else _media(endpoint.answers),
            name=f"{endpoint.access}: {endpoint.method} {endpoint.path}",
            operation_id=_operation(endpoint),
            tags=[endpoint.path.split("/")[1]],
            response_description=HTTPStatus(endpoint.status).phrase,
            responses={status: _documented(status) for status in self._statuses()},
            openapi_extra={
                "security": _security(endpoint),
                **({"parameters": [KEY_PARAMETER]} if endpoint.repeats else {}),
            },
        )
        self._takes_query = bool(self.dependant.query_params)

    def _statuses(self) -> list[int]:
        endpoint = self._served
        found = {400, 413, 422, 503, *endpoint.errors.values()}
        if endpoint.access is not Access.PUBLIC:
            found |= {401, 403, 429}
        if endpoint.method in _WITH_BODY:
            found |= {415}
        if endpoint.repeats:
            found |= {409}
        return sorted(found)

    def get_route_handler(self) -> Callable[[Request], Coroutine[object, object, Response]]:
        """Put the frame around what FastAPI makes of the handler."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await self._handle(request, inner)
            except Exception as error:  # noqa: BLE001 - whatever fails, the answer must not tell more than this
                response = problem_of(error, self._served.errors, self._served.path)
            for name, value in NO_STORE.items():
                response.headers[name] = value
            return response

        return handle

    async def _handle(
        self, request: Request, inner: Callable[[Request], Coroutine[object, object, Response]]
    ) -> Response:
        control = _control(request)
        caller = await known.caller(control, request, self._served.access)
        authorize(self._served.access, caller)
        request.state.caller = caller
        if request.query_params and not self._takes_query:
            raise Unacceptable(422, "this takes no parameters in the URL")
        refuse_unstorable({**dict(request.query_params), **dict(request.path_params)})
        strict = StrictRequest(request.scope, request.receive)
        await strict.check(takes_body=self.body_field is not None)
        if self._served.repeats:
            return await once(control, caller, strict, inner)
        return await inner(strict)


def _media(media_type: str) -> type[Response]:
    return type("Media", (Response,), {"media_type": media_type})


def _operation(endpoint: Endpoint) -> str:
    words = [part.strip("{}") for part in endpoint.path.replace("-", "_").split("/") if part]
    return "_".join([endpoint.method.lower(), *words])


def _documented(status: int) -> dict[str, object]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}


def _security(endpoint: Endpoint) -> list[dict[str, list[str]]]:
    """OpenAPI's security requirement: a bearer token, or the cookie, with its CSRF token where something is changed."""
    if endpoint.access is Access.PUBLIC:
        return []
    cookie: dict[str, list[str]] = {"cookie": []}
    return [{"bearer": []}, cookie if endpoint.method == "GET" else {**cookie, "csrf": []}]
