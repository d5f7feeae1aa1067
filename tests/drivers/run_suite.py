"""Run a driver's own unittest suite in a process of its own: `run_suite.py FOLDER RESULTS [TEST…]`.

FOLDER holds the suite as the package `tests`; RESULTS gets `{test: [outcome, message]}` as JSON.
"""

from __future__ import annotations

import json
import sys
import unittest
import warnings
from importlib import import_module
from pathlib import Path
from types import TracebackType

Fault = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


class Outcomes(unittest.TestResult):
    """Notes each test's outcome: passed, skipped or failed, the last with its error."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, tuple[str, str]] = {}

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        super().addSuccess(test)
        self.found.setdefault(test.id(), ("passed", ""))

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802 - unittest's name
        super().addSkip(test, reason)
        self.found[test.id()] = ("skipped", reason)

    def addFailure(self, test: unittest.TestCase, err: Fault) -> None:  # noqa: N802 - unittest's name
        super().addFailure(test, err)
        self.found[test.id()] = ("failed", f"{type(err[1]).__name__}: {err[1]}")

    def addError(self, test: unittest.TestCase, err: Fault) -> None:  # noqa: N802 - unittest's name
        super().addError(test, err)
        self.found[test.id()] = ("failed", f"{type(err[1]).__name__}: {err[1]}")

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Fault | None) -> None:  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.found[test.id()] = ("failed", f"{type(err[1]).__name__}: {err[1]}")


def chosen(tests: unittest.TestSuite, names: set[str]) -> unittest.TestSuite:
    """Keep the tests of these ids; all of them where there is none."""
    kept = unittest.TestSuite()
    for one in tests:
        if isinstance(one, unittest.TestSuite):
            kept.addTest(chosen(one, names))
        elif not names or one.id() in names:
            kept.addTest(one)
    return kept


def main(folder: str, results: str, *names: str) -> None:
    """Run the suite."""
    warnings.simplefilter("ignore")
    sys.path.insert(0, folder)
    suite = chosen(import_module("tests").test_suite(), set(names))
    outcome = Outcomes()
    suite.run(outcome)
    Path(results).write_text(json.dumps(outcome.found, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])
