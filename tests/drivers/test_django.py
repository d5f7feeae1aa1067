"""Django's own tests of its database layer, directly and through the gateway.

No difference but those listed in django.yaml. Django makes the databases that it tests in, and drops them at the end.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.drivers.comparing import HERE, PACKAGES, SECONDS, Outcomes, differences, spoken, stale, unlisted
from tests.drivers.ends import End, both_ends

from blastwall.testing.postgres import SUPERUSER, PostgresServer
from blastwall.testing.servers import find_suite

DATABASES = ("django_default", "django_other")
TESTS = ("backends", "basic", "introspection", "transactions")
SETTINGS = f"""
import os

DATABASES = {{
    name.removeprefix("django_"): {{
        "ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "HOST": "localhost", "USER": "{SUPERUSER}",
        "PORT": os.environ["PGPORT"], "PASSWORD": os.environ["PGPASSWORD"], "TEST": {{"NAME": name}},
    }}
    for name in {DATABASES!r}
}}
SECRET_KEY = "none"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
TEST_RUNNER = "noting.Noting"
"""
RUNNER = """
import json, os
from pathlib import Path
from django.test.runner import DiscoverRunner
from run_suite import Outcomes

class Noting(DiscoverRunner):
    def run_suite(self, suite, **options):
        outcomes = Outcomes()
        suite.run(outcomes)
        Path(os.environ["SUITE_RESULTS"]).write_text(json.dumps(outcomes.found))
        return outcomes
"""

pytestmark = pytest.mark.timeout(3 * SECONDS)


@dataclass(frozen=True, slots=True)
class Django:
    """Django's tests by its own runner, whose outcomes are put into `folder`."""

    folder: Path

    def run(self, end: End, *chosen: str) -> Outcomes:
        results, tests = self.folder / "results.json", find_suite("django") / "tests"
        results.unlink(missing_ok=True)
        said = spoken(
            [sys.executable, "runtests.py", "--settings=settings", "--parallel=1", "--noinput", *(chosen or TESTS)],
            tests,
            {
                **end.libpq(),
                "PYTHONPATH": f"{self.folder}:{HERE}:{PACKAGES}",
                "SUITE_RESULTS": str(results),
            },
        )
        assert results.exists(), said
        return {name: (one[0], one[1]) for name, one in json.loads(results.read_text()).items()}


@pytest.fixture(scope="module")
def found(suites_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What differs."""
    folder = tmp_path_factory.mktemp("django")
    (folder / "settings.py").write_text(SETTINGS)
    (folder / "noting.py").write_text(RUNNER)
    with both_ends(suites_server, folder, "postgres", *DATABASES) as ends:
        return differences(Django(folder), ends, fewest=400)


def test_nothing_differs_but_what_is_listed(found: Mapping[str, str]) -> None:
    assert unlisted("django", found) == {}


def test_what_is_listed_still_differs_and_shows_why(found: Mapping[str, str]) -> None:
    assert stale("django", found) == {}
