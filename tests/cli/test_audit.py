"""`blastwall audit verify`: its words and exit codes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from blastwall.cli import audit, sessions
from blastwall.config.model import Anchor, Recordings
from blastwall.model.events import SessionOpened
from blastwall.recording.keys import load_or_create_key
from blastwall.recording.recorder import Recorder


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    sessions.register(app)
    audit.register(app)
    return CliRunner().invoke(app, ["audit", "verify", *(str(each) for each in arguments)])


async def record(folder: Path) -> None:
    settings = Recordings(to=folder / "recordings", anchors=[Anchor(folder=folder / "anchors")])
    recorder = Recorder(settings, "n1", load_or_create_key(folder / "key"))
    await recorder.start()
    for session in ("one", "two\x1b[31m"):
        made = recorder.open(session)
        made.write([SessionOpened(1.0, session, "pg", "postgres", "", "::1")], lambda failed: None)
        made.close()
    await recorder.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    asyncio.run(record(tmp_path))
    return tmp_path


def test_good(folder: Path) -> None:
    result = run("--recordings", folder / "recordings", "--key", folder / "key.pub", "--anchors", folder / "anchors")
    assert result.exit_code == 0
    assert "brought by you" in result.output
    assert "anchored  up to checkpoint 1" in result.output
    assert "Untouched" in result.output


def test_weak_proof_is_said_to_be_weak(folder: Path) -> None:
    result = run("--recordings", folder / "recordings")
    assert result.exit_code == 0
    assert "found beside the recordings" in result.output
    assert "anchored  nothing" in result.output


def test_configuration_names_recordings_and_anchors(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from blastwall.control.recordings import Shelf

    shelf = Shelf(folder / "recordings", (folder / "anchors", folder / "not-there"))
    monkeypatch.setattr(audit, "open_shelf", lambda context, config, recordings, unlock, *, locked: shelf)
    assert "anchored  up to checkpoint 1" in run().output


def test_tampering(folder: Path) -> None:
    path = folder / "recordings" / "n1" / "segment-00000001.zst"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    result = run("--recordings", folder / "recordings", "--key", folder / "key.pub")
    assert result.exit_code == 1
    assert "CHANGED   segment-00000001.zst" in result.output
    assert "TAMPERED" in result.output
    report = json.loads(run("--recordings", folder / "recordings", "--json").output)
    assert report["good"] is False
    assert report["nodes"][0]["findings"][0]["kind"] == "changed"


def test_session_ids_cannot_act_on_the_terminal(folder: Path) -> None:
    for path in (folder / "recordings" / "n1").glob("*.zst"):
        path.unlink()
    result = run("--recordings", folder / "recordings", "--key", folder / "key.pub")
    assert result.exit_code == 1
    assert "two\\x1b[31m" in result.output
    assert "\x1b" not in result.output


def test_unusable_arguments_end_with_2(folder: Path) -> None:
    (folder / "bad.pub").write_text("x")
    recordings = folder / "recordings"
    assert run("--recordings", recordings, "--key", folder / "bad.pub").exit_code == 2
    assert run("--recordings", recordings, "--anchors", folder / "missing").exit_code == 2
    assert run("--recordings", folder / "anchors").exit_code == 2
    assert run("-c", folder / "none.yaml").exit_code == 2
