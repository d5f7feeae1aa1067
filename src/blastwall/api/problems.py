"""Errors as problem details (RFC 9457): what went wrong, in one shape, telling no more than the caller may know."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from blastwall.control.access import Forbidden
from blastwall.control.failures import TooManyFailures
from blastwall.gate.ports import Refusal
from blastwall.identity import Unavailable
from blastwall.store import StateError

MEDIA_TYPE = "application/problem+json"
_MOST_MISTAKES = 10
_log = structlog.get_logger("blastwall.api")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field("about:blank", description="The kind of problem; `about:blank`: the status says it all.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was refused, and what to do.")


class Unacceptable(Exception):
    """The request cannot be served as it is; `status` is 4xx, and the text repeats nothing of it."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


Known = Mapping[type[Exception], int]
"""The status of each of a use-case's own errors, whose texts are for the caller."""


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error's answer."""
    told = Problem(type="about:blank", title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(told.model_dump(), status, headers, media_type=MEDIA_TYPE)


def problem_of(error: Exception, known: Known, route: str) -> Response:
    """Return the answer to an error; what nobody foresaw is logged and tells nothing."""
    for kind, status in known.items():
        if isinstance(error, kind):
            return problem(status, str(error))
    if isinstance(error, Unacceptable):
        return problem(error.status, str(error))
    if isinstance(error, RequestValidationError):
        return problem(422, _mistakes(error))
    if isinstance(error, HTTPException):
        return problem(error.status_code, str(error.detail), error.headers)
    return _problem_of_caller(error) or _unforeseen(error, route)


def _problem_of_caller(error: Exception) -> Response | None:
    if isinstance(error, Forbidden) and error.known:
        return problem(403, str(error))
    if isinstance(error, Forbidden):
        return problem(401, str(error), {"WWW-Authenticate": "Bearer"})
    if isinstance(error, TooManyFailures):
        return problem(429, str(error), {"Retry-After": str(max(1, round(error.wait)))})
    if isinstance(error, Unavailable):
        return problem(503, error.told)
    if isinstance(error, Refusal):
        return problem(401, error.told, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return None


def _unforeseen(error: Exception, route: str) -> Response:
    if isinstance(error, StateError):
        _log.error("request_failed", route=route, error=str(error))
        return problem(503, "the gateway cannot use its state now; try again in a minute")
    _log.error("request_failed", route=route, error=type(error).__name__, exc_info=error)
    return problem(500, "the gateway failed; its log says how")


def _mistakes(error: RequestValidationError) -> str:
    """Name each mistake by its place; what was sent is not repeated."""
    told = []
    for each in error.errors()[:_MOST_MISTAKES]:
        place = ".".join(str(part) for part in each["loc"] if part not in {"body", "query", "path", "header"})
        told.append(f"{place or each['loc'][0]}: {each['msg']}")
    return "; ".join(told)
