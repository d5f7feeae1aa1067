"""Anchors: a checkpoint gets there, however often it must be tried, and nothing waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web
from tests.waiting import promised

from blastwall.config.model import Anchor
from blastwall.recording import anchors
from blastwall.recording.anchors import FolderAnchor, WebhookAnchor
from blastwall.recording.chain import Checkpoint
from blastwall.recording.keys import Signed

from .conftest import Place, opening, settled, write


class Hook:
    """A webhook that answers as told and keeps what it accepted."""

    def __init__(self) -> None:
        self.status = 200
        self.asked = 0
        self.bodies: list[bytes] = []
        self.url = ""

    async def post(self, request: web.Request) -> web.Response:
        self.asked += 1
        if self.status == 200:
            self.bodies.append(await request.read())
        return web.Response(status=self.status, headers={"location": self.url} if self.status == 302 else None)


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    application = web.Application()
    application.router.add_post("/hook", hook.post)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook?code=s3cret"
    yield hook
    await runner.cleanup()


async def test_webhook_gets_the_same_text_as_a_folder(place: Place, hook: Hook) -> None:
    recorder = place.recorder(anchors=[Anchor(folder=place.anchors), Anchor(webhook=hook.url)])
    await recorder.start()
    write(recorder.open("s"), opening(1.0, "s"))
    await recorder.stop()
    (file,) = place.anchors.iterdir()
    assert file.name == "n1-00000001.checkpoint"
    assert hook.bodies == [file.read_bytes()]


@pytest.mark.parametrize("status", [500, 404, 302])
async def test_failing_webhook_is_retried_and_blocks_nothing(
    place: Place, hook: Hook, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(anchors, "_FIRST_RETRY", 0.01)
    hook.status = status
    recorder = place.recorder(anchors=[Anchor(webhook=hook.url)], checkpoint=timedelta(hours=1))
    await recorder.start()
    record = recorder.open("s")
    write(record, opening(1.0, "s"))
    await recorder.checkpoint()
    await settled(lambda: recorder.counters.anchor_failures >= 2)
    write(record, opening(2.0, "s"))
    assert hook.bodies == []
    hook.status = 200
    await settled(lambda: len(hook.bodies) == 1)
    await recorder.stop()


async def test_unreachable_webhook_does_not_keep_the_gateway_from_stopping(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("blastwall.recording.recorder._PATIENCE", 0.1)
    recorder = place.recorder(anchors=[Anchor(webhook="http://127.0.0.1:9/hook?code=s3cret")])
    await recorder.start()
    write(recorder.open("s"), opening(1.0, "s"))
    await recorder.checkpoint()
    await settled(lambda: recorder.counters.anchor_failures >= 1)
    await asyncio.wait_for(recorder.stop(), promised(5))
    printed = capsys.readouterr()
    assert "s3cret" not in printed.out + printed.err, "a webhook's address may hold a secret"


@pytest.mark.parametrize("url", ["http://example.com/hook", "ftp://x/y", "https://", "hook"])
def test_webhook_that_would_send_in_clear_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        WebhookAnchor(url)


async def test_folder_anchor_never_replaces_a_checkpoint(place: Place) -> None:
    anchor = FolderAnchor(place.anchors)
    checkpoint = Checkpoint("n1", 1, 1.0, 1, "", 0, 0, "")
    await anchor.put(Signed("a", "b", "c"), checkpoint)
    await anchor.put(Signed("a", "b", "c"), checkpoint)
    with pytest.raises(anchors.AnchorFailed, match="already holds another"):
        await anchor.put(Signed("x", "b", "c"), checkpoint)
