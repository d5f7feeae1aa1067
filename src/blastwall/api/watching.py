"""GET /healthz, /readyz and /metrics."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from blastwall.api.requests import bearer_of, source_of
from blastwall.control.access import Remote
from blastwall.control.control import Control


async def healthz(control: Control, request: Request) -> Response:
    """The process answers; where the node has several workers, how many of them serve."""
    workers = control.status.alive(Remote(source_of(request)))
    several = {"workers": {"of": workers.of, "ready": workers.ready}} if workers.of > 1 else {}
    return JSONResponse({"status": "ok", **several})


async def readyz(control: Control, request: Request) -> Response:
    """The gateway takes new sessions."""
    ready = control.status.ready(Remote(source_of(request)))
    return JSONResponse({"status": "ready" if ready else "not ready"}, 200 if ready else 503)


async def metrics(control: Control, request: Request) -> Response:
    """Metrics, to this machine and to users."""
    caller = await control.callers.remote(source_of(request), bearer_of(request))
    return Response(await control.status.metrics(caller), media_type="text/plain; version=0.0.4; charset=utf-8")
