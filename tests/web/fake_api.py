"""A small server of the API's shapes, for the page's own tests: what the page shows and sends is what is tested here.

That the shapes are the gateway's is tested elsewhere, against the gateway itself.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Self

from aiohttp import web as http

from blastwall import web
from tests.web import story
from tests.web.story import Json, Thing

CSRF = "a-token-of-this-page"
PREFIX = "/api/v1"
Handler = Callable[[http.Request], Awaitable[http.StreamResponse]]


class FakeApi:
    """Runs in a thread of its own; `posted` is what the page sent, `roles` and `signed_in` say who is there."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._streams: set[asyncio.Queue[str]] = set()
        self._runner: http.AppRunner | None = None
        self.port = 0
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.roles = ["viewer", "approver", "auditor", "operator"]
        self.signed_in = True
        self.failing: dict[str, int] = {}
        self.posted: list[tuple[str, Json]] = []
        self.forged: list[str] = []
        self.approvals = story.approvals()
        self.grants = story.grants()
        self.sessions = story.sessions()
        self.contained = story.containment()

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    def publish(self, kind: str, **data: Json) -> None:
        """Tell everybody who listens that something changed."""
        line = f"event: {kind}\ndata: {json.dumps(data)}\n\n"
        self._loop.call_soon_threadsafe(lambda: [queue.put_nowait(line) for queue in self._streams])

    def approval(self, number: str) -> Thing:
        """One approval, to be changed in place."""
        return next(one for one in self.approvals if one["id"] == number)

    def _run(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> None:
        app = http.Application(middlewares=[self._guard])
        app.router.add_get(PREFIX + "/events", self._events)
        app.router.add_route("GET", PREFIX + "/{path:.*}", self._get)
        app.router.add_route("POST", PREFIX + "/{path:.*}", self._post)
        app.router.add_route("POST", "/auth/{path:.*}", self._post)
        app.router.add_get("/auth/login", self._login)
        app.router.add_get("/{path:.*}", self._static)
        self._runner = http.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = http.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        for queue in self._streams:
            queue.put_nowait("")
        if self._runner is not None:
            await self._runner.cleanup()

    @http.middleware
    async def _guard(self, request: http.Request, handler: Handler) -> http.StreamResponse:
        """Refuse who is not signed in, what another page forged, and what a test has fail."""
        protected = request.path.startswith(PREFIX) or (request.path.startswith("/auth/") and request.method == "POST")
        if protected and not self.signed_in:
            return _problem(401, "Not signed in", "sign in first")
        if request.method == "POST" and request.headers.get("X-CSRF-Token") != CSRF:
            self.forged.append(request.path)
            return _problem(403, "Forbidden", "the request does not come from this page")
        failing = self.failing.get(request.path.removeprefix(PREFIX))
        if failing is not None:
            return _problem(failing, "Failed", "the gateway failed; its log says how")
        return await handler(request)

    async def _static(self, request: http.Request) -> http.Response:
        found = web.asset(request.path)
        if found is None:
            return http.Response(status=404)
        return http.Response(body=found.body, headers={**web.HEADERS, "Content-Type": found.content_type})

    async def _login(self, request: http.Request) -> http.Response:
        self.signed_in = True
        raise http.HTTPFound(request.query["return"])

    async def _events(self, request: http.Request) -> http.StreamResponse:
        answer = http.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await answer.prepare(request)
        await answer.write(b": hello\n\n")
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._streams.add(queue)
        try:
            while line := await queue.get():
                with suppress(ConnectionError):
                    await answer.write(line.encode())
        finally:
            self._streams.discard(queue)
        return answer

    async def _get(self, request: http.Request) -> http.Response:
        path = request.match_info["path"].split("/")
        found = answer(self, path, dict(request.query))
        if found is None:
            return _problem(404, "Not found", "there is no such thing")
        return http.json_response(found)

    async def _post(self, request: http.Request) -> http.Response:
        body: Json = await request.json()
        path = request.path.removeprefix(PREFIX)
        self.posted.append((path, body))
        assert isinstance(body, dict)
        found = act(self, path.strip("/").split("/"), body)
        return found if isinstance(found, http.Response) else http.json_response(found)


def _problem(status: int, title: str, detail: str) -> http.Response:
    body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail})
    return http.Response(status=status, text=body, content_type="application/problem+json")


def _page(items: list[Thing], query: dict[str, str]) -> Thing:
    start, most = int(query.get("cursor", "0")), int(query.get("limit", "50"))
    after = start + most
    return {"items": items[start:after], "next": str(after) if after < len(items) else None}


def _one(items: list[Thing], key: str, value: str) -> Thing | None:
    return next((one for one in items if one[key] == value), None)


def answer(api: FakeApi, path: list[str], query: dict[str, str]) -> Thing | None:
    """Answer a GET."""
    match path:
        case ["me"]:
            return {"kind": "user", "name": "ana", "groups": ["dba", "oncall"], "roles": list(api.roles), "csrf": CSRF, "signed_in_until": story.at(hours=-7)}
        case ["version"]:
            return {"version": "0.4.0"}
        case ["health"]:
            return story.HEALTH
        case ["approvals"]:
            return _page([one for one in api.approvals if query.get("state") in {one["state"], "all"}], query)
        case ["approvals", number]:
            return _one(api.approvals, "id", number)
        case ["grants"]:
            return _page([one for one in api.grants if query.get("state") in {one["state"], "all"}], query)
        case ["grants", number]:
            return _one(api.grants, "id", number)
        case ["sessions"]:
            return _page([one for one in api.sessions if _wanted(one, query)], query)
        case ["sessions", number]:
            return _one(api.sessions, "id", number)
        case ["sessions", number, "events"]:
            items = [one for one in story.events(number) if int(str(one["record"])) > int(query.get("after", "0"))]
            page = items[: int(query.get("limit", "50"))]
            return {"items": page, "next": str(page[-1]["record"]) if len(page) < len(items) else None}
        case ["policies"]:
            return story.policies()
        case ["containment"]:
            return _page([one for one in api.contained if not one["lifted"]], query)
        case ["containment", "history"]:
            return _page(api.contained, query)
        case _:
            return _named(path, query)


def _named(path: list[str], query: dict[str, str]) -> Thing | None:
    kinds: dict[str, Callable[[], list[Thing]]] = {"agents": story.agents, "resources": story.resources}
    items = kinds[path[0]]() if path[0] in kinds else []
    if len(path) == 1 and path[0] in kinds:
        return _page(items, query)
    return _one(items, "name", path[1]) if len(path) == 2 else None


def _wanted(one: Thing, query: dict[str, str]) -> bool:
    who = one["principal"]
    name = who["name"] if isinstance(who, dict) else ""
    return (
        query.get("live") in {None, str(one["live"]).lower()}
        and query.get("resource") in {None, one["resource"]}
        and query.get("agent") in {None, name}
        and query.get("q", "") in json.dumps(one)
        and query.get("since", "") <= str(one["began"])
    )


def act(api: FakeApi, path: list[str], body: Thing) -> Thing | http.Response:
    """Answer a POST."""
    match path:
        case ["approvals", number, "approve" | "deny" as verb]:
            return _decide(api, number, verb, body)
        case ["grants"]:
            made = story.grant("gr-new", **body)
            api.grants.insert(0, made)
            return made
        case ["break-glass"]:
            made = story.grant("gr-glass", kind="break_glass", state="open", can_decide=False, **{key: body[key] for key in ("resource", "actions", "reason", "minutes")})
            api.grants.insert(0, made)
            return made
        case ["grants", number, verb]:
            return _grant(api, number, verb)
        case ["containment"]:
            made = {**body, "by": "ana", "at": story.at(), "lifted": None, "lifted_by": None, "lift_reason": None}
            api.contained.insert(0, made)
            return made
        case ["containment", "lift"]:
            found = next(one for one in api.contained if one["name"] == body["name"])
            found.update(lifted=story.at(), lifted_by="ana", lift_reason=body["reason"])
            return found
        case ["sessions", number, "kill"]:
            found = next(one for one in api.sessions if one["id"] == number)
            found.update(live=False, ended=story.at(), end_reason=f"killed by ana: {body['reason']}")
            return found
        case ["policies", "explain"]:
            return story.explained(str(body["statement"]))
        case ["auth", "logout"]:
            api.signed_in = False
            return {}
        case ["auth", "device", "confirm"]:
            return {} if body["user_code"] == "BKDF-QWXZ" else _problem(404, "Not found", "there is no such code, or it has expired")
        case _:
            return _problem(404, "Not found", "there is no such thing")


def _decide(api: FakeApi, number: str, verb: str, body: Thing) -> Thing | http.Response:
    found = api.approval(number)
    if found["state"] != "waiting":
        return _problem(409, "Already decided", "somebody else decided first")
    made: Thing = {"by": "ana", "at": story.at(), "decision": verb, "scope": body.get("scope"), "minutes": body.get("minutes"), "comment": body.get("comment")}
    decisions = found["decisions"]
    assert isinstance(decisions, list)
    found.update(state="approved" if verb == "approve" else "denied", ended_at=story.at(), can_decide=False, decisions=[*decisions, made])
    return found


def _grant(api: FakeApi, number: str, verb: str) -> Thing:
    found = next(one for one in api.grants if one["id"] == number)
    match verb:
        case "approve":
            found.update(state="open", starts=story.at(), ends=story.at(hours=-1), can_decide=False)
        case "deny":
            found.update(state="refused", can_decide=False)
        case "revoke":
            found.update(state="revoked", ends=story.at())
        case _:
            found.update(review={"open": False, "closed_by": "ana", "closed_at": story.at(), "comment": "fine"})
    return found
