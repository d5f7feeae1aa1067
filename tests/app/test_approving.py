"""The approvals' key: made once beside the state, or the configured one, never a short one."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from blastwall.app.advice import cautions, secrets
from blastwall.app.approving import approval_key
from blastwall.app.places import KeyFileUnusable
from blastwall.app.plan import prepare
from blastwall.config.load import load


def test_the_key_is_made_once_and_survives_a_restart(file: Path) -> None:
    configuration = load(file)
    key = asyncio.run(approval_key(configuration))
    assert key == asyncio.run(approval_key(load(file)))
    kept = next(file.parent.rglob("approvals.key"))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_nodes_share_the_configured_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(file.read_text() + "hold: {key: {env: HOLD_KEY}}\n")
    monkeypatch.setenv("HOLD_KEY", "k" * 40)
    assert asyncio.run(approval_key(load(file))) == b"k" * 40
    monkeypatch.setenv("HOLD_KEY", "short")
    with pytest.raises(KeyFileUnusable, match="less than 32 bytes"):
        asyncio.run(approval_key(load(file)))
    monkeypatch.delenv("HOLD_KEY")
    (state,) = [state for state in secrets(load(file)) if state.owner == "hold.key"]
    assert "not set" in state.problem


def test_a_shared_state_without_a_key_is_cautioned_of(file: Path) -> None:
    assert not [line for line in cautions(prepare(file)) if line.startswith("hold.key")]
    file.write_text(file.read_text() + "state: postgresql://db/blastwall\n")
    assert [line for line in cautions(prepare(file)) if line.startswith("hold.key")]
