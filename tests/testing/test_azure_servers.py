"""The servers that stand in for Azure satisfy Azure's own clients, with nothing between."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.storage.blob import BlobServiceClient

from blastwall.testing.arm import ArmServer
from blastwall.testing.arm_estate import SUBSCRIPTION
from blastwall.testing.az import Az
from blastwall.testing.azure import TENANT, AzureServer
from blastwall.testing.azurite import Azurite
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.keyvault import KeyVaultServer
from blastwall.testing.servers import find_program

APP = "c0ffee00-0000-4000-8000-000000000001"
SCOPE = "https://management.azure.com/.default"


@dataclass
class Cloud:
    """Entra, Resource Manager and a vault, with the CA that verifies them."""

    azure: AzureServer
    arm: ArmServer
    vault: KeyVaultServer
    ca: Path

    def resources(self) -> ResourceManagementClient:
        return ResourceManagementClient(
            ManagedIdentityCredential(), SUBSCRIPTION, base_url=self.arm.url, credential_scopes=[SCOPE],
            connection_verify=str(self.ca),
        )  # fmt: skip


def curl(cloud: Cloud, *arguments: str) -> str:
    command = [str(find_program("curl", "curl")), "-sS", "--cacert", str(cloud.ca), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture
def cloud(authority: CertificateAuthority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    with AzureServer(authority) as azure, ArmServer(azure, authority) as arm, KeyVaultServer(azure, authority) as vault:
        for group in ("shop", "web", "data"):
            arm.estate.add_group(group)
        for name, value in azure.app_service.items():
            monkeypatch.setenv(name, value)
        yield Cloud(azure, arm, vault, authority.write(tmp_path))


class TestResourceManager:
    def test_pages_and_long_work(self, cloud: Cloud) -> None:
        client = cloud.resources()
        assert [group.name for group in client.resource_groups.list()] == ["data", "shop", "web"]
        client.resource_groups.begin_delete("web").result(60)
        assert not client.resource_groups.check_existence("web")
        assert [asked.method for asked in cloud.arm.asked if "operationresults" in asked.path]

    def test_a_lock_holds_a_group(self, cloud: Cloud) -> None:
        server = cloud.arm.estate.add("shop", "Microsoft.Sql/servers", "db1")
        cloud.arm.estate.lock(server, "keep")
        with pytest.raises(HttpResponseError, match="ScopeLocked"):
            cloud.resources().resource_groups.begin_delete("shop")

    def test_throttling_is_waited_for(self, cloud: Cloud) -> None:
        cloud.arm.throttle(1, 0.1)
        assert len(list(cloud.resources().resource_groups.list())) == 3

    def test_a_claims_challenge_is_put_in_the_words_that_the_sdk_acts_on(self, cloud: Cloud) -> None:
        client = cloud.resources()
        list(client.resource_groups.list())
        cloud.arm.demand_claims()
        assert len(list(client.resource_groups.list())) == 3
        assert len(cloud.azure.tokens) == 2

    def test_a_token_of_somebody_elses_making_is_refused(self, cloud: Cloud) -> None:
        place = f"{cloud.arm.url}/subscriptions?api-version=2022-12-01"
        said = curl(cloud, "-i", "-H", "Authorization: Bearer eyJ.eyJ.x", place)
        assert said.startswith("HTTP/1.1 401")
        assert "InvalidAuthenticationToken" in said

    def test_az(self, cloud: Cloud, tmp_path: Path) -> None:
        az = Az(tmp_path, [cloud.ca], cloud.azure.app_service)
        az.register(cloud.arm.url)
        az("login", "--service-principal", "-u", APP, "-t", TENANT, "--federated-token", "a-federated-token")
        template = tmp_path / "template.json"
        template.write_text(
            '{"resources": [ // with a comment\n'
            '{"type": "Microsoft.Storage/storageAccounts", "apiVersion": "2023-01-01", "name": "made"}]}'
        )
        az("deployment", "group", "create", "-g", "shop", "-n", "one", "--template-file", str(template))
        found = az("resource", "list", "--query", "[].name").json
        assert found == ["made"]
        keys = az("storage", "account", "keys", "list", "-g", "shop", "-n", "made", "--query", "[].value").json
        assert keys == next(iter(cloud.arm.estate.keys.values()))


class TestKeyVault:
    def client(self, cloud: Cloud) -> SecretClient:
        return SecretClient(
            cloud.vault.url, ManagedIdentityCredential(), connection_verify=str(cloud.ca),
            verify_challenge_resource=False,
        )  # fmt: skip

    def test_the_life_of_a_secret(self, cloud: Cloud) -> None:
        for name in ("one", "two", "three"):
            cloud.vault.put(name, f"the value of {name}")
        client = self.client(cloud)
        assert client.get_secret("one").value == "the value of one"
        assert [secret.name for secret in client.list_properties_of_secrets()] == ["one", "three", "two"]
        client.set_secret("one", "a newer one")
        assert len(list(client.list_properties_of_secret_versions("one"))) == 2
        client.begin_delete_secret("two").result()
        assert [secret.name for secret in client.list_deleted_secrets()] == ["two"]
        client.begin_recover_deleted_secret("two").wait()
        assert client.get_secret("two").value == "the value of two"

    def test_the_challenge_comes_first(self, cloud: Cloud) -> None:
        cloud.vault.put("one", "1")
        self.client(cloud).get_secret("one")
        first, second = cloud.vault.asked
        assert (first.bearer, bool(second.bearer)) == ("", True)


class TestAzurite:
    def test_blobs_with_a_token_of_entras_form(self, cloud: Cloud, authority: CertificateAuthority) -> None:
        with Azurite(authority) as azurite:
            client = BlobServiceClient(azurite.url, ManagedIdentityCredential(), connection_verify=str(cloud.ca))
            container = client.create_container("files")
            container.upload_blob("a.txt", b"hello")
            assert [blob.name for blob in container.list_blobs()] == ["a.txt"]
            assert container.download_blob("a.txt").readall() == b"hello"
            said = curl(cloud, "-i", f"{azurite.url}/files/a.txt")
            assert said.split()[1] in ("401", "403", "404")


def test_a_token_for_elsewhere_opens_nothing(cloud: Cloud, tmp_path: Path) -> None:
    token = ManagedIdentityCredential().get_token("https://storage.azure.com/.default").token
    header = tmp_path / "header"
    header.write_text(f"Authorization: Bearer {token}")
    for place in (f"{cloud.arm.url}/subscriptions?api-version=1", f"{cloud.vault.url}/secrets?api-version=7.5"):
        said = json.loads(curl(cloud, "-H", f"@{header}", place))
        assert said["error"]["code"] in ("InvalidAuthenticationToken", "Unauthorized")
