"""Run a driver's suite directly and through the gateway, and tell what differs from a list of what may differ."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from xml.etree import ElementTree as ET

import yaml
from tests.drivers.ends import End, Ends

from blastwall.testing.servers import SERVERS, find_suite

HERE = Path(__file__).parent
PACKAGES = SERVERS / "suites" / "packages"
SECONDS = 2400
"""How long one run of a suite may take, on a busy machine."""
_ONE_TEST = 900
"""And one of its tests: pg8000's with 60,000 parameters takes five minutes and more on a busy machine, directly too."""
_CONFIGURATION = "[pytest]\naddopts =\n"

Outcomes = Mapping[str, tuple[str, str]]
"""By test: passed, skipped or failed, and what it said."""


class Suite(Protocol):
    """A driver's own tests."""

    def run(self, end: End, *chosen: str) -> Outcomes:
        """Run them, or only some, named as the outcomes name them."""
        ...


@dataclass(frozen=True, slots=True)
class PytestSuite:
    """A suite that pytest runs: what of it, with which options, told by the environment where to connect.

    The outcomes are put into `folder`. What `variant` matches in a test's name is left out: a database's version.
    """

    driver: str
    folder: Path
    tests: tuple[str, ...]
    environment: Callable[[End], Mapping[str, str]]
    options: tuple[str, ...] = ()
    variant: str = "(?!)"

    def run(self, end: End, *chosen: str) -> Outcomes:
        """Run it; where a test has parameters, it runs with all of them."""
        results, configuration = self.folder / "results.xml", self.folder / "pytest.ini"
        results.unlink(missing_ok=True)
        configuration.write_text(_CONFIGURATION)
        root = find_suite(self.driver).resolve()  # as pytest does with its files: names are relative to it
        whole = dict.fromkeys(name.partition("[")[0] for name in chosen)
        command: list[str | Path] = [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", configuration),
            *("--rootdir", root, f"--timeout={_ONE_TEST}", f"--junitxml={results}", "-o", "junit_family=xunit1"),
            *self.options,
            *(whole or self.tests),
        ]
        said = spoken(command, root, self.environment(end))
        assert results.exists(), said
        found = map(_outcome, ET.parse(results).getroot().iter("testcase"))
        return {re.sub(self.variant, "", name): outcome for name, outcome in found}


def spoken(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> str:
    """Run a suite's command, with what its driver needs to be imported, and return what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "PYTEST"))}
    done = subprocess.run(
        command, env={**kept, "PYTHONPATH": str(PACKAGES), **environment}, cwd=folder, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def differences(suite: Suite, ends: Ends, fewest: int) -> Mapping[str, str]:
    """What a test shows through the gateway where its outcome differs; what differs once but not twice is chance.

    `fewest` tests must pass directly.
    """
    alone, first = suite.run(ends.direct), suite.run(ends.through())
    passed = sum(outcome == "passed" for outcome, _ in alone.values())
    assert passed >= fewest, f"only {passed} passed directly: {_failed(alone)}"
    differ = [name for name, (outcome, _) in alone.items() if first.get(name, ("missing", ""))[0] != outcome]
    again = suite.run(ends.through(), *differ) if differ else {}
    found = {name: again.get(name, ("missing", "it did not run")) for name in differ}
    return {name: said for name, (outcome, said) in found.items() if outcome != alone[name][0]}


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference that is right: what the test must show, and whether it only does `sometimes`, as time goes."""

    says: str
    sometimes: bool


def listed(driver: str) -> Mapping[str, Difference]:
    """The differences that are right, by test."""
    entries = yaml.safe_load((HERE / f"{driver}.yaml").read_text()) or []
    return {
        test: Difference(entry["says"], entry.get("sometimes", False)) for entry in entries for test in entry["tests"]
    }


def unlisted(driver: str, found: Mapping[str, str]) -> Mapping[str, str]:
    """What differs and is not in the list."""
    return {name: said for name, said in found.items() if name not in listed(driver)}


def stale(driver: str, found: Mapping[str, str]) -> Mapping[str, str]:
    """What is in the list and does not differ, or shows another reason."""
    return {
        name: found.get(name, "it does not differ")
        for name, known in listed(driver).items()
        if not re.search(known.says, found.get(name, "")) and (name in found or not known.sometimes)
    }


def _failed(outcomes: Outcomes) -> Mapping[str, str]:
    return {name: said[:300] for name, (outcome, said) in outcomes.items() if outcome == "failed"}


def _outcome(case: ET.Element) -> tuple[str, tuple[str, str]]:
    file, name = case.get("file", ""), case.get("name", "")
    classes = _class_names(case.get("classname", ""), file)
    faults = [one for one in case if one.tag in ("failure", "error")]
    if faults:
        said = "failed", "\n".join(f"{one.get('message')}\n{one.text}" for one in faults)
    else:
        said = ("skipped" if any(one.tag == "skipped" for one in case) else "passed"), ""
    return "::".join([file, *classes, name]), said


def _class_names(dotted: str, file: str) -> Sequence[str]:
    """Return the classes within the module that a test is in."""
    module = file.removesuffix(".py").replace("/", ".")
    return dotted.removeprefix(module).strip(".").split(".") if dotted != module else []
