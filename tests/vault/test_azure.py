"""Tokens and Key Vault secrets, by the real SDKs from a small faithful Azure."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from structlog.testing import capture_logs
from tests.waiting import SOON, promised

from blastwall.config.resource_settings import ResourceSettings
from blastwall.config.resources import scoped_by
from blastwall.gate.ports import CredentialUnavailable
from blastwall.model.credential import Credential
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Address, Resource
from blastwall.protocols.discover import discover
from blastwall.testing.azure import OTHER_TENANT, TENANT, AzureServer
from blastwall.testing.certificates import CertificateAuthority
from blastwall.vault import ConfiguredVault, Renewals
from blastwall.vault.azure_sources import KeyVaultSecret

T = TypeVar("T")
PG = Resource("pg-prod", "postgres", Address("db", 5432), ("shop",))
CI = Principal(PrincipalKind.AGENT, "shop-ci", "github", "repo:shop")
SECRET = "hunter2-from-the-vault"
APP = "33333333-3333-3333-3333-333333333333"
SCOPE = "https://ossrdbms-aad.database.windows.net/.default"


def resources(credential: dict[str, object]) -> list[ResourceSettings]:
    given = {"name": "pg-prod", "kind": "postgres", "listen": 15432, "upstream": {"host": "db"}}
    settings = ResourceSettings.model_validate({**given, "credential": {"user": "app", **credential}})
    return [scoped_by(settings, discover()["postgres"])]


async def shown(credential: dict[str, object]) -> Credential:
    return await ConfiguredVault(resources(credential)).credential(PG, None)


async def refused(credential: dict[str, object]) -> str:
    with pytest.raises(CredentialUnavailable) as caught:
        await shown(credential)
    return str(caught.value)


def keyvault(azure: AzureServer, ca: str, *, name: str = "pg", version: str = "", **keys: object) -> dict[str, object]:
    identity: dict[str, object] = {"ca": ca}
    given = keys.pop("identity", {})
    assert isinstance(given, dict)
    return {"password": {"keyvault": azure.secret_url(name, version), "identity": {**identity, **given}, **keys}}


def workload(azure: AzureServer, ca: str, folder: Path, **keys: object) -> dict[str, object]:
    file = folder / "federated-token"
    file.write_text("the-federated-token")
    azure.federated[APP] = "the-federated-token"
    return {
        "identity": "workload-identity",
        "tenant": TENANT,
        "client_id": APP,
        "token_file": str(file),
        "authority": azure.url,
        "ca": ca,
        **keys,
    }


class TestTokens:
    async def test_a_managed_identity_of_a_virtual_machine(self, azure: AzureServer) -> None:
        credential = await shown({"entra": "managed-identity"})
        assert (credential.user, credential.secret.decode(), credential.token) == ("app", azure.tokens[0], True)
        assert azure.requests == {"imds": 1}

    async def test_a_token_that_a_resource_refuses_is_made_anew_with_the_claims_that_it_asks_for(
        self, azure: AzureServer, ca: str, tmp_path: Path
    ) -> None:
        vault = ConfiguredVault(resources({"entra": workload(azure, ca, tmp_path)}))
        first = await vault.credential(PG, CI)
        second = await vault.renew(PG, CI, '{"access_token": {"nbf": {"essential": true, "value": "1604106651"}}}')
        assert first.secret != second.secret == (await vault.credential(PG, CI)).secret
        assert [("nbf" in claims) for claims in azure.claims] == [False, True]

    async def test_a_managed_identity_of_an_app_service(
        self, azure: AzureServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in azure.app_service.items():
            monkeypatch.setenv(name, value)
        assert (await shown({"entra": "managed-identity"})).secret.decode() == azure.tokens[0]
        assert azure.requests == {"app-service": 1}

    async def test_a_user_assigned_identity(self, azure: AzureServer) -> None:
        azure.identities.add(APP)
        assert (await shown({"entra": {"identity": "managed-identity", "client_id": APP}})).token
        said = await refused({"entra": {"client_id": "44444444-4444-4444-4444-444444444444"}})
        assert f"Entra token for {SCOPE} by managed-identity 44444444-4444-4444-4444-444444444444" in said
        assert "no identity is assigned" in said

    async def test_a_workload_identity_shows_its_federated_token(
        self, azure: AzureServer, ca: str, tmp_path: Path
    ) -> None:
        credential = await shown({"entra": workload(azure, ca, tmp_path)})
        assert credential.secret.decode() == azure.tokens[0]
        assert azure.assertions == ["the-federated-token"]

    async def test_a_workload_identity_of_the_environment(
        self, azure: AzureServer, ca: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = workload(azure, ca, tmp_path)
        monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
        monkeypatch.setenv("AZURE_CLIENT_ID", APP)
        monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(given["token_file"]))
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", azure.url)
        assert (await shown({"entra": {"identity": "workload-identity", "ca": ca, "authority": azure.url}})).token

    async def test_a_federated_token_that_nobody_trusts(self, azure: AzureServer, ca: str, tmp_path: Path) -> None:
        given = workload(azure, ca, tmp_path)
        azure.federated[APP] = "another"
        said = await refused({"entra": given})
        assert "correct it (AADSTS700213)" in said
        assert "the-federated-token" not in said

    async def test_a_client_secret(self, azure: AzureServer, ca: str, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text("s3cret")
        azure.client_secrets[APP] = "s3cret"
        given = {"identity": "client-secret", "tenant": TENANT, "client_id": APP, "secret": {"file": str(file)}}
        entra = {**given, "authority": azure.url, "ca": ca}
        assert (await shown({"entra": entra})).secret.decode() == azure.tokens[0]
        file.write_text("wr0ng")
        said = await refused({"entra": entra})
        assert "the client secret is wrong; give its value, not its id (AADSTS7000215)" in said
        assert "wr0ng" not in said
        entra["secret"] = {"file": str(tmp_path / "missing")}
        assert "missing cannot be read: No such file" in await refused({"entra": entra})
        entra["secret"] = {"file": str(file)}
        assert "there is no such tenant" in await refused({"entra": {**entra, "tenant": "contoso.example"}})

    async def test_a_client_certificate(self, azure: AzureServer, ca: str, tmp_path: Path) -> None:
        entra = {
            "identity": "client-certificate",
            "tenant": TENANT,
            "client_id": APP,
            "certificate": str(certificate(tmp_path)),
            "authority": azure.url,
            "ca": ca,
        }
        assert (await shown({"entra": entra})).secret.decode() == azure.tokens[0]

    async def test_a_scope_of_a_sovereign_cloud(self, azure: AzureServer, ca: str, tmp_path: Path) -> None:
        scope = "https://ossrdbms-aad.database.usgovcloudapi.net/.default"
        await shown({"entra": workload(azure, ca, tmp_path, scope=scope)})
        assert [one.audience for one in azure._tokens.values()] == [scope.removesuffix("/.default")]

    async def test_an_authority_that_cannot_be_verified(
        self, azure: AzureServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("blastwall.vault.renewal._PATIENCE", 0.3)
        other = tmp_path / "other"
        other.mkdir()
        said = await refused({"entra": workload(azure, str(CertificateAuthority().write(other)), tmp_path)})
        assert "its certificate does not hold" in said
        assert azure.requests["entra"] == 0

    async def test_a_federated_token_that_is_missing(self, azure: AzureServer, ca: str, tmp_path: Path) -> None:
        given = workload(azure, ca, tmp_path, token_file=str(tmp_path / "missing"))
        assert "a file of the identity's cannot be read" in await refused({"entra": given})


class TestKeyVault:
    async def test_a_secret_after_the_challenge(self, azure: AzureServer, ca: str) -> None:
        azure.put("pg", SECRET)
        credential = await shown(keyvault(azure, ca))
        assert (credential.secret.decode(), credential.token) == (SECRET, False)
        assert azure.requests["vault"] >= 1

    async def test_one_version(self, azure: AzureServer, ca: str) -> None:
        first = azure.put("pg", "first")
        azure.put("pg", "second")
        assert (await shown(keyvault(azure, ca))).secret == b"second"
        assert (await shown(keyvault(azure, ca, version=first.name))).secret == b"first"

    async def test_by_workload_identity(self, azure: AzureServer, ca: str, tmp_path: Path) -> None:
        azure.put("pg", SECRET)
        assert (await shown(keyvault(azure, ca, identity=workload(azure, ca, tmp_path)))).secret.decode() == SECRET

    async def test_another_tenant_than_the_vaults(self, azure: AzureServer, ca: str, tmp_path: Path) -> None:
        azure.put("pg", SECRET)
        given = workload(azure, ca, tmp_path, tenant=OTHER_TENANT)
        said = await refused(keyvault(azure, ca, identity=given))
        assert f"Key Vault secret {azure.secret_url('pg')} by workload-identity {APP}" in said
        assert "the vault is in another tenant than the identity" in said

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("disabled", "the secret is disabled; enable it, or name another one (SecretDisabled"),
            ("missing", "there is no such secret; make it, or correct the name (SecretNotFound)"),
            ("expired", "the secret has expired (`exp`); make a new version"),
            ("empty", "the secret is empty"),
            ("huge", "it is longer than 65536 bytes, so it is no password"),
        ],
    )
    async def test_a_secret_that_cannot_be_used(self, azure: AzureServer, ca: str, name: str, told: str) -> None:
        azure.put("disabled", SECRET, enabled=False)
        azure.put("expired", SECRET, expires=int(time.time()) - 1)
        azure.put("empty", "")
        azure.put("huge", SECRET * 4000)
        said = await refused(keyvault(azure, ca, name=name))
        assert told in said
        assert SECRET not in said

    async def test_an_identity_that_may_not_read(self, azure: AzureServer, ca: str) -> None:
        azure.put("pg", SECRET)
        azure.readers = {"somebody else"}
        assert "give it the role Key Vault Secrets User (ForbiddenByRbac" in await refused(keyvault(azure, ca))

    async def test_throttling_is_waited_for_and_no_more(self, azure: AzureServer, ca: str) -> None:
        azure.put("pg", SECRET)
        azure.throttle("vault", 1, 1)
        begun = time.monotonic()
        assert (await shown(keyvault(azure, ca))).secret.decode() == SECRET
        assert time.monotonic() - begun >= 1
        azure.throttle("vault", 5, 3600)
        assert "it is throttled (Throttled); it is asked again" in await refused(keyvault(azure, ca))

    async def test_a_vault_that_is_down_is_named(
        self, azure: AzureServer, ca: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("blastwall.vault.renewal._PATIENCE", 0.3)
        azure.put("pg", SECRET)
        with azure.outage("vault"):
            assert "it answers 503" in await refused(keyvault(azure, ca))
        azure.close()
        assert "cannot be reached" in await refused(keyvault(azure, ca))


class TestRenewal:
    """In the background, with short times: what a login finds, whatever Azure does meanwhile."""

    async def test_a_rotation_is_picked_up_within_the_configured_time(self, azure: AzureServer, ca: str) -> None:
        azure.put("pg", "old")
        renewals = Renewals()
        settings = resources(keyvault(azure, ca, refresh="200ms"))
        vault = ConfiguredVault(settings, renewals)
        renewals.keep(settings)
        assert (await vault.credential(PG, None)).secret == b"old"
        azure.put("pg", "new")
        await until(lambda: azure.requests["vault"] > 4)
        assert (await vault.credential(PG, None)).secret == b"new"
        await renewals.close()

    async def test_an_outage_goes_unnoticed_while_the_last_value_may_be_used(self, azure: AzureServer, ca: str) -> None:
        azure.put("pg", SECRET)
        renewals = Renewals()
        settings = resources(keyvault(azure, ca, refresh="100ms", stale="1h"))
        vault = ConfiguredVault(settings, renewals)
        renewals.keep(settings)
        await vault.credential(PG, None)
        with azure.outage("vault"), capture_logs() as logs:
            asked = azure.requests["vault"]
            await until(lambda: azure.requests["vault"] > asked)
            await until(lambda: any(log["event"] == "secret_not_renewed" for log in logs))
            assert at_once(vault.credential(PG, None)).secret.decode() == SECRET
        await renewals.close()
        assert SECRET not in str(logs)

    async def test_a_secret_that_is_withdrawn_is_not_used_any_more(self, azure: AzureServer, ca: str) -> None:
        version = azure.put("pg", SECRET)
        renewals = Renewals()
        settings = resources(keyvault(azure, ca, refresh="100ms", stale="1h"))
        vault = ConfiguredVault(settings, renewals)
        renewals.keep(settings)
        await vault.credential(PG, None)
        version.enabled = False
        with capture_logs() as logs:
            await until(lambda: any(log["event"] == "secret_not_renewed" for log in logs))
        with pytest.raises(CredentialUnavailable, match="disabled"):
            await vault.credential(PG, None)
        await renewals.close()

    async def test_a_token_is_renewed_before_its_end_and_no_login_waits(self, azure: AzureServer) -> None:
        azure.lifetime = int(min(promised(3), 20))
        renewals = Renewals()
        settings = resources({"entra": "managed-identity"})
        vault = ConfiguredVault(settings, renewals)
        renewals.keep(settings)
        await vault.credential(PG, None)
        async with asyncio.timeout(SOON):
            while azure.requests["imds"] < 3:
                found = at_once(vault.credential(PG, None))
                assert azure._tokens[found.secret.decode()].ends > time.time() - 1
                await asyncio.sleep(0.05)
        await renewals.close()

    async def test_a_token_that_cannot_be_renewed_is_used_to_its_end_and_not_beyond(
        self, azure: AzureServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("blastwall.vault.renewal._PATIENCE", 0.3)
        azure.lifetime = int(min(promised(3), 20))
        vault = ConfiguredVault(resources({"entra": "managed-identity"}))
        first = await vault.credential(PG, None)
        with azure.outage("imds"):
            assert await vault.credential(PG, None) == first
            await until(lambda: azure._tokens[first.secret.decode()].ends <= time.time())
            with pytest.raises(CredentialUnavailable, match="it answers 503"):
                await vault.credential(PG, None)

    async def test_a_secret_is_not_used_beyond_its_own_expiry(self, azure: AzureServer, ca: str) -> None:
        expires = int(time.time()) + 60
        azure.put("pg", SECRET, expires=expires)
        (source,) = resources(keyvault(azure, ca, refresh="5m", stale="24h"))[0].credentials
        assert source.password is not None
        lease = await KeyVaultSecret(source.password).fetch()
        assert lease.ends == expires

    async def test_what_the_configuration_has_no_more_is_not_renewed(self, azure: AzureServer, ca: str) -> None:
        azure.put("pg", SECRET)
        renewals = Renewals()
        settings = resources(keyvault(azure, ca, refresh="50ms"))
        ConfiguredVault(settings, renewals)
        renewals.keep(settings)
        await until(lambda: azure.requests["vault"] > 2)
        renewals.keep([])
        asked = 0
        async with asyncio.timeout(SOON):
            while asked < azure.requests["vault"]:
                asked = azure.requests["vault"]
                await asyncio.sleep(0.5)

    async def test_many_logins_ask_once(self, azure: AzureServer) -> None:
        vault = ConfiguredVault(resources({"entra": "managed-identity"}))
        found = await asyncio.gather(*(vault.credential(PG, None) for _ in range(20)))
        assert len({one.secret for one in found}) == 1
        assert azure.requests == {"imds": 1}

    async def test_a_reload_asks_for_nothing_that_is_known(self, azure: AzureServer) -> None:
        renewals = Renewals()
        for _ in range(3):
            settings = resources({"entra": "managed-identity"})
            vault = ConfiguredVault(settings, renewals)
            renewals.keep(settings)
            await vault.credential(PG, None)
        assert azure.requests == {"imds": 1}
        await renewals.close()


async def test_nothing_shows_a_secret(azure: AzureServer, ca: str, caplog: pytest.LogCaptureFixture) -> None:
    azure.put("pg", SECRET)
    with caplog.at_level(logging.DEBUG), capture_logs() as logs:
        token: dict[str, object] = {"entra": "managed-identity"}
        for credential in (keyvault(azure, ca), token):
            vault = ConfiguredVault(resources(credential))
            found = await vault.credential(PG, None)
            for one in (SECRET, *azure.tokens):
                assert one not in f"{found!r} {vault.__dict__!r} {logs} {caplog.text}"


def certificate(folder: Path) -> Path:
    """A certificate of its own with its key, in one PEM file."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "the gateway")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = folder / "client.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


def at_once(asked: Coroutine[object, object, T]) -> T:
    """What comes of asking for something that is there: whoever had to wait, however shortly, would not have it."""
    try:
        asked.send(None)
    except StopIteration as done:
        found: T = done.value
        return found
    raise AssertionError("it has to be waited for")


async def until(holds: object, seconds: float = 60) -> None:
    """Wait until a condition holds."""
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it does not come to hold"
        await asyncio.sleep(0.02)
