from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from blastwall.app.masks import masking_key
from blastwall.config.load import load
from blastwall.vault import SecretUnavailable


def test_the_key_is_made_once_beside_the_state(file: Path, folder: Path) -> None:
    key = asyncio.run(masking_key(load(file)))
    assert asyncio.run(masking_key(load(file))) == key
    assert stat.S_IMODE((folder / "state" / "masking.key").stat().st_mode) == 0o600


def test_the_configured_key_is_used_and_nothing_is_written(
    file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKING_KEY", "k" * 40)
    file.write_text(file.read_text() + "masking_key: {env: MASKING_KEY}\n")
    assert asyncio.run(masking_key(load(file))) == b"k" * 40
    assert not (folder / "state").exists()


def test_a_configured_key_that_is_missing_is_no_reason_to_make_one(file: Path, folder: Path) -> None:
    file.write_text(file.read_text() + "masking_key: {file: none}\n")
    with pytest.raises(SecretUnavailable, match="cannot be read"):
        asyncio.run(masking_key(load(file)))
    assert not (folder / "state").exists()
