"""Grants and broken glasses are told by a gateway as `serve` makes it, and what an agent writes there does nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.api.live import Live, running, until
from tests.api.test_grants import GLASS, GRANTS, WISH
from tests.cli.api_server import ApiServer, api_server

EVIL = "<!channel> see <https://evil.example|the approval>"


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[ApiServer]:
    folder = tmp_path / "hooks"
    folder.mkdir()
    with api_server(folder) as server:
        server.answer("POST /slack", (200, b"ok"))
        yield server


@pytest.fixture
async def live(tmp_path: Path, hooks: ApiServer) -> AsyncIterator[Live]:
    folder = tmp_path / "gateway"
    folder.mkdir()
    (folder / "url").write_text(f"{hooks.url}/slack\n")
    place = {"slack": {"file": "url"}, "private": True, "ca": str(hooks.ca)}
    glass = {"group": "oncall", "longest": "10m"}
    async with running(folder, break_glass=glass, notifications=[place]) as made:
        (folder / "policies" / "grants.cedar").write_text(GRANTS)
        assert await made.gateway.reload()
        yield made


async def test_a_wish_for_access_and_a_broken_glass(live: Live, hooks: ApiServer) -> None:
    status, wish = await live.ask("POST", "/grants", "ci", {**WISH, "reason": EVIL})
    assert status == 201
    status, _ = await live.ask("POST", "/break-glass", "olga", GLASS)
    assert status == 201
    await until(lambda: len(hooks.asked) == 2)
    asked, broken = sorted((json.loads(each.body) for each in hooks.asked), key=lambda each: "without" in each["text"])
    assert asked["text"] == "ci asks for access at shop"
    assert broken["text"] == "ci got access without approval at shop"
    assert f"/#/grants/{wish['id']}|Open in Blastwall>" in asked["blocks"][-1]["text"]["text"]
    assert "&lt;!channel&gt;" in json.dumps(asked)
    assert "<!channel>" not in json.dumps(asked)
