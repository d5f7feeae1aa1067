"""`blastwall connect` with clients of Azure: they need no login, and no secret is on their side."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.rest import Answer, Asked, RestServer

LISTING = b"""<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="https://shop.example/">
<Containers><Container><Name>invoices</Name><Properties/></Container></Containers><NextMarker/></EnumerationResults>"""
ACCOUNT_KEY = "c2VjcmV0IGtleSBvZiB0aGUgYWNjb3VudA=="

POLICIES = """
@id("ci-uses-files")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read"], resource in Resource::"files");
@id("ci-uses-api")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read"], resource in Resource::"api");
"""

LIST = """
import json, os
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient
service = BlobServiceClient(os.environ["AZURE_STORAGE_SERVICE_ENDPOINT"], DefaultAzureCredential())
print(json.dumps({"found": [each.name for each in service.list_containers()], "environment": dict(os.environ)}))
"""


class Upstream:
    """The storage account and the API."""

    def respond(self, asked: Asked) -> Answer:
        if asked.query.get("comp") == "list":
            return Answer(200, headers={"Content-Type": "application/xml"}, body=LISTING)
        return Answer(200, headers={"Content-Type": "text/plain"}, body=asked.path.encode())


@dataclass
class Desk:
    """A machine with `blastwall` on it, whose token is in a file."""

    gateway: Gateway
    upstream: RestServer
    issuer: DevIssuer
    folder: Path
    kept: dict[str, str] = field(default_factory=dict)

    def run(self, resource: str, *client: str, **environment: str) -> subprocess.CompletedProcess[str]:
        token = self.folder / "token"
        token.write_text(self.issuer.token("ci", claims={"repository_id": "42"}))
        place = ["--server", self.gateway.control_url, "--ca", str(self.gateway.ca), "--token-file", str(token)]
        steering = ("AZURE_", "ARM_", "IDENTITY_", "MSI_", "BLASTWALL", "HTTP", "http")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
        return subprocess.run(
            [sys.executable, "-m", "blastwall", "connect", *place, resource, "--", *client],
            env={**kept, "XDG_CONFIG_HOME": str(self.folder / "config"), "TMPDIR": str(self.folder), **environment},
            capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip


def configuration(upstream: RestServer, issuer: DevIssuer, authority: Path) -> dict[str, object]:
    to = {"host": "localhost", "port": upstream.port, "ca": str(authority)}
    return {
        "issuers": [{"name": "dev", "issuer": issuer.url, "audience": "blastwall"}],
        "agents": [{"name": "shop-ci", "issuer": "dev", "match": {"repository_id": "42"}, "groups": ["ci"]}],
        "resources": [
            {
                "name": "files",
                "kind": "azure-blob",
                "upstream": to,
                "credential": {"user": "shop", "password": {"env": "ACCOUNT_KEY"}},
            },
            {
                "name": "api",
                "kind": "http",
                "upstream": to,
                "credential": {"password": {"env": "ACCOUNT_KEY"}},
            },
        ],
        "policies": ["policies.cedar"],
    }


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    authority = CertificateAuthority("The resources' CA")
    with DevIssuer() as issuer, RestServer(Upstream(), authority) as upstream:
        gateway = Gateway(
            configuration(upstream, issuer, authority.write(folder)),
            policies={"policies.cedar": POLICIES},
            environment={"ACCOUNT_KEY": ACCOUNT_KEY},
        )
        with gateway:
            yield Desk(gateway, upstream, issuer, folder)


def proofs(asked: Sequence[Asked]) -> set[str]:
    return {each.headers.get("authorization", "").partition(" ")[0] for each in asked}


OTHERS = {
    "AZURE_CLIENT_ID": "another",
    "AZURE_CLIENT_SECRET": "another",
    "AZURE_TENANT_ID": "another",
    "IDENTITY_ENDPOINT": "http://other",
    "IDENTITY_HEADER": "other",
    "NO_PROXY": "a.example",
}
"""What is there of another identity of the machine's."""


def test_an_sdk_that_knows_nothing_of_the_gateway_lists_containers(desk: Desk) -> None:
    desk.upstream.asked.clear()
    done = desk.run("files", sys.executable, "-c", LIST, **OTHERS)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["found"] == ["invoices"]
    assert proofs(desk.upstream.asked) == {"SharedKey"}, "the resource sees the gateway's credential alone"
    _check_environment(desk, said["environment"])
    assert '"targets": "kind:azure-blob"' in desk.gateway.log, "the token was good for what the SDK asked for"
    sessions = json.loads(desk.gateway.run("sessions", "list", "--json"))
    assert "shop-ci" in json.dumps(sessions)


def _check_environment(desk: Desk, found: dict[str, str]) -> None:
    assert found["AZURE_STORAGE_SERVICE_ENDPOINT"] == f"https://localhost:{desk.gateway.port('files')}"
    assert found["IDENTITY_ENDPOINT"].startswith("http://127.0.0.1:")
    assert found["IDENTITY_HEADER"] not in {"", "other"}
    assert found["NO_PROXY"] == "a.example,127.0.0.1"
    assert not {"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"} & found.keys()
    assert "AZURE_CONFIG_DIR" not in found, "az is made ready only for what manages other resources"
    bundle = Path(found["REQUESTS_CA_BUNDLE"])
    assert bundle.parent.parent == desk.folder
    assert not bundle.parent.exists(), "the run's folder is gone with it"
    assert not any("eyJ" in value for value in found.values()), "no token is in the environment"


def test_curl_needs_no_token_at_all(desk: Desk) -> None:
    done = desk.run("api", "sh", "-c", 'curl -sS --fail "$BLASTWALL_URL/v1/orders"')
    assert (done.returncode, done.stdout) == (0, "/v1/orders"), done.stderr


def test_who_may_not_connect_hears_so_before_the_client_starts(desk: Desk) -> None:
    done = desk.run("nowhere", "sh", "-c", "echo started")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no such resource" in done.stderr
