"""Which credential a principal gets, and what nobody gets to see."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from blastwall.config.resource_settings import ResourceSettings
from blastwall.gate.ports import CredentialUnavailable
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Address, Resource
from blastwall.vault import ConfiguredVault

PG = Resource("pg-prod", "postgres", Address("db", 5432), ("shop",))
VARIABLE = "BLASTWALL_TEST_PASSWORD"


def a_vault(*credentials: dict[str, object]) -> ConfiguredVault:
    return ConfiguredVault(
        [
            ResourceSettings.model_validate(
                {
                    "name": "pg-prod",
                    "kind": "postgres",
                    "listen": 15432,
                    "upstream": {"host": "db"},
                    "credential": list(credentials),
                }
            )
        ]
    )


def from_env(user: str, *groups: str, variable: str = VARIABLE) -> dict[str, object]:
    return {"user": user, "password": {"env": variable}, "for": list(groups)}


def agent(*groups: str) -> Principal:
    return Principal(PrincipalKind.AGENT, "shop-ci", "github", "sub", frozenset(groups))


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "hunter2")


async def user_of(vault: ConfiguredVault, principal: Principal | None) -> str:
    return (await vault.credential(PG, principal)).user


async def test_a_secret_is_read_anew_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "password"
    for vault, change in (
        (a_vault(from_env("app")), lambda value: monkeypatch.setenv(VARIABLE, value)),
        (a_vault({"user": "app", "password": {"file": str(file)}}), file.write_text),
    ):
        change("first")
        assert (await vault.credential(PG, agent())).secret == b"first"
        change("second")
        assert (await vault.credential(PG, agent())).secret == b"second"


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"hunter2", b"hunter2"),
        (b"hunter2\n", b"hunter2"),
        (b"hunter2\r\n", b"hunter2"),
        (b"hunter2\n\n", b"hunter2\n"),
        (b" hunter2 ", b" hunter2 "),
        (b"\xff\x00\n", b"\xff\x00"),
    ],
)
async def test_one_trailing_newline_is_dropped(tmp_path: Path, content: bytes, secret: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    vault = a_vault({"user": "app", "password": {"file": str(file)}})
    assert (await vault.credential(PG, agent())).secret == secret


async def test_groups_choose() -> None:
    vault = a_vault(from_env("app"), from_env("writer", "writers"), from_env("owner", "dba"))
    assert await user_of(vault, agent("writers")) == "writer"
    assert await user_of(vault, agent("dba", "ci")) == "owner"
    assert await user_of(vault, agent("ci")) == "app"
    assert await user_of(vault, agent()) == "app"
    assert await user_of(vault, None) == "app"


async def test_the_gateways_own_is_the_first_where_none_is_for_everybody() -> None:
    assert await user_of(a_vault(from_env("writer", "writers"), from_env("owner", "dba")), None) == "writer"


async def test_several_that_fit_are_refused_unless_they_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER", "x")
    vault = a_vault(from_env("writer", "writers"), from_env("owner", "dba"))
    with pytest.raises(CredentialUnavailable, match=r"several credentials fit .*writer, owner"):
        await vault.credential(PG, agent("writers", "dba"))
    same = a_vault(from_env("writer", "writers"), from_env("writer", "dba"))
    assert await user_of(same, agent("writers", "dba")) == "writer"
    rotated = a_vault(from_env("writer", "writers"), from_env("writer", "dba", variable="OTHER"))
    with pytest.raises(CredentialUnavailable, match="several"):
        await rotated.credential(PG, agent("writers", "dba"))


async def test_nothing_for_these_groups() -> None:
    with pytest.raises(CredentialUnavailable, match="agent shop-ci at resource pg-prod"):
        await a_vault(from_env("owner", "dba")).credential(PG, agent("ci"))
    with pytest.raises(CredentialUnavailable, match="pg-other has no credential"):
        await a_vault(from_env("app")).credential(Resource("pg-other", "postgres", Address("db", 1)), agent())


@pytest.mark.parametrize(("value", "why"), [("", "is empty"), (None, "is not set")])
async def test_a_variable_without_a_secret(monkeypatch: pytest.MonkeyPatch, value: str | None, why: str) -> None:
    monkeypatch.delenv(VARIABLE) if value is None else monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(CredentialUnavailable, match=f"environment variable {VARIABLE} {why}"):
        await a_vault(from_env("app")).credential(PG, agent())


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * (70 << 10)])
async def test_a_file_without_a_secret(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(CredentialUnavailable, match=r"file .*password is (empty|longer)"):
        await a_vault({"user": "app", "password": {"file": str(file)}}).credential(PG, agent())


async def test_a_place_without_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for place in ("missing", "", "fifo"):
        vault = a_vault({"user": "app", "password": {"file": str(tmp_path / place)}})
        with pytest.raises(CredentialUnavailable, match="cannot be read"):
            await vault.credential(PG, agent())


async def test_nothing_shows_the_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2")
    file.chmod(0o644)
    vault = a_vault({"user": "app", "password": {"file": str(file)}}, from_env("owner", "dba"))
    with caplog.at_level(logging.DEBUG), capture_logs() as logs:
        credential = await vault.credential(PG, agent())
        with pytest.raises(CredentialUnavailable) as caught:
            await vault.credential(Resource("pg-other", "postgres", Address("db", 1)), agent("dba"))
    shown = f"{credential!r} {credential} {vault.__dict__!r} {logs} {caplog.text} {caught.value}"
    assert "hunter2" not in shown


async def test_a_file_that_everybody_can_read_is_warned_of_once(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2")
    vault = a_vault({"user": "app", "password": {"file": str(file)}})
    with capture_logs() as logs:
        file.chmod(0o640)
        await vault.credential(PG, agent())
        assert logs == []
        file.chmod(0o644)
        await vault.credential(PG, agent())
        await vault.credential(PG, agent())
    assert [(log["event"], log["source"]) for log in logs] == [("secret_world_readable", f"file {file}")]
