"""What the log looks like, in a process of its own: logging belongs to the whole process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import structlog
from blastwall.app.logs import set_up
from blastwall.config.model import Logging

early = structlog.get_logger("early")
set_up(Logging(level="info", format={format!r}))
early.debug("not shown")
early.info("shown", names=["é"])
def fail(token):
    raise ValueError("broken")
try:
    fail("hunter" + str(2))
except ValueError:
    early.exception("failed")
"""


def run(how: str) -> str:
    program = PROGRAM.replace("{format!r}", repr(how))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


def test_json_is_one_object_a_line() -> None:
    shown, failed = [json.loads(line) for line in run("json").splitlines()]
    assert (shown["event"], shown["level"], shown["names"]) == ("shown", "info", ["é"])
    assert "ValueError: broken" in failed["exception"]


@pytest.mark.parametrize("how", ["json", "console"])
def test_a_traceback_shows_no_local_variable(how: str) -> None:
    said = run(how)
    assert "broken" in said
    assert "not shown" not in said
    assert "hunter2" not in said


@pytest.mark.parametrize("how", ["json", "console"])
def test_a_full_disk_under_the_log_breaks_nothing(how: str) -> None:
    program = PROGRAM.replace("{format!r}", repr(how)) + "\nprint('went on')"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=full, text=True, check=False
        )
    assert done.stdout == "went on\n"


@pytest.mark.parametrize("how", ["json", "console"])
def test_text_from_outside_neither_acts_on_a_terminal_nor_passes_for_a_line(how: str) -> None:
    program = (
        PROGRAM.replace("{format!r}", repr(how))
        + """
import logging
hostile = chr(27) + "[2J" + chr(0x9b) + "2J" + chr(10) + "forged"
early.info("refused", reason=hostile)
logging.getLogger("library").warning("bad path %s", hostile)
"""
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"\x1b", "\x9b"} & {*done.stderr}
    assert not any(line.startswith("forged") for line in done.stderr.splitlines())
    assert "library: bad path \\x1b[2J\\x9b2J\\nforged" in done.stderr


@pytest.mark.parametrize("how", ["json", "console"])
def test_lines_stay_whole_where_logging_is_set_up_anew_beside_threads_that_log(how: str) -> None:
    """A set-up brings a stream of its own, so nothing but one write for each line keeps them apart."""
    program = f"""
import sys
pieces = []
class Noted:
    def write(self, text): pieces.append(text)
    def flush(self): pass
    def isatty(self): return False
sys.stderr = Noted()
import structlog
from blastwall.app.logs import set_up
from blastwall.config.model import Logging
set_up(Logging(level="info", format={how!r}))
structlog.get_logger("one").info("first")
structlog.get_logger("two").info("second")
print(sum(piece.endswith(chr(10)) and piece.count(chr(10)) == 1 for piece in pieces), len(pieces))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "2 2\n"
