"""A gateway in this process: what a reload changes, what a bad one leaves, what a failed start leaves behind."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
from structlog.testing import capture_logs

from blastwall.app.gateway import Gateway
from blastwall.app.plan import Unusable, prepare
from blastwall.config.model import Logging
from blastwall.gate.ports import RecordingFailed
from blastwall.model.masks import MaskStyle
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.relay import ListenFailed
from blastwall.testing.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CONFIGURATION = """\
control: {{port: 0}}
issuers:
  - {{name: github, issuer: "https://token.example", audience: blastwall, jwks: "file:keys.json"}}
agents:
  - {{name: ci, issuer: github, match: {{repository_id: "123"}}, groups: [ci]}}
resources:
  - name: shop
    kind: postgres
    listen: {port}
    upstream: {{host: 127.0.0.1, port: 1, database: shop}}
    credential: {{user: app, password: {{env: SHOP_PASSWORD}}}}
policies: [ci.cedar]
masking:
  - {{resource: shop, columns: [public.customers.email], with: partial}}
"""

POLICY = """\
@id("ci-reads")
permit (principal in Group::"ci", action == Action::"connect", resource in Database::"shop/shop");
"""

CI = Principal(PrincipalKind.AGENT, "ci", "github", "repo:x", frozenset({"ci"}))


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def file(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    (tmp_path / "ci.cedar").write_text(POLICY)
    (tmp_path / "keys.json").write_text('{"keys": []}')
    path = tmp_path / "blastwall.yaml"
    path.write_text(CONFIGURATION.format(port=port))
    return path


@pytest.fixture(autouse=True)
def logging_set_up(monkeypatch: pytest.MonkeyPatch) -> list[Logging]:
    """Instead of changing this process's logging."""
    seen: list[Logging] = []
    monkeypatch.setattr("blastwall.app.gateway.set_up", seen.append)
    return seen


@asynccontextmanager
async def running(file: Path) -> AsyncIterator[Gateway]:
    gateway = await Gateway.start(prepare(file))
    try:
        yield gateway
    finally:
        await gateway.drain(0)
        await gateway.stop()


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def get(gateway: Gateway, file: Path, path: str) -> tuple[int, str]:
    trust = ssl.create_default_context(cafile=str(file.parent / "state" / "development-ca.pem"))
    url = f"https://localhost:{gateway.control_port}{path}"
    async with aiohttp.ClientSession() as client, client.get(url, ssl=trust) as response:
        return response.status, await response.text()


# ── start and end ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_it_listens_is_ready_and_shows_its_metrics(file: Path, port: int) -> None:
    async with running(file) as gateway:
        assert listens(port)
        assert (await get(gateway, file, "/readyz"))[0] == 200
        status, text = await get(gateway, file, "/metrics")
    assert status == 200
    assert "blastwall_generation 1.0" in text
    assert 'blastwall_sessions{resource="shop"}' in text


async def test_every_metric_is_documented(file: Path) -> None:
    async with running(file) as gateway:
        _, text = await get(gateway, file, "/metrics")
    guide = (Path(__file__).parents[1] / "docs" / "operations.md").read_text()
    assert [name for name in metrics(text) if f"`{name}`" not in guide] == []


def metrics(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line.startswith("# TYPE ") and not line.split()[2].endswith("_created"):
            yield line.split()[2]


async def test_a_drain_takes_no_new_sessions_and_is_not_ready(file: Path, port: int) -> None:
    gateway = await Gateway.start(prepare(file))
    await gateway.drain(0)
    try:
        assert not listens(port)
        assert (await get(gateway, file, "/readyz"))[0] == 503
    finally:
        await gateway.stop()


async def test_what_a_gateway_leaves_can_be_started_again(file: Path) -> None:
    for _ in range(2):
        async with running(file) as gateway:
            assert gateway.generation == 1


async def test_a_taken_port_stops_the_start_and_what_had_started(file: Path, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ListenFailed, match=f"port {port}"):
        await Gateway.start(prepare(file))
    async with running(file):
        assert listens(port)


async def test_two_gateways_do_not_write_one_folder(file: Path, port: int) -> None:
    async with running(file):
        change(file, f"listen: {port}", f"listen: {free_port()}")
        with pytest.raises(RecordingFailed, match="another gateway"):
            await Gateway.start(prepare(file))


# ── reload ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_reload_puts_everything_in_force(file: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(file) as gateway:
        parts, before = gateway._parts, gateway._parts.policies.version
        other = free_port()
        monkeypatch.setenv("OTHER_PASSWORD", "hunter3")
        change(file, f"listen: {port}", f"listen: {other}")
        change(file, "with: partial", "with: 'null'")
        change(file, "SHOP_PASSWORD", "OTHER_PASSWORD")
        change(file.parent / "ci.cedar", "ci-reads", "ci-connects")
        assert await gateway.reload()
        shop = gateway._plan.resources["shop"]
        assert gateway.generation == 2
        assert listens(other)
        assert not listens(port)
        assert parts.policies.version != before
        assert parts.masking.rules(CI, shop).columns[0].style is MaskStyle.NULL
        assert (await parts.vault.credential(shop, CI)).secret == b"hunter3"


BAD = {
    "a misspelt key": ("listen:", "lisen:"),
    "an unknown group": ("groups: [ci]", "groups: [cj]"),
    "a changed state": ("control:", "state: sqlite:///other.db\ncontrol:"),
    "an unset variable": ("SHOP_PASSWORD", "NOT_SET_PASSWORD"),
    "an unreadable key": ("masking:", "masking_key: {file: none}\nmasking:"),
    "another certificate": ("control:", "tls: {certificate: none, key: none}\ncontrol:"),
}


@pytest.mark.parametrize(("old", "new"), BAD.values(), ids=BAD)
async def test_a_bad_reload_changes_nothing(file: Path, port: int, old: str, new: str) -> None:
    async with running(file) as gateway:
        plan, version = gateway._plan, gateway._parts.policies.version
        change(file.parent / "ci.cedar", "ci-reads", "ci-connects")
        change(file, old, new)
        assert not await gateway.reload()
        assert (gateway.generation, gateway.refused_reloads) == (1, 1)
        assert gateway._plan is plan
        assert gateway._parts.policies.version == version
        assert listens(port)


async def test_a_reload_that_cannot_listen_changes_nothing(file: Path, port: int) -> None:
    other = free_port()
    async with running(file) as gateway:
        version = gateway._parts.policies.version
        change(file, f"listen: {port}", f"listen: {other}")
        change(file.parent / "ci.cedar", "ci-reads", "ci-connects")
        with socket.create_server(("127.0.0.1", other)):
            assert not await gateway.reload()
        assert gateway._parts.policies.version == version
        assert listens(port)


async def test_a_refused_reload_says_why_with_file_and_line(file: Path) -> None:
    async with running(file) as gateway:
        change(file, "listen:", "lisen:")
        with capture_logs() as logs:
            await gateway.reload()
    (told,) = logs
    assert (told["event"], told["in_force"]) == ("reload_refused", 1)
    assert f"{file}:9: resources[0].lisen: unknown key; did you mean 'listen'?" in told["problems"]
    assert "hunter2" not in repr(logs)


async def test_a_reload_puts_the_log_settings_in_force(file: Path, logging_set_up: list[Logging]) -> None:
    async with running(file) as gateway:
        change(file, "control:", "log: {level: debug, format: console}\ncontrol:")
        assert await gateway.reload()
    assert logging_set_up == [Logging(level="debug", format="console")]


async def test_after_a_bad_reload_a_good_one_works(file: Path) -> None:
    async with running(file) as gateway:
        change(file, "listen:", "lisen:")
        assert not await gateway.reload()
        change(file, "lisen:", "listen:")
        assert await gateway.reload()
        assert gateway.generation == 2


def test_variables_that_are_not_set_stop_the_start(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from blastwall.app.serve import serve

    monkeypatch.delenv("SHOP_PASSWORD")
    with pytest.raises(Unusable, match="SHOP_PASSWORD: not set, or empty"):
        serve(file)
