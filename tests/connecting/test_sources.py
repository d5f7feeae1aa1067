"""Where a token comes from, each source against a server that answers as the real one does."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.cli.api_server import ApiServer, api_server

from blastwall.connecting.proofs import NoProof, Proof
from blastwall.connecting.sources import NAMES, Asked, NoSource, detect, fetch_by
from blastwall.testing.azure import TENANT, AzureServer
from blastwall.testing.certificates import CertificateAuthority

APP = "55555555-5555-5555-5555-555555555555"
FETCH = """
import asyncio, os, sys
from blastwall.connecting.proofs import NoProof
from blastwall.connecting.sources import Asked, detect, fetch_by
asked = Asked(sys.argv[1], os.environ)
try:
    print(detect(asked) if len(sys.argv) < 3 else sys.argv[2])
    print(asyncio.run(fetch_by(sys.argv[2] if len(sys.argv) > 2 else detect(asked), asked)()).secret)
except NoProof as error:
    print("refused:", error)
"""


def fetched(environment: Mapping[str, str], *arguments: str) -> list[str]:
    """Fetch in a process of its own, with this environment alone: the source that was found, and the token."""
    given = {"PATH": "/nonexistent", "HOME": "/nonexistent", **environment}
    done = subprocess.run(
        [sys.executable, "-c", FETCH, *arguments], env=given, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.splitlines()


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server(tmp_path) as server:
        yield server


class TestDetecting:
    def test_the_first_that_is_there(self, tmp_path: Path) -> None:
        login = Proof("bwl_x", time.time() + 60)
        everything = {
            "BLASTWALL_TOKEN": "x",
            "ACTIONS_ID_TOKEN_REQUEST_URL": "https://x",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x",
            "SYSTEM_OIDCREQUESTURI": "https://x",
            "SYSTEM_ACCESSTOKEN": "x",
            "AZURE_FEDERATED_TOKEN_FILE": "/x",
            "IDENTITY_ENDPOINT": "http://x",
        }
        (tmp_path / "az").touch(mode=0o700)
        found = [detect(Asked("a", {**everything, "PATH": str(tmp_path)}, tmp_path / "token", login))]
        environment = {"PATH": str(tmp_path), **everything}
        found.append(detect(Asked("a", environment, None, login)))
        names = list(everything)
        for gone in (names[:1], names[1:3], names[3:5], names[5:6], names[6:]):
            for name in gone:
                del environment[name]
            found.append(detect(Asked("a", environment, None, login)))
        found.append(detect(Asked("a", environment, None, None)))
        assert found == list(NAMES)

    def test_half_of_what_a_source_needs_is_none(self) -> None:
        with pytest.raises(NoSource, match="blastwall login"):
            detect(Asked("a", {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x", "PATH": "/nonexistent"}))


class TestPipelines:
    def test_github_actions(self, pipeline: ApiServer) -> None:
        pipeline.answer("GET /token?version=2&audience=my%20gateway", (200, {"value": "a.github.token", "count": 1}))
        found = fetched(
            {
                "ACTIONS_ID_TOKEN_REQUEST_URL": f"{pipeline.url}/token?version=2",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "job-right",
                "SSL_CERT_FILE": str(pipeline.ca),
            },
            "my gateway",
        )
        assert found == ["github", "a.github.token"]
        assert pipeline.asked[0].headers["Authorization"] == "Bearer job-right"

    def test_azure_pipelines_with_the_service_connection_of_the_task(self, pipeline: ApiServer) -> None:
        pipeline.answer("POST /oidc?api-version=7.1&serviceConnectionId=c1", (200, {"oidcToken": "an.ado.token"}))
        found = fetched(
            {
                "SYSTEM_OIDCREQUESTURI": f"{pipeline.url}/oidc",
                "SYSTEM_ACCESSTOKEN": "job-right",
                "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "c1",
                "SSL_CERT_FILE": str(pipeline.ca),
            },
            "blastwall",
        )
        assert found == ["azure-devops", "an.ado.token"]

    def test_a_refusal_repeats_no_secret_and_a_redirect_is_not_followed(self, pipeline: ApiServer) -> None:
        pipeline.headers["Location"] = f"{pipeline.url}/elsewhere"
        pipeline.answer("GET /token?audience=blastwall", (302, b""))
        found = fetched(
            {
                "ACTIONS_ID_TOKEN_REQUEST_URL": f"{pipeline.url}/token",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "job-right",
                "SSL_CERT_FILE": str(pipeline.ca),
            },
            "blastwall",
        )
        assert found[1] == "refused: GitHub Actions refuses a token: it answered 302"
        assert len(pipeline.asked) == 1

    async def test_the_right_to_ask_goes_over_https_alone(self) -> None:
        environment = {"ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:1/", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x"}
        with pytest.raises(NoProof, match="not https"):
            await fetch_by("github", Asked("a", environment))()

    async def test_what_is_missing_is_named(self) -> None:
        with pytest.raises(NoProof, match="id-token: write"):
            await fetch_by("github", Asked("a", {}))()
        with pytest.raises(NoProof, match="SYSTEM_ACCESSTOKEN"):
            await fetch_by("azure-devops", Asked("a", {"SYSTEM_OIDCREQUESTURI": "https://x"}))()


class TestAzure:
    @pytest.fixture
    def authority(self) -> CertificateAuthority:
        return CertificateAuthority("Blastwall throw-away Azure CA")

    @pytest.fixture
    def azure(self, authority: CertificateAuthority) -> Iterator[AzureServer]:
        with AzureServer(authority) as server:
            yield server

    def test_a_managed_identity(self, azure: AzureServer) -> None:
        assert fetched(azure.app_service, "api://blastwall") == ["managed-identity", azure.tokens[0]]

    def test_a_managed_identity_of_a_virtual_machine_by_name(self, azure: AzureServer) -> None:
        found = fetched(azure.virtual_machine, "api://blastwall", "managed-identity")
        assert found[1] == azure.tokens[0]

    def test_a_workload_identity(self, azure: AzureServer, authority: CertificateAuthority, tmp_path: Path) -> None:
        (tmp_path / "federated").write_text("the-federated-token")
        azure.federated[APP] = "the-federated-token"
        environment = {
            "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "federated"),
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": APP,
            "AZURE_AUTHORITY_HOST": azure.url,
            "SSL_CERT_FILE": str(authority.write(tmp_path)),
        }
        assert fetched(environment, "api://blastwall") == ["workload-identity", azure.tokens[0]]

    def test_the_azure_cli(self, tmp_path: Path) -> None:
        answer = {"accessToken": "an.az.token", "expires_on": int(time.time()) + 3600, "tokenType": "Bearer"}
        program = tmp_path / "az"
        program.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/asked\ncat <<END\n{json.dumps(answer)}\nEND\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        found = fetched({"PATH": f"{tmp_path}:{os.environ['PATH']}"}, "api://blastwall")
        assert found == ["az", "an.az.token"]
        assert "--resource api://blastwall" in (tmp_path / "asked").read_text()

    def test_a_refusal_says_whose(self) -> None:
        found = fetched({"IDENTITY_ENDPOINT": "http://127.0.0.1:1/x", "IDENTITY_HEADER": "h"}, "api://blastwall")
        assert found[1].startswith("refused: managed identity gives no token for api://blastwall (--audience)")


class TestFiles:
    async def test_a_file_is_read_anew_each_time(self, tmp_path: Path) -> None:
        file = tmp_path / "token"
        fetch = fetch_by("token-file", Asked("a", {}, file))
        for text in ("one", "two"):
            file.write_text(f"{text}\n")
            assert (await fetch()).secret == text

    @pytest.mark.parametrize("text", ["", "two words", "with\nnewline", "ünicode"])
    async def test_what_is_no_token_is_not_repeated(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "token").write_text(text)
        with pytest.raises(NoProof) as refused:
            await fetch_by("token-file", Asked("a", {}, tmp_path / "token"))()
        assert not text or text not in str(refused.value)

    async def test_a_login_that_has_ended(self) -> None:
        with pytest.raises(NoProof, match="has ended; run `blastwall login`"):
            await fetch_by("login", Asked("a", {}, None, Proof("bwl_x", time.time() - 1)))()
