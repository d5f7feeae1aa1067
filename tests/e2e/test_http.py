"""Ordinary HTTP clients through the real gateway to a real server: they notice nothing, and nothing passes unjudged."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
import requests
from aiohttp import web
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived
from tests.recordings import words, words_so_far
from tests.waiting import eventually

from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer

KEY = "the-key-of-the-api"
MIB = 1 << 20
POLICIES = """
@id("ci-uses-the-api")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read", Action::"create", Action::"update"],
        resource in Resource::"api");

@id("nobody-reads-the-vault")
@reason("the vault is nobody's")
forbid (principal, action, resource) when { resource in Container::"api/paths/vault" };
"""


class Api:
    """A small API over https: what it was asked is kept."""

    def __init__(self, authority: CertificateAuthority, folder: Path) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.whole: list[tuple[str, str, dict[str, str]]] = []
        """Those whose bodies came to their end."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*authority.issue("localhost").write(folder, "api"))
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._run, name="api")

    def __enter__(self) -> Api:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._ready.set()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        told = {name.lower(): value for name, value in request.headers.items()}
        asked = (request.method, request.path_qs, told)
        self.asked.append(asked)
        if request.path == "/big":
            return await self._big(request)
        digest, size = hashlib.sha256(), 0
        async for piece in request.content.iter_chunked(MIB):
            digest.update(piece)
            size += len(piece)
        self.whole.append(asked)
        answer = {"method": request.method, "path": request.path_qs, "size": size, "digest": digest.hexdigest()}
        response = web.json_response(answer)
        if request.path == "/close":
            response.force_close()
        if request.path == "/elsewhere":
            response.headers["Location"] = "https://elsewhere.example/"
            response.set_status(302)
        return response

    async def _big(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if "chunked" in request.query:
            response.enable_chunked_encoding()
        else:
            response.content_length = int(request.query["mib"]) * MIB
        await response.prepare(request)
        for _ in range(int(request.query["mib"])):
            await response.write(bytes(MIB))
        await response.write_eof()
        return response


@dataclass
class World:
    """The gateway, an API behind it, and what clients need."""

    gateway: Gateway
    issuer: DevIssuer
    api: Api
    calls: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.gateway.port('api')}"

    def token(self) -> str:
        return self.issuer.token("ci", claims={"repository_id": "42"})

    def session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.gateway.ca)
        session.headers["Authorization"] = f"Bearer {self.token()}"
        return session

    def curl(self, *arguments: str) -> tuple[int, str]:
        """Return the status and the body that curl got."""
        command = ["curl", "-sS", "--max-time", "60", "--cacert", str(self.gateway.ca), "-w", "\n%{http_code}"]
        shown = ["-H", f"Authorization: Bearer {self.token()}"]
        done = subprocess.run([*command, *shown, *arguments], capture_output=True, text=True, check=True, timeout=90)
        body, _, code = done.stdout.rpartition("\n")
        return int(code), body

    def most_memory(self) -> int:
        """Return the most memory that the gateway has had, in MiB."""
        status = Path(f"/proc/{self.gateway.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024

    def raw(self, *protocols: str) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.gateway.ca))
        context.set_alpn_protocols(protocols)
        plain = socket.create_connection(("localhost", self.gateway.port("api")), timeout=30)
        return context.wrap_socket(plain, server_hostname="localhost")

    def recorded_once(self, part: str) -> str:
        """Return everything that the recordings hold, once `part` is there."""
        eventually(lambda: part in self.recorded(), f"{part} is recorded")
        return words(self.gateway)

    def recorded(self) -> str:
        """Everything that the recordings hold now."""
        return words_so_far(self.gateway)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("http")
    authority = CertificateAuthority("the API's")
    with DevIssuer() as issuer, Api(authority, folder) as api:
        upstream = {"host": "localhost", "port": api.port, "ca": str(authority.write(folder))}
        configuration = {
            "issuers": [{"name": "ci", "issuer": issuer.url, "audience": issuer.audience}],
            "agents": [{"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"]}],
            "resources": [
                {
                    "name": "api",
                    "kind": "http",
                    "upstream": upstream,
                    "credential": {"password": {"env": "API_KEY"}},
                    "settings": {"auth": "header", "header": "X-Api-Key"},
                }
            ],
            "policies": ["*.cedar"],
            "hold": {"timeout": "1s"},
        }
        with Gateway(
            configuration, policies={"api.cedar": POLICIES}, environment={"API_KEY": KEY}, folder=folder / "gateway"
        ) as gateway:
            yield World(gateway, issuer, api)


def test_curl_is_answered_by_the_api_and_the_api_gets_the_gateways_credential(world: World) -> None:
    code, body = world.curl(f"{world.url}/things?a=b%20c")
    assert (code, json.loads(body)["path"]) == (200, "/things?a=b%20c")
    method, path, headers = world.api.asked[-1]
    assert (method, path, headers["x-api-key"]) == ("GET", "/things?a=b%20c", KEY)
    assert headers["host"] == f"localhost:{world.api.port}"
    assert "authorization" not in headers


def test_nobody_is_let_in_without_a_token_that_holds(world: World) -> None:
    before = len(world.api.asked)
    for shown in ({}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Basic YTpi"}):
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"{world.url}/things", headers=shown, verify=str(world.gateway.ca), timeout=30)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert len(world.api.asked) == before


def test_one_connection_carries_what_is_allowed_and_what_is_refused(world: World) -> None:
    with world.session() as session:
        said = [
            session.get(f"{world.url}/things", timeout=30),
            session.get(f"{world.url}/vault", timeout=30),
            session.post(f"{world.url}/things", json={"a": 1}, timeout=30),
            session.put(f"{world.url}/vault", data=b"x" * 100_000, timeout=30),
            session.get(f"{world.url}/close", timeout=30),
            session.get(f"{world.url}/things", timeout=30),
            session.head(f"{world.url}/things", timeout=30),
        ]
    assert [answer.status_code for answer in said] == [200, 403, 200, 403, 200, 200, 200]
    assert said[1].json()["detail"].count("the vault is nobody's") == 1
    assert not [path for _, path, _ in world.api.asked if path == "/vault"]


def test_a_request_that_nobody_approves_is_refused_and_the_connection_works(world: World) -> None:
    with world.session() as session:
        assert session.delete(f"{world.url}/things", timeout=30).status_code == 403
        assert session.get(f"{world.url}/things", timeout=30).status_code == 200


async def _pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(MIB)


async def test_large_bodies_stream_both_ways(world: World) -> None:
    size = 48
    expected = hashlib.sha256(bytes(size * MIB)).hexdigest()
    context = ssl.create_default_context(cafile=str(world.gateway.ca))
    shown = {"Authorization": f"Bearer {world.token()}"}
    async with aiohttp.ClientSession(headers=shown) as client:
        async with client.put(f"{world.url}/files/a", data=_pieces(size), ssl=context) as answer:
            assert (answer.status, (await answer.json())["digest"]) == (200, expected)
        for how in ("mib=48", "mib=48&chunked=1"):
            got = hashlib.sha256()
            async with client.get(f"{world.url}/big?{how}", ssl=context) as answer:
                async for piece in answer.content.iter_chunked(MIB):
                    got.update(piece)
            assert got.hexdigest() == expected
    assert world.most_memory() < 400


def test_curl_that_waits_with_its_body_is_told_to_go_on(world: World, tmp_path: Path) -> None:
    file = tmp_path / "upload"
    file.write_bytes(os.urandom(2 * MIB))
    code, body = world.curl("-T", str(file), "-H", "Expect: 100-continue", f"{world.url}/files/b")
    assert (code, json.loads(body)["digest"]) == (200, hashlib.sha256(file.read_bytes()).hexdigest())
    code, _ = world.curl("-T", str(file), "-H", "Expect: 100-continue", f"{world.url}/vault")
    assert code == 403


def test_a_smuggled_request_is_not_seen_by_the_api(world: World) -> None:
    before = len(world.api.asked)
    smuggled = b"GET /vault HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = f"POST /things HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {world.token()}\r\n".encode()
    for fields in (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"Content-Length : 0\r\n\r\n"):
        with world.raw() as client:
            client.sendall(head + fields + smuggled)
            said = b""
            while piece := client.recv(MIB):
                said += piece
            assert said.startswith(b"HTTP/1.1 400 ")
            assert said.count(b"HTTP/1.1 ") == 1
    assert len(world.api.asked) == before


def test_what_hostile_clients_break_off_reaches_the_api_as_nothing_whole(world: World) -> None:
    head = f"Host: localhost\r\nAuthorization: Bearer {world.token()}\r\n".encode()
    with world.raw() as client:  # less than it said
        client.sendall(b"PUT /files/short HTTP/1.1\r\n" + head + b"Content-Length: 1000\r\n\r\nabc")
    with world.raw() as client:  # a head without an end
        client.sendall(b"GET /endless HTTP/1.1\r\n" + head)
        answer = b""
        with suppress(OSError):  # it may hear that it is cut off before it hears why
            for _ in range(100):
                client.sendall(b"X: " + b"y" * 1000 + b"\r\n")
            answer = client.recv(MIB)
        assert answer[:12] in (b"HTTP/1.1 431", b"")
    with world.raw() as client:  # chunks that lie
        client.sendall(b"PUT /files/lies HTTP/1.1\r\n" + head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcdefg\r\n")
        assert client.recv(MIB).startswith(b"HTTP/1.1 400")
    code, _ = world.curl(f"{world.url}/things")
    assert code == 200
    assert not [path for _, path, _ in world.api.whole if path.startswith(("/files/short", "/files/lies", "/endless"))]


def test_a_client_that_speaks_http_2_alone_is_served(world: World) -> None:
    frames, answers = H2Connection(H2Configuration(header_encoding="utf-8")), dict[int, str]()
    with world.raw("h2") as client:
        frames.initiate_connection()
        for number, path in ((1, "/things"), (3, "/vault"), (5, "/big?mib=4")):
            named = [(":method", "GET"), (":path", path), (":authority", "localhost"), (":scheme", "https")]
            frames.send_headers(number, [*named, ("authorization", f"Bearer {world.token()}")], end_stream=True)
        while len(answers) < 3:
            client.sendall(frames.data_to_send())
            for event in frames.receive_data(client.recv(MIB)):
                if isinstance(event, ResponseReceived):
                    answers[event.stream_id or 0] = next(str(value) for name, value in event.headers or [])
                elif isinstance(event, DataReceived):
                    frames.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
    assert answers == {1: "200", 3: "403", 5: "200"}


def test_a_client_is_not_led_elsewhere(world: World) -> None:
    with world.session() as session:
        answer = session.get(f"{world.url}/elsewhere", allow_redirects=False, timeout=30)
    assert answer.status_code == 502
    assert "Location" not in answer.headers


def test_a_client_that_leaves_while_its_request_is_held_leaves_nothing_behind(world: World) -> None:
    with world.raw() as client:
        shown = f"Host: localhost\r\nAuthorization: Bearer {world.token()}\r\n"
        client.sendall(f"DELETE /left-behind HTTP/1.1\r\n{shown}\r\n".encode())
    assert not [path for _, path, _ in world.api.asked if path == "/left-behind"]


def test_the_recordings_say_what_was_done_and_hold_no_secret(world: World) -> None:
    with world.session() as session:
        session.get(f"{world.url}/vault", timeout=30)
        session.get(f"{world.url}/recorded?sig=hidden-signature", timeout=30)
        token = str(session.headers["Authorization"]).removeprefix("Bearer ")
    found = world.recorded_once(f"GET {world.url}/recorded?sig=")
    assert f"GET {world.url}/vault" in found
    for secret in (token, KEY, "hidden-signature"):
        assert secret not in found
        assert secret not in world.gateway.log
