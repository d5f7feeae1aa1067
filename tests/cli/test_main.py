from __future__ import annotations

import subprocess
import sys

from typer.testing import CliRunner

from blastwall import __version__
from blastwall.cli.main import COMMANDS, build

HEAVY = ("pydantic", "sqlalchemy", "cedarpy", "cryptography", "aiohttp", "fastapi", "uvloop", "postgast", "re2", "yaml")


def test_version() -> None:
    result = CliRunner().invoke(build(), ["--version"])
    assert (result.exit_code, result.output) == (0, f"blastwall {__version__}\n")


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(build(), ["--help"])
    assert result.exit_code == 0
    assert [name for name in COMMANDS if name not in result.output] == []


def test_an_unknown_command_is_wrong_usage() -> None:
    assert CliRunner().invoke(build(), ["frobnicate"]).exit_code == 2


def test_help_is_fast_because_nothing_heavy_is_imported() -> None:
    program = (
        "import sys; from blastwall.cli.main import build; build(); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_module_and_command_are_the_same() -> None:
    done = subprocess.run([sys.executable, "-m", "blastwall", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"blastwall {__version__}\n"
