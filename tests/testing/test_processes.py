"""Servers run where root's own folders are closed to the account that they run as."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blastwall.testing import processes
from blastwall.testing.processes import Account, ServerFailed, reachable, unprivileged, within_reach


def programs_in(folder: Path) -> Path:
    bindir = folder / "server" / "bin"
    bindir.mkdir(parents=True)
    (bindir / "hello").write_text("#!/bin/sh\necho hello\n")
    (bindir / "hello").chmod(0o755)
    (folder / "server" / "share").mkdir()
    return bindir


def test_programs_in_a_closed_folder_are_copied_with_what_belongs_to_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    closed, out = tmp_path / "closed", tmp_path / "out"
    bindir = programs_in(closed)
    closed.chmod(0o700)
    out.mkdir()
    monkeypatch.setattr(processes, "unprivileged", lambda: Account(65534, 65534))
    found = within_reach(bindir, out)
    assert not reachable(bindir)
    assert found.bindir == out / "bin"
    assert (out / "bin" / "hello").exists()
    assert (out / "share").is_dir()


def test_one_s_own_programs_are_used_where_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "unprivileged", lambda: Account(None, None))
    bindir = programs_in(tmp_path)
    assert within_reach(bindir, tmp_path).bindir == bindir


def test_servers_never_run_as_root(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    said = unprivileged().run(["id", "-u"], Path("/"), dict(os.environ))
    assert said.strip() != "0"


def test_a_command_that_fails_says_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=r"(?s)sh ended with code 3.*no luck"):
        unprivileged().run(["sh", "-c", "echo no luck; exit 3"], Path("/"), dict(os.environ))
