"""Every route is classified, and who is not meant gets nothing."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from dataclasses import dataclass, field, replace

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from starlette.routing import Route as StarletteRoute
from tests.api.conftest import Gateway

from blastwall.api import create_app
from blastwall.api.openapi import document_of
from blastwall.api.routes import ENDPOINTS, ROUTES, Route
from blastwall.control.access import Access
from blastwall.control.status import Status


def test_every_route_is_in_the_table_and_classified(gateway: Gateway) -> None:
    app = create_app(gateway.control)
    served, files = set(), set()
    for route in app.routes:
        if isinstance(route, APIRoute):
            served |= {(method, route.path) for method in route.methods or ()}
        else:
            assert isinstance(route, StarletteRoute), f"{route} is not a classified route"
            files.add(route.path)
    in_tables = {(route.method, route.path) for route in ROUTES}
    in_tables |= {(endpoint.method, endpoint.full_path) for endpoint in ENDPOINTS}
    assert served == in_tables
    assert all(path in {"/", "/api/v1/openapi.json"} or path.startswith("/static/") for path in files), files
    assert all(endpoint.access for endpoint in ENDPOINTS)
    assert {(route.path, route.access) for route in ROUTES} == {
        ("/token", Access.PROOF),
        ("/revoke", Access.PROOF),
        ("/auth/login", Access.PUBLIC),
        ("/auth/callback", Access.PROOF),
        ("/auth/device", Access.PROOF),
        ("/auth/device/token", Access.PROOF),
        ("/healthz", Access.PUBLIC),
        ("/readyz", Access.PUBLIC),
        ("/metrics", Access.OBSERVER),
        ("/common/discovery/instance", Access.PUBLIC),
        ("/{tenant}/v2.0/.well-known/openid-configuration", Access.PUBLIC),
        ("/{tenant}/.well-known/openid-configuration", Access.PUBLIC),
        ("/{tenant}/discovery/v2.0/keys", Access.PUBLIC),
        ("/{tenant}/discovery/keys", Access.PUBLIC),
        ("/{tenant}/oauth2/v2.0/token", Access.PROOF),
        ("/{tenant}/oauth2/token", Access.PROOF),
    }


def test_an_unclassified_route_stops_the_application(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    stray = replace(ROUTES[0], path="/stray", use_case=print)
    monkeypatch.setattr("blastwall.api.application.ROUTES", (*ROUTES, stray))
    with pytest.raises(TypeError, match="POST /stray: its use-case is not classified"):
        create_app(gateway.control)


def test_an_unclassified_endpoint_stops_the_application(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    stray = replace(ENDPOINTS[0], path="/stray", use_case=print)
    monkeypatch.setattr("blastwall.api.application.ENDPOINTS", (*ENDPOINTS, stray))
    with pytest.raises(TypeError, match="GET /stray: its use-case is not classified"):
        create_app(gateway.control)


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/static/", "/token/", "/metrics/"])
async def test_there_is_nothing_else(gateway: Gateway, path: str) -> None:
    async with gateway.http.get(f"{gateway.url}{path}", allow_redirects=False) as response:
        assert response.status == 404


async def test_tokens_are_not_taken_by_get(gateway: Gateway) -> None:
    for path in ("/token", "/revoke"):
        async with gateway.http.get(f"{gateway.url}{path}") as response:
            assert response.status == 405


async def test_health(gateway: Gateway) -> None:
    async with gateway.http.get(f"{gateway.url}/healthz") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok"})


async def test_readiness_says_no_more_than_yes_or_no(gateway: Gateway) -> None:
    async with gateway.http.get(f"{gateway.url}/readyz") as response:
        assert (response.status, await response.json()) == (200, {"status": "ready"})
    gateway.waiting_for.append("state at db.internal")
    async with gateway.http.get(f"{gateway.url}/readyz") as response:
        assert (response.status, await response.json()) == (503, {"status": "not ready"})


async def test_metrics_on_the_gateways_machine(gateway: Gateway) -> None:
    async with gateway.http.get(f"{gateway.url}/metrics") as response:
        assert response.status == 200
        assert 'sessions_total{agent="shop-ci"} 1.0' in await response.text()


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""


async def ask(app: FastAPI, path: str, client: str = "203.0.113.9", **headers: str) -> Answer:
    """GET over ASGI, as a connection from the address `client`."""
    answer = Answer()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()],
        "client": (client, 40000),
        "server": ("gateway", 443),
    }

    async def receive() -> MutableMapping[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, object]) -> None:
        if message["type"] == "http.response.start":
            status, pairs = message["status"], message["headers"]
            assert isinstance(status, int)
            assert isinstance(pairs, list)
            answer.status = status
            answer.headers = {name.decode(): value.decode() for name, value in pairs}
        else:
            body = message.get("body", b"")
            assert isinstance(body, bytes)
            answer.text += body.decode()

    await app(scope, receive, send)
    return answer


async def test_metrics_elsewhere_are_for_users(gateway: Gateway) -> None:
    app = create_app(gateway.control)
    user = gateway.issuer.token(oid="5f1c", repository_id=None).decode()
    agent = gateway.issuer.token().decode()
    issued = str((await gateway.exchange())[1]["access_token"])
    assert (await ask(app, "/metrics")).status == 401
    for authorization, status in (
        (f"Bearer {agent}", 403),
        (f"Bearer {issued}", 401),
        ("Bearer junk", 401),
        ("Bearer", 401),
        (f"Basic {user}", 401),
    ):
        answer = await ask(app, "/metrics", authorization=authorization)
        assert (answer.status, "shop-ci" in answer.text) == (status, False), authorization
    assert (await ask(app, "/metrics", authorization=f"Bearer {user}")).status == 200


async def test_the_document_is_written_once_when_it_is_asked_for(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[FastAPI] = []

    def write(app: FastAPI) -> dict[str, object]:
        written.append(app)
        return document_of(app)

    monkeypatch.setattr("blastwall.api.openapi.document_of", write)
    app = create_app(gateway.control)
    assert written == []
    answers = await asyncio.gather(*(ask(app, "/api/v1/openapi.json") for _ in range(8)))
    assert {(answer.status, answer.headers["cache-control"]) for answer in answers} == {(200, "no-store")}
    assert len({answer.text for answer in answers}) == 1
    assert '"/api/v1/me"' in answers[0].text
    assert written == [app]


async def test_forwarding_headers_do_not_make_a_caller_local(gateway: Gateway) -> None:
    app = create_app(gateway.control)
    for header in ("x_forwarded_for", "x_real_ip", "forwarded"):
        assert (await ask(app, "/metrics", **{header: "127.0.0.1"})).status == 401


async def test_guessing_bearer_tokens_is_limited(gateway: Gateway) -> None:
    app = create_app(gateway.control)
    answers = [await ask(app, "/metrics", authorization="Bearer junk") for _ in range(21)]
    assert [answer.status for answer in answers] == [401] * 20 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


async def test_a_failure_inside_tells_nothing(gateway: Gateway) -> None:
    def fail() -> list[str]:
        raise RuntimeError("hunter2")

    control = replace(gateway.control, status=Status(fail, CollectorRegistry()))
    answer = await ask(create_app(control), "/readyz")
    assert answer.status == 500
    assert "hunter2" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_a_route_names_its_method_and_path() -> None:
    with pytest.raises(TypeError, match="GET /x"):
        _ = Route("GET", "/x", ROUTES[0].handler, None).access
