"""Whatever Microsoft's own client of blob storage sends is classified, for what it is."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import NoReturn, cast
from urllib.parse import urlsplit

import pytest
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import HttpRequest, HttpResponse, HttpTransport
from azure.storage.blob import (
    BlobBlock,
    BlobClient,
    BlobLeaseClient,
    BlobServiceClient,
    ContainerClient,
    ContentSettings,
    CustomerProvidedEncryptionKey,
    ImmutabilityPolicy,
    Metrics,
    RehydratePriority,
    StandardBlobTier,
)

from blastwall.model.credential import Credential
from blastwall.model.resource import Address, Resource
from blastwall.protocols.http.blob import FLAVOUR
from blastwall.protocols.http.request import Headers, Request
from blastwall.protocols.http.tests.requests import told

BLOBS = Resource("shop-files", "azure-blob", Address("shopfiles.blob.core.windows.net", 443))
URL = "https://shop.gw.example"
OTHER = f"{URL}/old/b"
NOW = datetime(2026, 11, 26, tzinfo=UTC)
HELD = ImmutabilityPolicy(expiry_time=NOW, policy_mode="Unlocked")
A = "blob/shop/2026/a b.pdf"


class Seen(Exception):
    """What the client would have sent."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request


class Wire(HttpTransport[HttpRequest, HttpResponse]):
    """Raises each request instead of sending it."""

    def open(self) -> None: ...

    def close(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def send(self, request: HttpRequest, **_: object) -> NoReturn:
        mark, query = request.url.partition("?")[1:]
        url = urlsplit(request.url)
        body = request.body if isinstance(request.body, bytes) else None
        headers = Headers(cast("Iterable[tuple[str, str]]", request.headers.items()))
        raise Seen(Request(request.method, url.netloc, url.path or "/", query if mark else None, headers, body))


class Token:
    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken("gateway-token", 1 << 40)


SERVICE = BlobServiceClient(URL, credential=Token(), transport=Wire(), retry_total=0)
SHOP = SERVICE.get_container_client("shop")
BLOB = SHOP.get_blob_client("2026/a b.pdf")
LEASE = BlobLeaseClient(BLOB, "00000000-0000-0000-0000-000000000000")

Call = Callable[[], object]


def service(client: BlobServiceClient) -> list[tuple[Call, str]]:
    return [
        (lambda: list(client.list_containers(include_metadata=True)), "read blob"),
        (client.get_account_information, "read blob"),
        (client.get_service_properties, "read blob"),
        (client.get_service_stats, "read blob"),
        (lambda: client.set_service_properties(hour_metrics=Metrics()), "admin blob"),
        (lambda: client.get_user_delegation_key(NOW, NOW), "reveal blob"),
        (lambda: list(client.find_blobs_by_tags("a='b'")), "read blob"),
        (lambda: client.undelete_container("shop", "1"), "define blob/shop"),
    ]


def container(client: ContainerClient) -> list[tuple[Call, str]]:
    return [
        (lambda: client.create_container(metadata={"a": "b"}), "define blob/shop"),
        (lambda: client.create_container(public_access="blob"), "define blob/shop; entitle blob/shop"),
        (client.delete_container, "drop blob/shop"),
        (lambda: list(client.list_blobs(name_starts_with="a/", include=["metadata", "versions"])), "read blob/shop"),
        (lambda: list(client.walk_blobs()), "read blob/shop"),
        (lambda: list(client.list_blob_names()), "read blob/shop"),
        (client.get_container_properties, "read blob/shop"),
        (client.get_container_access_policy, "read blob/shop"),
        (client.exists, "read blob/shop"),
        (lambda: client.set_container_metadata({"a": "b"}), "update blob/shop"),
        (lambda: client.set_container_access_policy({}), "entitle blob/shop"),
        (client.acquire_lease, "update blob/shop"),
        (lambda: list(client.find_blobs_by_tags("a='b'")), "read blob/shop"),
        (lambda: client.delete_blobs("a", "x/b c"), "delete blob/shop/a; delete blob/shop/x/b c"),
        (lambda: client.set_standard_blob_tier_blobs("Cool", "a", "b"), "update blob/shop/a; update blob/shop/b"),
    ]


def blob(client: BlobClient) -> list[tuple[Call, str]]:
    both, copies = f"create {A}; update {A}", f"create {A}; update {A}; read blob/old/b"
    return [
        (lambda: client.upload_blob(b"x"), f"create {A}"),
        (lambda: client.upload_blob(b"x", overwrite=True), both),
        (lambda: client.upload_blob(io.BytesIO(b"x" * 512), blob_type="PageBlob", length=512), f"create {A}"),
        (
            lambda: client.upload_blob(
                b"x", overwrite=True, tags={"a": "b"}, metadata={"a": "b"}, standard_blob_tier=StandardBlobTier.COOL,
                validate_content=True, if_tags_match_condition="a='b'", cpk=CustomerProvidedEncryptionKey("a", "b"),
            ),
            both,
        ),
        (lambda: client.upload_blob(b"x", overwrite=True, legal_hold=True), f"{both}; admin {A}"),
        (lambda: client.upload_blob(b"x", overwrite=True, immutability_policy=HELD), f"{both}; admin {A}"),
        (client.download_blob, f"read {A}"),
        (lambda: client.download_blob(offset=1, length=5, version_id="2026"), f"read {A}"),
        (client.get_blob_properties, f"read {A}"),
        (client.get_blob_tags, f"read {A}"),
        (client.get_account_information, "read blob"),
        (lambda: client.query_blob("SELECT * from BlobStorage"), f"read {A}"),
        (lambda: client.delete_blob("include"), f"delete {A}"),
        (client.undelete_blob, f"create {A}"),
        (lambda: client.set_http_headers(ContentSettings(content_type="a/b")), f"update {A}"),
        (lambda: client.set_blob_metadata({"a": "b"}), f"update {A}"),
        (lambda: client.set_blob_tags({"a": "b"}), f"update {A}"),
        (lambda: client.set_standard_blob_tier("Cool", rehydrate_priority=RehydratePriority.HIGH), f"update {A}"),
        (client.create_snapshot, f"create {A}"),
        (lambda: client.stage_block("x", b"d"), f"create {A}"),
        (lambda: client.stage_block_from_url("x", OTHER), f"create {A}; read blob/old/b"),
        (lambda: client.commit_block_list([BlobBlock("x")]), both),
        (client.get_block_list, f"read {A}"),
        (lambda: client.start_copy_from_url(OTHER), copies),
        (lambda: client.start_copy_from_url(OTHER, requires_sync=True, source_authorization="Bearer t"), copies),
        (lambda: client.start_copy_from_url(OTHER, incremental_copy=True), copies),
        (lambda: client.start_copy_from_url("https://evil.example/c/b"), f"{both}; export blob"),
        (lambda: client.upload_blob_from_url(OTHER, overwrite=True, source_authorization="Bearer t"), copies),
        (lambda: client.abort_copy("x"), f"update {A}"),
        (lambda: client.acquire_lease(15), f"update {A}"),
        (LEASE.renew, f"update {A}"),
        (LEASE.break_lease, f"admin {A}"),
        (client.create_append_blob, both),
        (lambda: client.append_block(b"x"), f"update {A}"),
        (lambda: client.append_block_from_url(OTHER), f"update {A}; read blob/old/b"),
        (client.seal_append_blob, f"update {A}"),
        (lambda: client.create_page_blob(512), both),
        (lambda: client.upload_page(b"x" * 512, 0, 512), f"update {A}"),
        (lambda: client.clear_page(0, 512), f"update {A}"),
        (lambda: client.upload_pages_from_url(OTHER, 0, 512, 0), f"update {A}; read blob/old/b"),
        (lambda: client.resize_blob(1024), f"update {A}"),
        (lambda: list(client.list_page_ranges()), f"read {A}"),
        (lambda: client.set_immutability_policy(HELD), f"admin {A}"),
        (client.delete_immutability_policy, f"admin {A}"),
        (lambda: client.set_legal_hold(True), f"admin {A}"),
    ]  # fmt: skip


@pytest.mark.parametrize(("call", "effects"), [*service(SERVICE), *container(SHOP), *blob(BLOB)])
def test_what_the_client_asks_for_is_what_is_judged(call: Call, effects: str) -> None:
    with pytest.raises(Seen) as seen:
        call()
    judged = FLAVOUR.judge(seen.value.request, BLOBS)
    assert (told(judged.effects), judged.doubt) == (effects, "")
    token = Credential("", b"azure-token", token=True)
    body = FLAVOUR.body(seen.value.request, BLOBS, token) or b""
    sent = FLAVOUR.authorise(seen.value.request, BLOBS, token)
    assert b"gateway-token" not in body
    assert "gateway-token" not in str(list(sent))
