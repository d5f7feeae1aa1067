"""The compiled twins and their sources are one program: the same tests hold for both."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.timeout(400)
def test_what_is_compiled_holds_as_plain_python_too() -> None:
    """The other tests run against the twins where they were built; these run against their sources."""
    places = ("src/blastwall/protocols", "tests/gate", "tests/masking/test_fast.py", "tests/test_conformance.py")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *places]
    environment = {**os.environ, "BLASTWALL_PURE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert "blastwall: plain Python" in done.stdout
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.parametrize("pure", ["", "1"])
def test_the_environment_chooses(pure: str) -> None:
    program = "import blastwall.relay.pump as pump; print(pump.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "BLASTWALL_PURE": pure},
        capture_output=True,
        text=True,
        check=True,
    )
    twins = list((ROOT / "src" / "blastwall" / "relay").glob("pump.*.so"))
    source = ROOT / "src" / "blastwall" / "relay" / "pump.py"
    fresh = any(twin.stat().st_mtime >= source.stat().st_mtime for twin in twins)
    assert done.stdout.strip().endswith(".so" if fresh and not pure else "pump.py")


def test_an_installation_without_a_compiler_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each twin is optional, also after Cython, which makes new extensions of those that it is given."""
    built: list[SimpleNamespace] = []

    def cythonize(given: list[object], **_options: object) -> list[SimpleNamespace]:
        return [SimpleNamespace(optional=None) for _ in given]

    def setup(*, ext_modules: list[SimpleNamespace], **_settings: object) -> None:
        built.extend(ext_modules)

    monkeypatch.setattr("Cython.Build.cythonize", cythonize)
    monkeypatch.setattr("setuptools.setup", setup)
    monkeypatch.delenv("BLASTWALL_PURE", raising=False)
    runpy.run_path(str(ROOT / "setup.py"))
    assert len(built) > 20
    assert all(each.optional for each in built)
