"""`blastwall identity`, as a process of its own beside a real control port."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from tests.api.conftest import ARM, Gateway, gateway  # noqa: F401 - the fixture
from tests.identity.conftest import HERE
from typer.testing import CliRunner

from blastwall.cli.main import build

RESOURCE = {"resource": "https://management.azure.com/"}


@dataclass
class Running:
    """The command, and what it printed."""

    process: asyncio.subprocess.Process
    places: dict[str, dict[str, str]]

    @property
    def app_service(self) -> tuple[str, dict[str, str]]:
        found = self.places["app_service"]
        return found["IDENTITY_ENDPOINT"], {"X-IDENTITY-HEADER": found["IDENTITY_HEADER"]}


@asynccontextmanager
async def identity(gateway: Gateway, token: Path, *more: str, **environment: str) -> AsyncIterator[Running]:  # noqa: F811
    place = ["--server", gateway.url, "--ca", str(gateway.ca), "--token-file", str(token), "--json"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "blastwall",
        "identity",
        *place,
        *more,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        assert process.stdout is not None
        said = b""
        while not said.endswith(b"\n}\n"):
            line = await process.stdout.readline()
            assert line
            said += line
        yield Running(process, json.loads(said))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
def token(gateway: Gateway, tmp_path: Path) -> Path:  # noqa: F811
    gateway.policy.permitted.add(ARM.name)
    file = tmp_path / "token"
    file.write_bytes(gateway.issuer.token())
    return file


async def test_what_it_gives_is_a_token_that_the_gateway_takes(gateway: Gateway, token: Path) -> None:  # noqa: F811
    async with identity(gateway, token) as running, aiohttp.ClientSession() as http:
        url, headers = running.app_service
        async with http.get(url, params=RESOURCE, headers=headers) as response:
            answer = await response.json()
        found = await gateway.identity.identify(answer["access_token"].encode(), ARM, HERE)
        assert (found.principal.name, found.proof) == ("shop-ci", "gateway_token")
        async with http.get(url, params={"resource": "https://graph.microsoft.com"}, headers=headers) as response:
            assert response.status == 400
            assert "AADSTS500011" in (await response.json())["error_description"]
        await asyncio.to_thread(token.unlink)
        async with http.get(url, params={"resource": "blastwall:arm"}, headers=headers) as response:
            assert "token file" in (await response.json())["error_description"]
        running.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(running.process.wait(), 60) == 0


async def test_a_header_that_a_pods_containers_share(gateway: Gateway, token: Path) -> None:  # noqa: F811
    shared = "a-value-that-both-containers-know"
    async with identity(gateway, token, "--metadata", BLASTWALL_IDENTITY_HEADER=shared) as running:
        assert running.app_service[1] == {"X-IDENTITY-HEADER": shared}
        root = running.places["metadata"]["AZURE_POD_IDENTITY_AUTHORITY_HOST"]
        async with (
            aiohttp.ClientSession() as http,
            http.get(
                f"{root}/metadata/identity/oauth2/token", params=RESOURCE, headers={"Metadata": "true"}
            ) as response,
        ):
            assert response.status == 200


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["--listen", "0.0.0.0"], {}, "needs --name"),
        (["--listen", "0.0.0.0", "--name", "identity", "--metadata"], {}, "no --metadata"),
        ([], {"BLASTWALL_IDENTITY_HEADER": "short"}, "keeps others out"),
    ],
)
def test_what_would_let_others_in_is_refused(arguments: list[str], environment: dict[str, str], said: str) -> None:
    place = ["identity", "--server", "https://localhost:1", *arguments]
    result = CliRunner().invoke(build(), place, env={"BLASTWALL_TOKEN": "abc", **environment})
    assert result.exit_code == 2
    assert said in result.stderr
