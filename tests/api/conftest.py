"""A gateway's control port over real TLS, with a real issuer, store and containment; policy answers as a test says."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client import CollectorRegistry, Counter
from tests.identity.conftest import OTHER, PG, a_user, an_agent, an_issuer
from tests.identity.issuer import Clock, LoopbackIssuer, running_issuer

from blastwall.api import create_app, serve
from blastwall.approvals.deciding import Deciding
from blastwall.approvals.people import People
from blastwall.approvals.sealing import Seals
from blastwall.approvals.worth import Worth
from blastwall.config.gateway_tokens import GatewayTokenSettings
from blastwall.config.model import Configuration, PassSettings
from blastwall.containment import StoredContainment
from blastwall.control.approving import Approving, PolicyPlace
from blastwall.control.changes import Changes
from blastwall.control.control import Control, build_control
from blastwall.control.granting import Granting, InForce
from blastwall.control.targets import Reachable
from blastwall.control.telling import Telling
from blastwall.gate.granted import NoGrants
from blastwall.gate.ports import Subject
from blastwall.grants import StoredGrants
from blastwall.identity import Minting, OidcIdentity, OwnKeys
from blastwall.model.resource import Address, Resource
from blastwall.model.ruling import Decision, Ruling
from blastwall.model.statement import Statement
from blastwall.policy.policy_set import PolicySet
from blastwall.store.approvals import ApprovalTable
from blastwall.store.changes import ChangeTable
from blastwall.store.containments import ContainmentTable
from blastwall.store.database import Store, open_store
from blastwall.store.grants import GrantTable
from blastwall.store.outbox import OutboxTable
from blastwall.store.passes import PassTable
from blastwall.store.signing_keys import SigningKeyTable

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"


TENANT = "5f1c2a40-7d0e-4c55-9d0a-0f3b6f1c2a40"
ARM = Resource("arm", "azure-arm", Address("management.azure.com", 443), plane="control")
VAULT = Resource("kv", "azure-keyvault", Address("kv.vault.azure.net", 443))
REACHABLE = (
    Reachable(PG, "https://ossrdbms-aad.database.windows.net/.default", (), 15432),
    Reachable(OTHER, "https://ossrdbms-aad.database.windows.net/.default", (), 15433),
    Reachable(ARM, "https://management.azure.com/.default", ("arm.gw.example",), 8444),
    Reachable(VAULT, "https://vault.azure.net/.default", ("kv.vault.gw.example",), 8444),
)


@dataclass
class AnswerPolicy:
    """Permits `connect` to the resources in `permitted`."""

    permitted: set[str] = field(default_factory=lambda: {PG.name})
    version: str = "v"

    def rule_connect(self, subject: Subject) -> Ruling:
        return Ruling(Decision.ALLOW if subject.resource.name in self.permitted else Decision.DENY)

    def rule(self, subject: Subject, statement: Statement) -> Ruling:
        raise NotImplementedError


@dataclass
class Gateway:
    """What tests act on. `url` is https on loopback; `http` trusts its certificate."""

    url: str
    http: aiohttp.ClientSession
    ca: Path
    issuer: LoopbackIssuer
    clock: Clock
    identity: OidcIdentity
    containment: StoredContainment
    policy: AnswerPolicy
    control: Control
    waiting_for: list[str]

    async def exchange(self, **changes: str | None) -> tuple[int, dict[str, object], aiohttp.ClientResponse]:
        """Post a good exchange with changes; None takes a field out."""
        form: dict[str, str | None] = {
            "grant_type": GRANT,
            "subject_token_type": JWT,
            "subject_token": self.issuer.token().decode() if "subject_token" not in changes else None,
            "resource": "pg-prod",
            **changes,
        }
        sent = {name: value for name, value in form.items() if value is not None}
        async with self.http.post(f"{self.url}/token", data=sent) as response:
            return response.status, await response.json(), response


def approving(store: Store, now: Callable[[], float]) -> Approving:
    """Approvals of people who are not configured here."""
    table, worth = ApprovalTable(store), Worth(Seals(b"k" * 32), People([]), lambda _principal, _at: False)
    deciding = Deciding(table, worth, now, lambda _id, _state: None)
    return Approving(table, deciding, worth, now=now, link=lambda identity: identity, place=lambda _: PolicyPlace())


def make_certificate(folder: Path) -> Path:
    """Write a self-signed certificate for loopback, with its key, as one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "gateway.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def no_policies() -> PolicySet:
    return PolicySet([], "v1")


def no_configuration() -> Configuration:
    raise AssertionError("these tests ask for no grant")


def identity_of(store: Store, containment: StoredContainment, issuer: LoopbackIssuer, clock: Clock) -> OidcIdentity:
    keys = OwnKeys(SigningKeyTable(store), b"s" * 32, clock, clock)
    return OidcIdentity(
        [an_issuer(issuer.url)],
        [an_agent()],
        [a_user()],
        PassSettings(),
        store=PassTable(store),
        now=clock,
        steady=clock,
        minting=Minting(keys, TENANT, GatewayTokenSettings(), containment.revoked),
    )


def granting(store: Store, clock: Clock) -> Granting:
    """Grants that nobody may ask for."""
    table = GrantTable(store)
    return Granting(
        table,
        StoredGrants(table, "https://gw"),
        People(()),
        InForce(no_policies, dict, no_configuration),
        now=clock,
        cut=lambda _person, _at: False,
        changes=Changes(ChangeTable(store), clock),
        telling=Telling(OutboxTable(store), tuple, now=clock),
    )


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    clock = Clock()
    store = await open_store("sqlite:///state/b.db", tmp_path)
    containment = StoredContainment(ContainmentTable(store), clock)
    await containment.start()
    registry = CollectorRegistry()
    Counter("sessions", "Sessions.", ["agent"], registry=registry).labels("shop-ci").inc()
    pem = make_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    waiting_for: list[str] = []
    policy, public = AnswerPolicy(), ["https://localhost"]
    async with running_issuer(clock) as issuer:
        identity = identity_of(store, containment, issuer, clock)
        control = build_control(
            identity,
            policy=lambda: policy,
            containment=containment,
            telling=Telling(OutboxTable(store), tuple, now=clock),
            granting=granting(store, clock),
            grants=NoGrants(),
            resources=lambda: {PG.name: PG, OTHER.name: OTHER},
            waiting_for=lambda: waiting_for,
            registry=registry,
            store=store,
            approving=approving(store, clock),
            now=clock,
            monotonic=clock,
            ports=lambda: {PG.name: 15432, OTHER.name: 15433},
            reachable=lambda: REACHABLE,
            public=lambda: public[0],
        )
        server = await serve(create_app(control), "127.0.0.1", 0, tls)
        trust = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=pem))
        async with aiohttp.ClientSession(connector=trust) as http:
            url = public[0] = f"https://127.0.0.1:{server.port}"
            yield Gateway(url, http, pem, issuer, clock, identity, containment, policy, control, waiting_for)
        await server.stop()
        await identity.close()
    await containment.stop()
    await store.close()
