"""The demo keeps its promises, on a server with TLS and on one without, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from rich.console import Console

from blastwall.testing.demo.story import tell
from blastwall.testing.demo.telling import NotAsTold, Teller
from blastwall.testing.demo.world import World
from blastwall.testing.servers import find_postgres


@contextmanager
def demo(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run `blastwall demo` as a process of its own, with a temporary folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        process = subprocess.Popen(
            [sys.executable, "-m", "blastwall", "demo", *arguments],
            env={**os.environ, "TMPDIR": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
            process.wait(60)
            assert list(Path(folder).iterdir()) == []
        finally:
            process.kill()
            process.communicate()


@pytest.mark.timeout(300)
def test_the_story_goes_as_it_says() -> None:
    with demo("--script") as process:
        said, _ = process.communicate(timeout=250)
        assert process.returncode == 0, said
        assert "✗" not in said
        assert "promises of the story were kept" in said


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_stays_up_until_it_is_told_to_end_and_leaves_nothing(end: signal.Signals) -> None:
    with demo("--json") as process:
        assert process.stdout is not None
        lines = ""
        while not lines.rstrip().endswith("}"):
            line = process.stdout.readline()
            assert line, lines
            lines += line
        assert lines.startswith("{"), lines
        shown = json.loads(lines)
        with psycopg.connect(shown["conninfo"], password=shown["password"]) as connection:
            assert connection.execute("SELECT count(*) FROM customers").fetchone() == (60,)
        process.send_signal(end)
        time.sleep(0.5)
        process.send_signal(signal.SIGHUP)  # its terminal goes, too: it clears up all the same
        assert process.wait(60) == 0
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(shown["conninfo"], password=shown["password"])


def test_told_to_end_while_it_starts_it_leaves_nothing() -> None:
    with demo("--json") as process:
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def test_the_story_holds_where_the_server_has_no_tls() -> None:
    """The Python package's server has none: the demo then dials it in plain text, on loopback."""
    plain = replace(find_postgres("newest"), tls=False)
    said = StringIO()
    with World(plain) as world:
        assert world.server.ca is None
        assert tell(world, Console(file=said, width=200)) > 20
    assert "DROP TABLE customers" in said.getvalue()
    assert "EXEC xp_cmdshell" in said.getvalue()
    assert world.token() not in said.getvalue()
    assert not world.folder.exists()


def test_a_step_that_goes_otherwise_stops_the_story() -> None:
    teller = Teller(Console(file=StringIO()))
    teller.check("kept", kept=True)
    with pytest.raises(NotAsTold, match="broken"):
        teller.check("broken", kept=False)
    assert teller.checked == 1
