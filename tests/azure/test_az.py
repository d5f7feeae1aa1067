"""The Azure CLI, as its users have it, through the gateway: no Azure secret or token is on its machine."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from azure.storage.blob import BlobServiceClient
from tests.azure.world import ARM, FILES, GROUPS, SECRET, SECRETS_OPEN, VAULT, World, names_resolve, running

from blastwall.testing.az import Az
from blastwall.testing.azurite import ACCOUNT

ANY_CLIENT = "c0ffee00-0000-4000-8000-000000000001"
"""az wants a client id; who asks is said by the token."""

TEMPLATE = """{
  // The text of the file is sent as it is, comments and all.
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "contentVersion": "1.0.0.0",
  "parameters": {"name": {"type": "string"}},
  "resources": [
    {
      "type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "[parameters('name')]",
      "location": "westeurope", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}
    }
  ]
}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One in which the pack's word on a vault's secrets is left out: an agent in the group `cleared` reads them."""
    with names_resolve(), running(tmp_path_factory.mktemp("azure"), packs=SECRETS_OPEN) as world:
        yield world


@pytest.fixture(scope="module")
def az(world: World, tmp_path_factory: pytest.TempPathFactory) -> Az:
    """az, logged in as a service principal with the agent's own token as the federated one."""
    az = Az(tmp_path_factory.mktemp("az"), [world.gateway.ca])
    az.register(world.url(ARM))
    az("login", "--service-principal", "-u", ANY_CLIENT, "-t", tenant(world), "--federated-token", world.token("43"))
    return az


def tenant(world: World) -> str:
    """The gateway's tenant, as clients that do not know it find it."""
    status, body = world.gateway.get("/common/v2.0/.well-known/openid-configuration")
    assert status == 200, body
    return str(json.loads(body)["token_endpoint"]).split("/")[3]


def judged(world: World, part: str) -> set[tuple[str, str]]:
    """The operations and rulings of what was asked of a path."""
    return {(one.operation.lower(), one.verdict) for one in world.recorded() if part.lower() in one.text.lower()}


class TestResourceManager:
    def test_groups_are_listed_over_pages(self, az: Az, world: World) -> None:
        assert az("group", "list", "--query", "[].name").json == list(GROUPS)
        assert ("microsoft.resources/subscriptions/resourcegroups/read", "allow") in judged(world, "/resourcegroups?")

    def test_a_groups_deletion_waits_for_a_person_and_then_for_azure(self, az: Az, world: World) -> None:
        with ThreadPoolExecutor(1) as beside:
            deleting = beside.submit(az, "group", "delete", "-n", "web", "--yes")
            world.waiting()
            assert not deleting.done()
            world.approve()
            deleting.result(100)
        assert az("group", "exists", "-n", "web").json is False
        world.arm.estate.add_group("web")

    def test_a_deployment(self, az: Az, world: World, tmp_path: Path) -> None:
        template = tmp_path / "template.json"
        template.write_text(TEMPLATE)
        az(
            "deployment", "group", "create", "-g", "shop", "-n", "one", "--template-file", str(template),
            "--parameters", "name=shopmade",
        )  # fmt: skip
        assert "shopmade" in [one["name"] for one in world.arm.estate.resources("/subscriptions")]

    def test_a_deployment_of_what_is_forbidden(self, az: Az, world: World, tmp_path: Path) -> None:
        hidden = '"type": "Microsoft.Authorization/roleAssignments", "apiVersion": "2022-04-01", "name": "x"'
        template = tmp_path / "template.json"
        template.write_text(f'{{"contentVersion": "1.0.0.0", "resources": [{{{hidden}}}]}}')
        done = az.run("deployment", "group", "create", "-g", "shop", "-n", "two", "--template-file", str(template))
        assert done.code != 0
        assert "roleAssignments" not in json.dumps(list(world.arm.estate.documents))

    def test_keys_are_refused_in_words_that_az_prints(self, az: Az) -> None:
        done = az.run("storage", "account", "keys", "list", "-g", "shop", "-n", "shopfiles")
        assert done.code != 0
        assert "credentials" in done.error

    def test_nothing_of_azures_is_in_its_home(self, az: Az, world: World) -> None:
        az("group", "show", "-n", "shop")
        kept = b"".join(path.read_bytes() for path in az.folder.rglob("*") if path.is_file())
        assert not any(token.encode() in kept for token in world.azure.tokens)


class TestData:
    def test_a_secret(self, az: Az, world: World) -> None:
        place = f"{world.url(VAULT)}/secrets/one"
        assert az("keyvault", "secret", "show", "--id", place, "--query", "value").json == SECRET
        assert "reveal" in {effect for one in world.recorded() if "/secrets/one" in one.text for effect in one.effects}

    def test_blobs(self, az: Az, world: World, tmp_path: Path) -> None:
        file = tmp_path / "report.txt"
        file.write_text("a report")
        place = ("--auth-mode", "login", "--blob-endpoint", f"{world.url(FILES)}/{ACCOUNT}")
        az("storage", "container", "create", "-n", "reports", *place)
        az("storage", "blob", "upload", "-c", "reports", "-n", "2026/report.txt", "-f", str(file), *place)
        assert az("storage", "blob", "list", "-c", "reports", "--query", "[].name", *place).json == ["2026/report.txt"]
        back = tmp_path / "back.txt"
        az("storage", "blob", "download", "-c", "reports", "-n", "2026/report.txt", "-f", str(back), *place)
        assert back.read_text() == "a report"
        assert all(verdict == "allow" for _, verdict in judged(world, "2026/report.txt"))


class TestIdentity:
    """`blastwall identity` beside a client that knows managed identities."""

    @pytest.fixture
    def endpoint(self, world: World, tmp_path: Path) -> Iterator[dict[str, str]]:
        """The variables of App Service that lead to it, as a container beside it would have them."""
        token = tmp_path / "token"
        token.write_text(world.token())
        server = ("--server", world.gateway.control_url, "--ca", str(world.gateway.ca), "--token-file", str(token))
        process = subprocess.Popen(
            [sys.executable, "-m", "blastwall", "identity", *server, "--json"],
            stdout=subprocess.PIPE, text=True, cwd=tmp_path,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            said = ""
            while not said.endswith("\n}\n"):
                line = process.stdout.readline()
                assert line
                said += line
            yield json.loads(said)["app_service"]
        finally:
            process.kill()
            process.communicate()

    def test_az_logs_in_with_it(self, world: World, endpoint: dict[str, str], tmp_path: Path) -> None:
        az = Az(tmp_path / "az", [world.gateway.ca], endpoint)
        az.register(world.url(ARM))
        az("login", "--identity")
        names = az("group", "list", "--query", "[].name").json
        assert {"backup", "data", "shop"} <= set(names if isinstance(names, list) else [])
        kept = b"".join(path.read_bytes() for path in az.folder.rglob("*") if path.is_file())
        assert not any(token.encode() in kept for token in (*world.azure.tokens, world.token()))

    def test_the_sdks_find_it_by_themselves(
        self, world: World, endpoint: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in endpoint.items():
            monkeypatch.setenv(name, value)
        ca = str(world.gateway.ca)
        with (
            ManagedIdentityCredential() as credential,
            SecretClient(world.url(VAULT), credential, connection_verify=ca) as secrets,
            BlobServiceClient(f"{world.url(FILES)}/{ACCOUNT}", credential, connection_verify=ca) as blobs,
        ):
            assert [secret.name for secret in secrets.list_properties_of_secrets()] == ["one", "three", "two"]
            container = blobs.create_container("by-identity")
            container.upload_blob("a", b"a")
            assert [blob.name for blob in container.list_blobs()] == ["a"]

    def test_what_it_gives_is_worth_nothing_to_azure(
        self, world: World, endpoint: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name, value in endpoint.items():
            monkeypatch.setenv(name, value)
        with ManagedIdentityCredential() as credential:
            token = credential.get_token("https://management.azure.com/.default").token
        claims = jwt.decode(token, options={"verify_signature": False})
        assert "microsoft" not in str(claims["iss"])
        assert "azure.com" not in str(claims["aud"])
        asked = urllib.request.Request(
            f"{world.arm.url}/subscriptions?api-version=2022-12-01", headers={"Authorization": f"Bearer {token}"}
        )
        context = ssl.create_default_context(cafile=str(world.folder / "ca.pem"))
        with pytest.raises(urllib.error.HTTPError, match="401") as caught:
            urllib.request.urlopen(asked, context=context, timeout=30)
        caught.value.close()
        assert world.curl(f"{world.url(ARM)}/subscriptions?api-version=2022-12-01", token=token)[0] == 200
        assert world.curl(f"{world.url(VAULT)}/secrets?api-version=7.5", token=token)[0] == 401


class TestConnect:
    @pytest.fixture
    def through(self, world: World, tmp_path: Path) -> tuple[str, ...]:
        """The words that start a command with the agent's identity."""
        token = tmp_path / "token"
        token.write_text(world.token())
        server = ("--server", world.gateway.control_url, "--ca", str(world.gateway.ca), "--token-file", str(token))
        return (sys.executable, "-m", "blastwall", "connect", *server, "arm", "--")

    def test_az_just_works(self, world: World, through: tuple[str, ...], tmp_path: Path) -> None:
        """In a home in which nobody ever logged in."""
        az = Az(tmp_path / "az", [world.gateway.ca])
        names = az("group", "list", "--query", "[].name", through=through).json
        assert {"backup", "data", "shop"} <= set(names if isinstance(names, list) else [])
        kept = b"".join(path.read_bytes() for path in az.folder.rglob("*") if path.is_file())
        assert world.token().encode() not in kept
