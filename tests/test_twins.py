"""The compiled twins and their sources are one program: the same tests hold for both."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import SimpleNamespace

import pytest

from blastwall import _twins
from blastwall._twins import FOLDERS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "blastwall"
SOURCES = [PACKAGE / folder / f"{name}.py" for folder, names in FOLDERS.items() for name in names]


def fresh(source: Path) -> bool:
    """Whether a module has a twin that is not older than it."""
    return any(twin.stat().st_mtime >= source.stat().st_mtime for twin in source.parent.glob(f"{source.stem}.*.so"))


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
    assert done.stdout.strip().endswith(".so" if not pure and all(map(fresh, SOURCES)) else "pump.py")


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


@pytest.mark.parametrize("lacks", ["one that is older", "one that is missing", "none"])
def test_they_are_used_all_or_none(lacks: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BLASTWALL_PURE", raising=False)
    monkeypatch.setattr(_twins, "_PACKAGE", tmp_path)
    monkeypatch.setattr(_twins, "_CHECKOUT", True)
    monkeypatch.setattr(_twins, "FOLDERS", {"hot": ("one", "two")})
    (tmp_path / "hot").mkdir()
    for name in ("one", "two"):
        source = tmp_path / "hot" / f"{name}.py"
        source.touch()
        source.with_suffix(EXTENSION_SUFFIXES[0]).touch()
    if lacks == "one that is older":
        os.utime((tmp_path / "hot" / "two.py").with_suffix(EXTENSION_SUFFIXES[0]), (1, 1))
    elif lacks == "one that is missing":
        (tmp_path / "hot" / "two.py").with_suffix(EXTENSION_SUFFIXES[0]).unlink()
    assert _twins.passed_by() is (lacks != "none")
