"""A storage account behind the gateway, which signs with the account's key: a real Azurite checks the signatures."""

from __future__ import annotations

import base64
import secrets
import string
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import create_default_context
from typing import Protocol, cast

import pytest
from azure.core import MatchConditions
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.storage.blob import (
    BlobClient,
    BlobServiceClient,
    ContainerClient,
    ContentSettings,
    ResourceTypes,
    generate_account_sas,
)
from tests.recordings import words
from tests.waiting import eventually

from blastwall.testing.azurite import ACCOUNT, KEY, Azurite
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer

OLD_KEY = base64.b64encode(bytes(range(64))).decode()
ODD = "2026/a b+c%41~é'()!*,;=@&#?.pdf"

POLICIES = """
@id("ci-uses-files")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read", Action::"create", Action::"update",
        Action::"define", Action::"delete", Action::"export"], resource in Resource::"files");
@id("nobody-reads-private-folders")
forbid (principal, action, resource in Object::"files/blob/shop/private");
@id("ci-uses-the-other")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read"], resource in Resource::"locked-out");
"""


@dataclass
class Shown:
    """Shows one token, whatever it is asked for."""

    token: str

    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken(self.token, int(time.time()) + 600)


class MakesSas(Protocol):
    """A function of the SDK's, which has no types."""

    def __call__(self, account: str, key: str, types: ResourceTypes, rights: str, expiry: datetime) -> str: ...


@dataclass
class Files:
    gateway: Gateway
    azurite: Azurite
    issuer: DevIssuer
    ca: Path

    def token(self) -> str:
        return self.issuer.token("ci", claims={"repository_id": "42"})

    def url(self, resource: str = "files") -> str:
        return f"https://localhost:{self.gateway.port(resource)}/{ACCOUNT}"

    def client(self, resource: str = "files", most: int = 64 << 20) -> BlobServiceClient:
        """A client that uploads what is larger than `most` bytes in blocks of a mebibyte."""
        return BlobServiceClient(
            self.url(resource),
            Shown(self.token()),
            connection_verify=str(self.gateway.ca),
            retry_total=0,
            max_single_put_size=most,
            max_block_size=1 << 20,
        )

    def direct(self, container: str, name: str) -> bytes:
        """What Azurite itself holds."""
        client = BlobClient(self.azurite.url, container, name, credential=KEY, connection_verify=str(self.ca))
        return client.download_blob().readall()

    def recorded(self) -> str:
        return words(self.gateway)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Files]:
    folder = tmp_path_factory.mktemp("files")
    authority = CertificateAuthority("Storage's CA")
    ca = authority.write(folder)

    def resource(name: str, port: int, key: str) -> dict[str, object]:
        return {
            "name": name, "kind": "azure-blob", "upstream": {"host": "localhost", "port": port, "ca": str(ca)},
            "credential": {"user": ACCOUNT, "password": {"env": key}}, "settings": {"account": ACCOUNT},
        }  # fmt: skip

    with DevIssuer() as issuer, Azurite(authority) as azurite:
        configuration = {
            "issuers": [{"name": "ci", "issuer": issuer.url, "audience": issuer.audience}],
            "agents": [{"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"]}],
            "resources": [
                resource("files", azurite.port, "STORAGE_KEY"),
                resource("locked-out", azurite.port, "OLD_KEY"),
            ],
            "policies": ["*.cedar"],
            "packs": [{"azure-blob": {"except": ["azure-blob-deletes", "azure-blob-copies"]}}],
        }
        environment = {"STORAGE_KEY": KEY, "OLD_KEY": OLD_KEY}
        with Gateway(
            configuration, policies={"p.cedar": POLICIES}, environment=environment, folder=folder / "gateway"
        ) as gateway:
            yield Files(gateway, azurite, issuer, ca)


@pytest.fixture
def container(files: Files) -> ContainerClient:
    """One of the test's own. Its name has no digits: seven in a row, in a refused text, could be a telephone's."""
    name = "".join(secrets.choice(string.ascii_lowercase) for _ in range(12))
    return files.client().create_container(name, metadata={"a1": "x", "a_": "y"})


def test_signatures_hold_for_whatever_a_name_or_field_has_in_it(files: Files, container: ContainerClient) -> None:
    blob = container.upload_blob(
        ODD,
        b"hello",
        metadata={"b": "two  spaces", "a_1": "x"},
        content_settings=ContentSettings("text/plain", None, "en"),
    )
    assert files.direct(container.container_name, ODD) == b"hello"
    assert blob.download_blob(offset=1, length=3).readall() == b"ell"
    assert [one.name for one in container.list_blobs(name_starts_with="2026/a b+")] == [ODD]
    assert blob.get_blob_properties().metadata == {"b": "two  spaces", "a_1": "x"}
    blob.upload_blob(
        b"again", overwrite=True, etag=blob.get_blob_properties().etag, match_condition=MatchConditions.IfNotModified
    )
    with pytest.raises(ResourceExistsError):
        blob.upload_blob(b"never")
    assert files.direct(container.container_name, ODD) == b"again"


def test_blocks_are_signed_by_their_length(files: Files, container: ContainerClient) -> None:
    content = secrets.token_bytes(5 << 20)
    container.upload_blob("blocks.bin", content, max_concurrency=2)
    blob = files.client(most=1 << 20).get_blob_client(container.container_name, "small.bin")
    blob.upload_blob(content)
    assert files.direct(container.container_name, "small.bin") == content


def test_a_batch_gets_a_signature_in_each_part(files: Files, container: ContainerClient) -> None:
    for name in ("a", "b", "keep"):
        container.upload_blob(name, b"x")
    assert [one.status_code for one in container.delete_blobs("a", "b")] == [202, 202]
    assert [one.name for one in container.list_blobs()] == ["keep"]


def test_a_copy_is_named_as_the_account_knows_it(files: Files, container: ContainerClient) -> None:
    source = container.upload_blob("source", b"copied")
    target = container.get_blob_client("target")
    target.start_copy_from_url(source.url)
    assert files.direct(container.container_name, "target") == b"copied"
    assert target.get_blob_properties().copy.source == source.url


def test_a_folder_that_is_forbidden_is_reached_by_no_way(files: Files) -> None:
    service = files.client()
    shop = service.get_container_client("shop")
    shop.create_container()
    direct = BlobClient(files.azurite.url, "shop", "private/key", credential=KEY, connection_verify=str(files.ca))
    direct.upload_blob(b"hush")
    public = shop.upload_blob("public/a", b"x")
    attempts: list[Callable[[], object]] = [
        lambda: shop.download_blob("private/key"),
        lambda: shop.download_blob("public/../private/key"),
        lambda: shop.upload_blob("private/new", b"x"),
        lambda: shop.delete_blobs("public/a", "private/key"),
        lambda: public.start_copy_from_url(f"{files.url()}/shop/private/key"),
        lambda: public.start_copy_from_url(f"{files.azurite.url}/shop/private/key"),
        lambda: public.upload_blob_from_url(f"{files.url()}/shop/public%2F..%2Fprivate/key", overwrite=True),
    ]
    for attempt in attempts:
        with pytest.raises(HttpResponseError) as refused:
            attempt()
        assert refused.value.status_code in (400, 403), attempt
    for path in ("/shop/public%2F..%2Fprivate/key", "/shop/private%2fkey", "/shop//private/key", "/shop/%70rivate/key"):
        assert get(files, path) in (400, 403)
    assert public.download_blob().readall() == b"x"


def get(files: Files, path: str) -> int:
    request = urllib.request.Request(
        files.url() + path, headers={"Authorization": f"Bearer {files.token()}", "x-ms-date": "x"}
    )
    try:
        with urllib.request.urlopen(
            request, context=create_default_context(cafile=str(files.gateway.ca)), timeout=30
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_signature_of_the_clients_own_is_refused_and_recorded_without_it(
    files: Files, container: ContainerClient
) -> None:
    container.upload_blob("a", b"x")
    soon = datetime.now(UTC) + timedelta(hours=1)
    sas = cast("MakesSas", generate_account_sas)(ACCOUNT, KEY, ResourceTypes(object=True), "r", soon)
    assert get(files, f"/{container.container_name}/a?{sas}") == 403
    signature = sas.partition("sig=")[2].partition("&")[0]
    eventually(lambda: f"{container.container_name}/a?" in files.recorded(), "the refusal is recorded")
    assert signature not in files.recorded()


def test_the_accounts_key_is_nowhere_and_an_old_one_is_the_gateways_fault(files: Files) -> None:
    with pytest.raises(HttpResponseError) as refused:
        list(files.client("locked-out").list_containers())
    assert refused.value.status_code == 502
    assert "locked-out" in str(refused.value)
    everything = files.recorded() + files.gateway.log + str(refused.value)
    assert KEY not in everything
    assert OLD_KEY not in everything


def test_a_users_delegation_key_is_refused_as_the_service_would(files: Files) -> None:
    with pytest.raises(
        HttpResponseError, match="keys that sign shared access signatures are not handed out"
    ) as refused:
        files.client().get_user_delegation_key(datetime.now(UTC), datetime.now(UTC) + timedelta(hours=1))
    assert (refused.value.status_code, "AuthorizationPermissionMismatch" in str(refused.value)) == (403, True)
