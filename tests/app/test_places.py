from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from blastwall.app.places import KeyFileUnusable, key_once, node_name, signing_key_path, state_folder
from blastwall.config.load import load


def test_a_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "masking.key"
    key = key_once(path)
    assert len(key) == 32
    assert key_once(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["masking.key"]


def test_two_keys_differ(tmp_path: Path) -> None:
    assert key_once(tmp_path / "a") != key_once(tmp_path / "b")


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k"
    key = key_once(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileUnusable, match="chmod 600") as refusal:
        key_once(path)
    assert key.hex() not in str(refusal.value)


@pytest.mark.parametrize("content", ["", "00ff", "not a key"])
def test_a_damaged_key_is_refused_rather_than_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "k"
    key_once(path)
    path.write_text(content)
    with pytest.raises(KeyFileUnusable, match="restore it from a backup"):
        key_once(path)
    assert path.read_text() == content


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    with pytest.raises(KeyFileUnusable, match="cannot be read or made"):
        key_once(tmp_path)


def test_places(file: Path, folder: Path) -> None:
    assert state_folder(load(file)) == folder / "state"
    assert signing_key_path(load(file)) == folder / "state" / "recording.key"
    file.write_text(file.read_text() + "state: postgresql://db/blastwall\nrecordings: {to: kept/here}\n")
    assert state_folder(load(file)) == folder / "kept"


def test_node_name(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "-büro/7_")
    assert node_name(load(file)) == "b-ro-7"
    monkeypatch.setattr(socket, "gethostname", lambda: "//")
    assert node_name(load(file)) == "node"
    file.write_text(file.read_text() + "node: gw-1\n")
    assert node_name(load(file)) == "gw-1"
