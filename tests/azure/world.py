"""A gateway between an agent and a small Azure: Resource Manager, a vault and Azurite, on one port by host name."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from azure.core.credentials import AccessToken
from tests.recordings import settled
from tests.waiting import eventually

from blastwall.model.events import Event, StatementAsked, StatementFinished, StatementRuled
from blastwall.testing.arm import ArmServer
from blastwall.testing.arm_estate import SUBSCRIPTION
from blastwall.testing.az import SUFFIX
from blastwall.testing.azure import AzureServer
from blastwall.testing.azurite import ACCOUNT, Azurite
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.keyvault import KeyVaultServer
from blastwall.testing.ports import free_port
from blastwall.testing.servers import find_program

ARM = f"arm{SUFFIX}"
VAULT = f"shop.vault{SUFFIX}"
FILES = f"shop.blob{SUFFIX}"
SECRET = "the-value-of-the-vaults-own-secret"
GROUPS = ("backup", "data", "shop", "web")

BLOBS_GO = {"azure-blob": {"except": ["azure-blob-deletes"]}}
PACKS: list[object] = ["azure-arm", "azure-keyvault", BLOBS_GO]
SECRETS_OPEN: list[object] = ["azure-arm", {"azure-keyvault": {"except": ["azure-keyvault-reveal"]}}, BLOBS_GO]
"""The pack's word on a vault's secrets is left out: policy alone says who reads them."""

POLICIES = f"""
@id("ci-reads-azure")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read"],
        resource in Subscription::"/subscriptions/{SUBSCRIPTION}")
when {{ context.plane == "control" }};

@id("ci-uses-resource-manager")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read"], resource in Resource::"arm");

@id("ci-works-in-shop-and-web")
permit (principal in Group::"ci",
        action in [Action::"create", Action::"update", Action::"define", Action::"delete", Action::"drop"],
        resource in ResourceGroup::"/subscriptions/{SUBSCRIPTION}/resourcegroups/shop")
when {{ context.plane == "control" }};

@id("ci-works-in-web")
permit (principal in Group::"ci",
        action in [Action::"create", Action::"update", Action::"define", Action::"delete", Action::"drop"],
        resource in ResourceGroup::"/subscriptions/{SUBSCRIPTION}/resourcegroups/web")
when {{ context.plane == "control" }};

@id("ci-uses-files")
permit (principal in Group::"ci",
        action in [Action::"connect", Action::"read", Action::"create", Action::"update", Action::"define"],
        resource in Resource::"files");

@id("ci-deletes-blobs")
permit (principal in Group::"ci", action == Action::"delete", resource in Resource::"files");

@id("ci-lists-the-vault")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read"], resource in Resource::"vault");

@id("ci-reads-one-secret")
permit (principal in Group::"cleared", action == Action::"reveal", resource in Resource::"vault");
"""


@dataclass(frozen=True)
class Shown:
    """A credential of the SDKs that shows one token, whatever it is asked for."""

    token: str

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken(self.token, int(time.time()) + 600)


@dataclass(frozen=True)
class Asked:
    """What the recording says of one request."""

    principal: str
    operation: str
    text: str
    effects: tuple[str, ...]
    verdict: str
    status: str


@dataclass
class World:
    """The running servers, and the clients' view of the gateway."""

    gateway: Gateway
    issuer: DevIssuer
    azure: AzureServer
    arm: ArmServer
    vault: KeyVaultServer
    azurite: Azurite
    folder: Path

    @property
    def port(self) -> int:
        return self.gateway.port("arm")

    def url(self, host: str) -> str:
        return f"https://{host}:{self.port}"

    def token(self, repository: str = "42", **claims: object) -> str:
        return self.issuer.token("ci", claims={"repository_id": repository, **claims})

    def shown(self, repository: str = "42") -> Shown:
        return Shown(self.token(repository))

    def curl(self, url: str, *arguments: str, token: str | None = None) -> tuple[int, str]:
        """Return the status and the body, with the headers before it where `-i` is among the arguments."""
        header = self.folder / "header"
        shown = self.token() if token is None else token
        header.write_text(f"Authorization: Bearer {shown}\n" if shown else "X-Nothing: 1\n")
        command = [
            str(find_program("curl", "curl")), "-sS", "--cacert", str(self.gateway.ca), "--max-time", "60",
            "--connect-to", f"::127.0.0.1:{self.port}", "-H", f"@{header}", "-w", "\n%{http_code}", *arguments, url,
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
        assert done.returncode == 0, done.stderr
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body

    def sha256(self, url: str) -> tuple[int, str]:
        """GET with curl, and return the status and the body's digest: it is read as it comes and kept nowhere."""
        header = self.folder / "header-for-a-stream"
        header.write_text(f"Authorization: Bearer {self.token()}\n")
        command = [
            str(find_program("curl", "curl")), "-sS", "--cacert", str(self.gateway.ca), "-o", "-", "--fail",
            "--connect-to", f"::127.0.0.1:{self.port}", "-H", f"@{header}", url,
        ]  # fmt: skip
        digest = hashlib.sha256()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            while data := process.stdout.read(1 << 20):
                digest.update(data)
            return (200 if process.wait(60) == 0 else process.returncode), digest.hexdigest()

    @contextmanager
    def line(self, host: str) -> Iterator[ssl.SSLSocket]:
        """Open a connection to the gateway that says what a test writes."""
        context = ssl.create_default_context(cafile=str(self.gateway.ca))
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname=host) as line,
        ):
            yield line

    def person(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, object]]:
        """Call the API as dora, who approves."""
        request = urllib.request.Request(
            f"{self.gateway.control_url}/api/v1{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.issuer.token('dora', claims={'oid': 'd0'})}"}
            | ({} if body is None else {"Content-Type": "application/json"}),
            method=method,
        )
        status, text = self.gateway.request(request)
        return status, json.loads(text)

    def waiting(self) -> dict[str, object]:
        """The request that waits, once there is one."""

        def listed() -> object:
            status, page = self.person("GET", "/approvals?state=waiting")
            assert status == 200, page
            return page["items"]

        found = eventually(listed, "a request waits")
        assert isinstance(found, list)
        assert len(found) == 1
        one = found[0]
        assert isinstance(one, dict)
        return one

    def approve(self) -> dict[str, object]:
        """Approve what waits, and return it."""
        request = self.waiting()
        status, said = self.person("POST", f"/approvals/{request['id']}/approve", {"comment": "good"})
        assert status == 200, said
        return request

    def recorded(self) -> list[Asked]:
        """Every request in the recordings, with its ruling and how it ended; in no order that tests may count on."""
        return [one for summary, events in settled(self.gateway) for one in _asked(summary.principal, events)]


def _asked(principal: str, events: list[Event]) -> Iterator[Asked]:
    ruled = {event.number: event for event in events if isinstance(event, StatementRuled)}
    ended = {event.number: event for event in events if isinstance(event, StatementFinished)}
    for event in events:
        if isinstance(event, StatementAsked):
            verdict = ruled[event.number].ruling.decision.name.lower() if event.number in ruled else ""
            status = ended[event.number].status if event.number in ended else ""
            effects = tuple(f"{effect.action}" for effect in event.effects)
            yield Asked(principal, event.operation, event.text, effects, str(verdict), status)


def configuration(world_ca: Path, issuer: DevIssuer, arm: int, vault: int, files: int) -> dict[str, object]:
    listen = free_port()

    def resource(name: str, kind: str, host: str, port: int, **more: object) -> dict[str, object]:
        return {
            "name": name, "kind": kind, "listen": listen, "hosts": [host],
            "upstream": {"host": "localhost", "port": port, "ca": str(world_ca)},
            "credential": {"entra": "managed-identity"}, "record": {"results": "masked"}, **more,
        }  # fmt: skip

    return {
        "issuers": [{"name": "ci", "issuer": issuer.url, "audience": issuer.audience}],
        "agents": [
            {"name": "shop-ci", "issuer": "ci", "match": {"repository_id": "42"}, "groups": ["ci"]},
            {"name": "cleared-ci", "issuer": "ci", "match": {"repository_id": "43"}, "groups": ["ci", "cleared"]},
        ],
        "users": [{"name": "dora", "issuer": "ci", "match": {"oid": "d0"}, "groups": ["approvers"]}],
        "resources": [
            resource("arm", "azure-arm", ARM, arm),
            resource("vault", "azure-keyvault", VAULT, vault),
            resource("files", "azure-blob", FILES, files, settings={"account": ACCOUNT}),
        ],
        "policies": ["*.cedar"],
        "control": {"roles": {"approver": ["approvers"]}},
        "hold": {"timeout": "60s"},
        "packs": PACKS,
    }


@contextmanager
def running(folder: Path, **changes: object) -> Iterator[World]:
    """Start all of it, with `changes` to the configuration."""
    authority = CertificateAuthority("Small Azure's CA")
    ca = authority.write(folder)
    with (
        DevIssuer() as issuer,
        AzureServer(authority) as azure,
        ArmServer(azure, authority) as arm,
        KeyVaultServer(azure, authority) as vault,
        Azurite(authority) as azurite,
    ):
        for group in GROUPS:
            arm.estate.add_group(group)
        arm.estate.add("shop", "Microsoft.Storage/storageAccounts", "shopfiles")
        arm.estate.add("shop", "Microsoft.Compute/virtualMachines", "vm1")
        for name in ("one", "three", "two"):
            vault.put(name, SECRET)
        given = configuration(ca, issuer, arm.port, vault.port, azurite.port) | changes
        with Gateway(
            given, policies={"azure.cedar": POLICIES}, environment=azure.app_service, folder=folder / "gateway"
        ) as gateway:
            yield World(gateway, issuer, azure, arm, vault, azurite, folder)


@contextmanager
def names_resolve() -> Iterator[None]:
    """Let names of the test's own lead to loopback in this process, as DNS would."""
    resolve = socket.getaddrinfo

    def getaddrinfo(
        host: bytes | str | None, port: bytes | str | int | None, family: int = 0, type: int = 0,  # noqa: A002
        proto: int = 0, flags: int = 0,
    ) -> object:  # fmt: skip
        name = host.decode() if isinstance(host, bytes) else host
        return resolve("127.0.0.1" if name and name.endswith(SUFFIX) else host, port, family, type, proto, flags)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield
