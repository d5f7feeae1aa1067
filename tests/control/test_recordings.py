"""Who may read recordings, and where they are."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from blastwall.control.access import Forbidden, Operator, Remote
from blastwall.control.recordings import Recordings, Shelf
from blastwall.recording.keys import KeyUnusable
from blastwall.recording.reader import NoRecordings, Query

ME = Operator("ana")


def test_nobody_reads_recordings_over_the_network(tmp_path: Path) -> None:
    recordings, caller = Recordings(Shelf(tmp_path)), Remote(ip_address("127.0.0.1"))
    with pytest.raises(Forbidden):
        recordings.find(caller, Query())  # type: ignore[arg-type]
    with pytest.raises(Forbidden):
        recordings.session(caller, "x")  # type: ignore[arg-type]
    with pytest.raises(Forbidden):
        recordings.prove(caller)  # type: ignore[arg-type]


def test_nothing_to_prove_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(NoRecordings):
        Recordings(Shelf(tmp_path)).prove(ME)


def test_key_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "k.pub").write_text("x")
    with pytest.raises(KeyUnusable):
        Recordings(Shelf(tmp_path)).prove(ME, [tmp_path / "k.pub"])
