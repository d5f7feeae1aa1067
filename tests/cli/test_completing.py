"""The shell's completion: commands, options, and names of the configuration at hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFIGURATION = """
agents: [{name: shop-ci}, {name: fraud-report}]
users: [{name: ana}]
issuers: [{name: github}]
resources: [{name: pg-prod}, {name: pg-test}, {name: other}]
"""


def completed(line: str, folder: Path) -> set[str]:
    """What bash is offered at the end of a line."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "_BLASTWALL_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    program = str(Path(sys.executable).with_name("blastwall"))
    done = subprocess.run(
        [program], env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "blastwall.yaml").write_text(CONFIGURATION)
    (tmp_path / "second.yaml").write_text("resources: [{name: pg-second}]")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("blastwall conn", {"connect"}),
        ("blastwall connect pg", {"pg-prod", "pg-test"}),
        ("blastwall token o", {"other"}),
        ("blastwall contain agent ", {"shop-ci", "fraud-report"}),
        ("blastwall contain resource -c second.yaml p", {"pg-second"}),
        ("blastwall policy explain --agent s", {"shop-ci"}),
    ],
)
def test_what_is_offered(folder: Path, line: str, offered: set[str]) -> None:
    assert completed(line, folder) == offered


@pytest.mark.parametrize("text", ["", "resources: 5", "resources: [{no: name}, 7]", "{", "\x00\xff"])
def test_a_configuration_that_cannot_be_read_offers_nothing_and_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "blastwall.yaml").write_text(text)
    assert completed("blastwall connect p", tmp_path) == set()
    assert completed("blastwall connect p", tmp_path / "..") == set()
