"""The managed-identity protocols: what Azure's own clients get of them, and what nobody can be talked into."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import aiohttp
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

from blastwall.connecting import managed_identity
from blastwall.connecting.managed_identity import APP_SERVICE, METADATA, ManagedIdentity
from blastwall.connecting.proofs import NoProof, Proof, Proofs

RESOURCE = "https://management.azure.com"
ASKED = {"api-version": "2019-08-01", "resource": RESOURCE}
OTHER_IDENTITIES = (
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "MSI_ENDPOINT",
    "MSI_SECRET",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "HTTP_PROXY",
    "http_proxy",
)


@dataclass
class Machine:
    """A machine with the protocols served on it; `asked` lists what the gateway was asked for."""

    http: aiohttp.ClientSession
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    fault: NoProof | None = None
    lifetime: float = 900.0
    made: list[ManagedIdentity] = field(default_factory=list)

    def tokens(self, resource: str) -> Proofs:
        async def fetch() -> Proof:
            self.asked.append(resource)
            if self.fault is not None:
                raise self.fault
            return Proof(f"token-{len(self.asked)}-for-{resource}", time.time() + self.lifetime)

        return Proofs(fetch)

    async def serve(
        self, *, header: str = "", names: tuple[str, ...] = (), open_metadata: bool = False, mine: bool = True
    ) -> ManagedIdentity:
        made = ManagedIdentity(
            self.tokens, header=header, names=names, open_metadata=open_metadata, mine=mine, said=self.said.append
        )
        await made.open("127.0.0.1", 0)
        self.made.append(made)
        return made

    async def get(
        self, url: str, headers: Mapping[str, str], params: Mapping[str, str] = ASKED
    ) -> tuple[int, dict[str, object]]:
        async with self.http.get(url, headers=headers, params=params) as response:
            return response.status, await response.json(content_type=None)


@pytest.fixture
async def machine(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machine]:
    for name in OTHER_IDENTITIES:
        monkeypatch.delenv(name, raising=False)
    async with aiohttp.ClientSession() as http:
        machine = Machine(http)
        yield machine
        for each in machine.made:
            await each.close()


# ── what Azure's clients do ──────────────────────────────────────────────────────────────────────────────────────────


async def test_the_sdks_managed_identity_by_app_service(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    served = await machine.serve()
    monkeypatch.setenv("IDENTITY_ENDPOINT", served.endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", served.header)
    async with DefaultAzureCredential() as credential:
        token = await credential.get_token(f"{RESOURCE}/.default")
    assert token.token == f"token-1-for-{RESOURCE}"
    assert 880 < token.expires_on - time.time() <= 900
    async with ManagedIdentityCredential(client_id="an identity that a real machine would have") as credential:
        assert (await credential.get_token(f"{RESOURCE}/.default")).token == token.token
    assert machine.asked == [RESOURCE], "one token serves until it is about to end"


@pytest.mark.parametrize("open_metadata", [False, True])
async def test_the_sdks_managed_identity_by_the_metadata_service(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, *, open_metadata: bool
) -> None:
    served = await machine.serve(open_metadata=open_metadata)
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", served.metadata)
    async with ManagedIdentityCredential() as credential:
        assert (await credential.get_token(f"{RESOURCE}/.default")).token == f"token-1-for-{RESOURCE}"


async def test_the_sdks_managed_identity_by_cloud_shell(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    served = await machine.serve()
    monkeypatch.setenv("MSI_ENDPOINT", served.cloud_shell)
    async with ManagedIdentityCredential() as credential:
        assert (await credential.get_token(f"{RESOURCE}/.default")).token == f"token-1-for-{RESOURCE}"


async def test_a_refusal_of_the_gateways_reaches_the_person(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.fault = NoProof("the gateway gives no token for x: AADSTS500011: nothing here")
    served = await machine.serve()
    monkeypatch.setenv("IDENTITY_ENDPOINT", served.endpoint)
    monkeypatch.setenv("IDENTITY_HEADER", served.header)
    async with ManagedIdentityCredential() as credential:
        with pytest.raises((ClientAuthenticationError, CredentialUnavailableError), match="AADSTS500011"):
            await credential.get_token(f"{RESOURCE}/.default")


async def test_a_passing_fault_is_told_from_a_refusal(machine: Machine) -> None:
    served = await machine.serve()
    shown = {"X-IDENTITY-HEADER": served.header}
    machine.fault = NoProof("refused")
    assert (await machine.get(served.endpoint, shown))[0] == 400
    machine.fault = NoProof("cannot be reached", passing=True)
    status, answer = await machine.get(served.endpoint, shown)
    assert (status, answer["error"], answer["message"]) == (503, "temporarily_unavailable", "cannot be reached")
    machine.fault = None
    assert (await machine.get(served.endpoint, shown))[0] == 200


async def test_a_token_about_to_end_is_replaced(machine: Machine) -> None:
    machine.lifetime = 0.0
    served = await machine.serve()
    for _ in range(2):
        await machine.get(served.endpoint, {"X-IDENTITY-HEADER": served.header})
    assert machine.asked == [RESOURCE, RESOURCE]


# ── what nobody can be talked into ───────────────────────────────────────────────────────────────────────────────────


async def test_without_the_unguessable_value_nothing_is_given(machine: Machine) -> None:
    served = await machine.serve()
    for headers in ({}, {"X-IDENTITY-HEADER": "guess"}, {"X-IDENTITY-HEADER": ""}, {"Metadata": "true"}):
        status, answer = await machine.get(served.endpoint, headers)
        assert (status, answer["error"]) == (401, "unauthorized_client")
    assert machine.asked == []


async def test_a_value_that_is_no_text_is_only_a_wrong_one(machine: Machine) -> None:
    served = await machine.serve()
    asked = f"GET {APP_SERVICE}?resource={RESOURCE} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nConnection: close\r\n"
    for value in (b"\xff\xfe", served.header.encode() + b"\xff", "ü".encode()):
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(asked.encode() + b"X-IDENTITY-HEADER: " + value + b"\r\n\r\n")
        answer = await reader.read()
        writer.close()
        assert answer.split()[1] in {b"400", b"401"}, answer
    assert machine.asked == []


async def test_the_metadata_service_wants_its_header_and_its_key(machine: Machine) -> None:
    served = await machine.serve()
    for headers in ({}, {"Metadata": "false"}):
        assert (await machine.get(served.metadata + METADATA, headers))[0] == 400
    for place in (served.root + METADATA, f"{served.root}/guess{METADATA}"):
        async with machine.http.get(place, headers={"Metadata": "true"}, params=ASKED) as response:
            assert response.status == 404
    async with machine.http.get(served.cloud_shell, headers={"Metadata": "true"}) as response:
        assert response.status == 405
    async with machine.http.post(served.cloud_shell, data={"resource": RESOURCE}) as response:
        assert response.status == 400
    assert machine.asked == []


async def test_a_request_for_another_host_is_refused(machine: Machine) -> None:
    """DNS rebinding: a page of evil.example whose name leads to loopback now, and what proxies do with names."""
    served = await machine.serve(open_metadata=True, names=("identity",))
    good = {"X-IDENTITY-HEADER": served.header, "Metadata": "true"}
    hosts = ("evil.example", f"evil.example:{served.port}", "127.0.0.1", "127.0.0.1:1", f"localhost.evil:{served.port}")
    for place in (served.endpoint, served.metadata + METADATA):
        for host in (*hosts, f"169.254.169.254:{served.port}", "", f"127.0.0.1:{served.port}:1", "identity"):
            assert (await machine.get(place, {**good, "Host": host}))[0] in {400, 403}, host
        for host in (f"localhost:{served.port}", f"Identity:{served.port}", f"[::1]:{served.port}"):
            assert (await machine.get(place, {**good, "Host": host}))[0] == 200, host


@pytest.mark.parametrize(
    "extra",
    [
        {"X-Forwarded-For": "10.0.0.1"},
        {"Forwarded": "for=10.0.0.1"},
        {"Via": "1.1 proxy"},
        {"Origin": "https://evil.example"},
        {"Referer": "https://evil.example/page"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_what_was_passed_on_or_comes_from_a_page_is_refused(machine: Machine, extra: dict[str, str]) -> None:
    served = await machine.serve(open_metadata=True)
    for place in (served.endpoint, served.metadata + METADATA):
        shown = {"X-IDENTITY-HEADER": served.header, "Metadata": "true", **extra}
        assert (await machine.get(place, shown))[0] == 403
    assert machine.asked == []


async def test_another_user_of_the_machine_is_refused(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managed_identity, "is_ours", lambda _connection: False)
    mine, shared = await machine.serve(), await machine.serve(mine=False)
    status, answer = await machine.get(mine.endpoint, {"X-IDENTITY-HEADER": mine.header})
    assert (status, answer["error_description"]) == (403, "this identity is another user's")
    assert "another user" in machine.said[0]
    assert (await machine.get(shared.endpoint, {"X-IDENTITY-HEADER": shared.header}))[0] == 200


@pytest.mark.parametrize("resource", ["", "a b", "ü", "x" * 3000, "line\nbreak"])
async def test_what_names_no_resource_is_refused(machine: Machine, resource: str) -> None:
    served = await machine.serve()
    status, _ = await machine.get(served.endpoint, {"X-IDENTITY-HEADER": served.header}, {"resource": resource})
    assert status == 400
    assert machine.asked == []


async def test_a_client_that_asks_for_all_sorts_of_things_fills_no_memory(machine: Machine) -> None:
    served = await machine.serve()
    for number in range(200):
        await machine.get(served.endpoint, {"X-IDENTITY-HEADER": served.header}, {"resource": f"https://r{number}"})
    assert len(served._kept) == 64


async def test_every_run_has_values_of_its_own(machine: Machine) -> None:
    one, two = await machine.serve(), await machine.serve()
    assert one.header != two.header
    assert one.metadata.rpartition("/")[2] != two.metadata.rpartition("/")[2]
    assert one.header not in one.metadata
    assert (await machine.get(two.root + APP_SERVICE, {"X-IDENTITY-HEADER": one.header}))[0] == 401
