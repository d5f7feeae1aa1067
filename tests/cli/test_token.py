"""`blastwall token`, at a real control port."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.api.conftest import Gateway, gateway  # noqa: F401 - the fixture
from typer.testing import CliRunner, Result

from blastwall.cli.main import build
from blastwall.identity.passes import PREFIX


@dataclass
class Ended:
    code: int | None
    out: str
    err: str


async def token(*arguments: str, stdin: str = "", **environment: str) -> Ended:
    """Run the command as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "blastwall",
        "token",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    out, err = await process.communicate(stdin.encode())
    return Ended(process.returncode, out.decode(), err.decode())


def at(gateway: Gateway, resource: str = "pg-prod") -> list[str]:  # noqa: F811 - the fixture
    return ["--gateway", gateway.url, "--ca", str(gateway.ca), "--resource", resource]


async def test_a_pass_from_a_file_standard_input_and_the_environment(gateway: Gateway, tmp_path: Path) -> None:  # noqa: F811
    file = tmp_path / "token"
    file.write_bytes(gateway.issuer.token() + b"\n")
    for ended in (
        await token(*at(gateway), "--token-file", str(file)),
        await token(*at(gateway), "--token-file", "-", stdin=gateway.issuer.token().decode()),
        await token(*at(gateway), BLASTWALL_TOKEN=gateway.issuer.token().decode()),
        await token(*at(gateway), "--token-env", "MINE", MINE=gateway.issuer.token().decode()),
    ):
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.startswith(PREFIX.decode())
        assert len(ended.out.strip()) <= 100


async def test_the_whole_answer_as_json(gateway: Gateway) -> None:  # noqa: F811
    ended = await token(*at(gateway), "--json", "--token-file", "-", stdin=gateway.issuer.token().decode())
    assert set(json.loads(ended.out)) == {"access_token", "issued_token_type", "token_type", "expires_in", "pass_id"}


async def test_a_refusal_says_why_and_repeats_no_token(gateway: Gateway) -> None:  # noqa: F811
    bad = gateway.issuer.token(repository_id="9").decode()
    ended = await token(*at(gateway), "--token-file", "-", stdin=bad)
    assert ended.code == 1
    assert "matches no configured agent" in ended.err
    assert bad not in ended.out + ended.err


async def test_a_gateway_that_is_not_trusted_gets_no_token(gateway: Gateway) -> None:  # noqa: F811
    ended = await token("--gateway", gateway.url, "--resource", "pg-prod", "--token-file", "-", stdin="x.y.z")
    assert ended.code == 1
    assert "certificate" in ended.err


def misused(*arguments: str) -> Result:
    """Run the command in this process, for what never reaches a gateway."""
    return CliRunner(env={"BLASTWALL_TOKEN": ""}).invoke(build(), ["token", *arguments], input="x.y.z")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://gateway.example:8443", "write https"),
        ("http://localhost.evil.example", "write https"),
        ("https://user:secret@gateway:8443", "must not carry"),
        ("https://gateway:8443/?token=secret", "must not carry"),
        ("gateway:8443", "write https"),
        ("https://[::1", "no URL"),
    ],
)
def test_urls_that_would_spill_the_token(url: str, why: str) -> None:
    ended = misused("--gateway", url, "--resource", "pg-prod", "--token-file", "-")
    assert ended.exit_code == 2
    assert why in ended.stderr
    assert "secret" not in ended.stderr.replace("so that the token stays secret", "")


def test_no_token_is_wrong_usage_and_none_is_taken_as_an_argument(tmp_path: Path) -> None:
    place = ["--gateway", "https://127.0.0.1:1", "--resource", "pg-prod"]
    for more in ([], ["--token-file", str(tmp_path / "missing")], ["--token", "x.y.z"], ["x.y.z"]):
        assert misused(*place, *more).exit_code == 2


def test_nobody_there() -> None:
    ended = misused("--gateway", "https://127.0.0.1:1", "--resource", "pg", "--token-file", "-")
    assert ended.exit_code == 1
    assert "cannot be reached" in ended.stderr
