"""Blob storage through the gateway, before a real Azurite: the SDK works unmodified, whatever is moved and how much."""

from __future__ import annotations

import hashlib
import secrets
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobBlock, BlobServiceClient, ContainerClient
from tests.azure.world import FILES, World

from blastwall.testing.azurite import ACCOUNT

GIB = 1 << 30
FLAT = 40 << 10
"""KiB that the gateway may grow by while a gibibyte passes, whose parts are larger."""


@pytest.fixture
def service(world: World) -> Iterator[BlobServiceClient]:
    with BlobServiceClient(
        f"{world.url(FILES)}/{ACCOUNT}", world.shown(), connection_verify=str(world.gateway.ca)
    ) as service:
        yield service


@pytest.fixture
def container(service: BlobServiceClient) -> ContainerClient:
    return service.create_container("".join(secrets.choice(string.ascii_lowercase) for _ in range(12)))


class TestSdk:
    def test_a_blobs_whole_life(self, world: World, container: ContainerClient) -> None:
        container.upload_blob("reports/2026/a b+c%.txt", b"hello", metadata={"by": "ci"})
        container.upload_blob("other.txt", b"other")
        assert [blob.name for blob in container.list_blobs()] == ["other.txt", "reports/2026/a b+c%.txt"]
        assert container.download_blob("reports/2026/a b+c%.txt").readall() == b"hello"
        assert container.get_blob_client("reports/2026/a b+c%.txt").get_blob_properties().metadata == {"by": "ci"}
        container.delete_blob("other.txt")
        assert [blob.name for blob in container.list_blobs()] == ["reports/2026/a b+c%.txt"]
        judged = {one.operation: one.effects for one in world.recorded() if container.container_name in one.text}
        assert ("delete",) in judged.values()
        assert all(one.verdict == "allow" for one in world.recorded() if container.container_name in one.text)

    def test_an_upload_in_blocks(self, container: ContainerClient) -> None:
        content = secrets.token_bytes(9 << 20)
        blob = container.upload_blob("blocks.bin", content, max_concurrency=2, length=len(content))
        assert blob.download_blob(max_concurrency=2).readall() == content

    def test_a_user_delegation_key_is_refused(self, world: World, service: BlobServiceClient) -> None:
        from datetime import UTC, datetime, timedelta

        now = datetime.now(UTC)
        with pytest.raises(HttpResponseError) as caught:
            service.get_user_delegation_key(now, now + timedelta(hours=1))
        assert caught.value.status_code == 403

    def test_azurite_sees_the_gateways_token_alone(self, world: World, container: ContainerClient) -> None:
        """Azurite takes any token of Entra's form with the right audience; the agent's would be refused."""
        container.upload_blob("a", b"a")
        assert any(
            granted.audience.startswith("https://storage.azure.com")
            for token in world.azure.tokens
            if (granted := world.azure.made(token)) is not None
        )


def test_a_gibibyte_streams_and_memory_stays_flat(world: World, container: ContainerClient, tmp_path: Path) -> None:
    """In one answer; and what it is made of in one request. The blob is one block, many times over."""
    block, count = secrets.token_bytes(64 << 20), GIB >> 26
    blob = container.get_blob_client("big.bin")
    blob.stage_block("one-block", block[: 1 << 20])
    before = memory(world.gateway.pid)
    blob.stage_block("one-block", block)
    blob.commit_block_list(count * [BlobBlock("one-block")])
    status, digest = world.sha256(f"{world.url(FILES)}/{ACCOUNT}/{container.container_name}/big.bin")
    assert status == 200
    wanted = hashlib.sha256()
    for _ in range(count):
        wanted.update(block)
    assert digest == wanted.hexdigest()
    assert memory(world.gateway.pid) - before < FLAT


def memory(process: int) -> int:
    """The most that the process has held, in KiB."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
