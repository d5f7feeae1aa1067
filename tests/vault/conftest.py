"""A small Azure that the real SDKs talk to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from blastwall.testing.azure import AzureServer
from blastwall.testing.certificates import CertificateAuthority


@pytest.fixture(scope="session")
def authority() -> CertificateAuthority:
    return CertificateAuthority("Blastwall throw-away Azure CA")


@pytest.fixture(scope="session")
def ca(authority: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("azure-ca")
    return str(authority.write(folder))


@pytest.fixture
def azure(authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureServer]:
    """Azure, as the managed identity of a virtual machine reaches it."""
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "AZURE_TENANT_ID", "AZURE_CLIENT_ID"):
        monkeypatch.delenv(name, raising=False)
    with AzureServer(authority) as server:
        for name, value in server.virtual_machine.items():
            monkeypatch.setenv(name, value)
        yield server
