"""A small server of the API's shapes, for the page's own tests: what the page shows and sends is what is tested here.

The page's files, and what a browser is told with them, come from the gateway's own code. That the shapes are the
gateway's too is tested against the gateway.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Self

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.middleware.base import RequestResponseEndpoint
from tests.web.fake_answers import CSRF, Known, Problem, act, answer
from tests.web.story import Json, Thing

from blastwall.api import page

PREFIX = "/api/v1"


class FakeApi:
    """Runs in a thread of its own; `posted` is what the page sent, `known` is what there is and who asks."""

    def __init__(self) -> None:
        config = uvicorn.Config(self._app(), port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._streams: dict[asyncio.Queue[str], asyncio.AbstractEventLoop] = {}
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.known = Known()
        self.failing: dict[str, int] = {}
        self.late: set[str] = set()
        """Paths whose answers are made and then kept back, until they are taken from here."""
        self.kept: set[str] = set()
        """Those of which one was kept back."""
        self.posted: list[tuple[str, Json]] = []
        self.forged: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the tests' API did not start"
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._publish("")
        self._thread.join(10)

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def publish(self, kind: str, **data: Json) -> None:
        """Tell everybody who listens that something changed."""
        self._publish(f"event: {kind}\ndata: {json.dumps(data)}\n\n")

    def _publish(self, line: str) -> None:
        for queue, loop in list(self._streams.items()):
            loop.call_soon_threadsafe(queue.put_nowait, line)

    def approval(self, number: str) -> Thing:
        """One approval, to be changed in place."""
        return next(one for one in self.known.approvals if one["id"] == number)

    def _app(self) -> FastAPI:
        app = FastAPI(openapi_url=None)
        app.middleware("http")(self._guard)
        app.add_middleware(page.BrowserHeaders, sign_in=lambda: None)
        app.get(PREFIX + "/events")(self._events)
        app.get("/auth/login")(self._login)
        app.get(PREFIX + "/{path:path}")(self._get)
        app.post(PREFIX + "/{path:path}")(self._post)
        app.post("/auth/{path:path}")(self._post)
        page.mount(app)
        return app

    async def _guard(self, request: Request, call: RequestResponseEndpoint) -> Response:
        """Refuse who is not signed in, what another page forged, and what a test has fail."""
        path = request.url.path
        protected = path.startswith(PREFIX) or (path.startswith("/auth/") and request.method == "POST")
        if protected and not self.known.signed_in:
            return _problem(401, "sign in first")
        if request.method == "POST" and request.headers.get("X-CSRF-Token") != CSRF:
            self.forged.append(path)
            return _problem(403, "the request does not come from this page")
        failing = self.failing.get(path.removeprefix(PREFIX))
        if failing is not None:
            return _problem(failing, "the gateway failed; its log says how")
        response = await call(request)
        while path.removeprefix(PREFIX) in self.late:
            self.kept.add(path.removeprefix(PREFIX))
            await asyncio.sleep(0.01)
        return response

    async def _login(self, request: Request) -> Response:
        self.known.signed_in = True
        return RedirectResponse("/#" + request.query_params["to"], 303)

    async def _events(self) -> Response:
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._streams[queue] = asyncio.get_running_loop()

        async def told() -> AsyncIterator[str]:
            yield ": hello\n\n"
            try:
                while line := await queue.get():
                    yield line
            finally:
                self._streams.pop(queue, None)

        return StreamingResponse(told(), media_type="text/event-stream")

    async def _get(self, path: str, request: Request) -> Response:
        try:
            return JSONResponse(answer(self.known, path.split("/"), dict(request.query_params)))
        except Problem as problem:
            return _problem(problem.status, str(problem))

    async def _post(self, path: str, request: Request) -> Response:
        body: Json = await request.json()
        whole = request.url.path.removeprefix(PREFIX)
        self.posted.append((whole, body))
        assert isinstance(body, dict)
        try:
            return JSONResponse(act(self.known, whole.strip("/").split("/"), body))
        except Problem as problem:
            return _problem(problem.status, str(problem))


def _problem(status: int, detail: str) -> Response:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")
