"""Two APIs at one port of a gateway with two workers: each request reaches the one that it names, as whom it proves."""

from __future__ import annotations

import http.client
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from tests.recordings import settled
from tests.waiting import SOON, promised

from blastwall.model.events import LoginAdmitted, StatementAsked
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.ports import free_port

POLICIES = """
@id("agents-read")
permit (principal, action in [Action::"connect", Action::"read"], resource) when { context.plane == "data" };
"""


class Api(ThreadingHTTPServer):
    """Says its name, and with which key it was asked."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.name = name
        self.asked: list[str] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Api

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        said = f"{self.server.name} by {self.headers['x-api-key']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has above
        """Say nothing."""


@dataclass
class World:
    """The gateway, the two APIs, and what clients need."""

    gateway: Gateway
    issuer: DevIssuer
    apis: Mapping[str, Api]
    clients: list[http.client.HTTPSConnection] = field(default_factory=list)

    def token(self, subject: str = "ci", lifetime: float = 600) -> str:
        return self.issuer.token(subject, lifetime=lifetime, claims={"who": subject})

    def connect(self) -> Client:
        context = ssl.create_default_context(cafile=str(self.gateway.ca))
        connection = http.client.HTTPSConnection("localhost", self.gateway.port("a"), timeout=30, context=context)
        self.clients.append(connection)
        return Client(connection)

    def sessions(self, path: str) -> list[tuple[str, str, list[str]]]:
        """Of each session in which `path` was asked for: resource, principal, everything that was asked."""
        found = []
        for session, events in settled(self.gateway):
            asked = [event.text for event in events if isinstance(event, StatementAsked)]
            who = [event.principal for event in events if isinstance(event, LoginAdmitted)]
            if any(path in text for text in asked):
                found.append((session.resource, ", ".join(dict.fromkeys(who)), asked))
        return sorted(found)


@dataclass
class Client:
    """One connection, whatever is asked for on it."""

    connection: http.client.HTTPSConnection

    def get(self, host: str, token: str, path: str) -> tuple[int, str]:
        self.connection.request("GET", path, headers={"Host": host, "Authorization": f"Bearer {token}"})
        local = self.connection.sock.getsockname()
        with self.connection.getresponse() as response:
            body = response.read().decode()
        assert self.connection.sock is not None, "the gateway closed the connection"
        assert self.connection.sock.getsockname() == local
        return response.status, body


def _resource(name: str, api: Api, port: int) -> dict[str, object]:
    return {
        "name": name,
        "kind": "http",
        "listen": port,
        "hosts": [f"{name}.gw.example"],
        "upstream": {"host": "127.0.0.1", "port": api.port, "tls": "disable"},
        "credential": {"password": {"env": f"KEY_{name.upper()}"}},
        "settings": {"auth": "header", "header": "X-Api-Key"},
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder, port = tmp_path_factory.mktemp("shared"), free_port()
    apis = {name: Api(name) for name in "ab"}
    for api in apis.values():
        Thread(target=api.serve_forever, name=api.name, daemon=True).start()
    with DevIssuer() as issuer:
        configuration = {
            "workers": 2,
            "issuers": [{"name": "ci", "issuer": issuer.url, "audience": issuer.audience, "skew": "0s"}],
            "agents": [
                {"name": name, "issuer": "ci", "match": {"who": name}, "groups": ["ci"]} for name in ("ci", "etl")
            ],
            "resources": [_resource(name, api, port) for name, api in apis.items()],
            "policies": ["*.cedar"],
        }
        keys = {"KEY_A": "key-of-a", "KEY_B": "key-of-b"}
        gateway = Gateway(configuration, policies={"p.cedar": POLICIES}, environment=keys, folder=folder)
        with gateway:
            world = World(gateway, issuer, apis)
            yield world
            for client in world.clients:
                client.close()
    for api in apis.values():
        api.shutdown()
        api.server_close()


def test_one_connection_reaches_what_each_request_names_and_nobody_by_another_name(world: World) -> None:
    client, token = world.connect(), world.token()
    said = [client.get(f"{host}.gw.example", token, "/one") for host in ("a", "b", "c", "b", "a")]
    assert [status for status, _ in said] == [200, 200, 421, 200, 200]
    assert [body for status, body in said if status == 200] == [f"{name} by key-of-{name}" for name in "abba"]
    assert [(resource, who) for resource, who, _ in world.sessions("/one")] == [("a", "ci"), ("a", "ci"), ("b", "ci")]


def test_a_client_that_names_nothing_known_reaches_nothing(world: World) -> None:
    before = [len(api.asked) for api in world.apis.values()]
    context = ssl.create_default_context(cafile=str(world.gateway.ca))
    connection = http.client.HTTPSConnection("localhost", world.gateway.port("a"), timeout=30, context=context)
    for host in ("localhost", "169.254.169.254", f"127.0.0.1:{world.apis['a'].port}"):
        connection.request("GET", "/", headers={"Host": host, "Authorization": f"Bearer {world.token()}"})
        with connection.getresponse() as response:
            assert response.status == 421
            response.read()
    connection.close()
    assert [len(api.asked) for api in world.apis.values()] == before


def test_curl_by_the_names_of_hosts(world: World) -> None:
    port = world.gateway.port("a")
    for name in "ab":
        host = f"{name}.gw.example"
        shown = ["-H", f"Authorization: Bearer {world.token()}"]
        command = ["curl", "-sS", "--max-time", "30", "--resolve", f"{host}:{port}:127.0.0.1", "--insecure", *shown]
        done = subprocess.run([*command, f"https://{host}:{port}/curl"], capture_output=True, text=True, check=True)
        assert done.stdout == f"{name} by key-of-{name}"


def test_each_agents_requests_are_in_a_session_of_its_own(world: World) -> None:
    client = world.connect()
    for who in ("ci", "etl", "ci"):
        assert client.get("a.gw.example", world.token(who), f"/two?{who}")[0] == 200
    sessions = world.sessions("/two")
    assert sorted(who for _, who, _ in sessions) == ["ci", "ci", "etl"]
    assert all(f"/two?{who}" in asked[0] and len(asked) == 1 for _, who, asked in sessions)


def test_a_token_that_ends_while_the_connection_is_open_is_asked_for_again(world: World) -> None:
    client, token = world.connect(), world.token(lifetime=min(promised(6), 30))
    deadline = time.monotonic() + SOON
    assert client.get("a.gw.example", token, "/three")[0] == 200
    while (status := client.get("a.gw.example", token, "/three")[0]) == 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert status == 401
    reached = len(world.apis["a"].asked)
    assert client.get("a.gw.example", token, "/three")[0] == 401
    assert len(world.apis["a"].asked) == reached
    assert client.get("a.gw.example", world.token(), "/three")[0] == 200
    assert len(world.sessions("/three")) == 1


def test_what_a_reload_takes_out_is_reached_by_nobody_on_open_connections_too(world: World) -> None:
    client, token = world.connect(), world.token()
    assert client.get("b.gw.example", token, "/four")[0] == 200
    assert client.get("a.gw.example", token, "/four")[0] == 200
    configuration = world.gateway.configuration
    resources = configuration["resources"]
    assert isinstance(resources, list)
    world.gateway.write({**configuration, "resources": resources[:1]})
    world.gateway.reload()
    deadline = time.monotonic() + SOON
    while (status := client.get("b.gw.example", token, "/four")[0]) != 421 and time.monotonic() < deadline:
        time.sleep(0.1)  # 401 where policy has gone already
    assert status == 421
    assert client.get("a.gw.example", token, "/four") == (200, "a by key-of-a")
    world.gateway.write(configuration)
    world.gateway.reload()
