"""The wires: TLS to the client and to the resource, each way to authenticate upstream, resources that fail."""

from __future__ import annotations

import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.e2e.conftest import Shop
from tests.e2e.opening import backends, lets_in, opened, running
from tests.waiting import SOON, eventually, once, promised

from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.ports import free_port
from blastwall.testing.postgres import METHODS, PostgresServer

POLICIES = """
@id("ci")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read", Action::"create"], resource)
when { context.plane == "data" };
"""
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSSENC_REQUEST = struct.pack("!ii", 8, 80877104)


def startup() -> bytes:
    body = struct.pack("!i", 196608) + b"user\0agent\0database\0shop\0\0"
    return struct.pack("!i", len(body) + 4) + body


class FakeServer:
    """A server with the certificate given: it consents to TLS, and then shows it."""

    def __init__(self, certificate: Path, key: Path) -> None:
        import threading

        self.port = free_port()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.passed: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                client.settimeout(SOON)
                client.recv(8)
                client.sendall(b"S")
                with self._context.wrap_socket(client, server_side=True) as secured:
                    self.passed.append(secured.recv(100))
            except OSError:
                client.close()

    def close(self) -> None:
        self._listener.close()


def expired(folder: Path) -> tuple[Path, Path, Path]:
    """Make a CA and a certificate of it that ended yesterday; return the CA's file, the certificate's and the key's."""
    now = datetime.now(UTC)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an old CA")])
    builder = x509.CertificateBuilder().issuer_name(root).not_valid_before(now - timedelta(days=9))
    ca = (
        builder.subject_name(root)
        .public_key(root_key.public_key())
        .serial_number(1)
        .not_valid_after(now + timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        builder.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
        .public_key(key.public_key())
        .serial_number(2)
        .not_valid_after(now - timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    paths = folder / "old-ca.pem", folder / "old.pem", folder / "old.key"
    paths[0].write_bytes(ca.public_bytes(Encoding.PEM))
    paths[1].write_bytes(leaf.public_bytes(Encoding.PEM))
    paths[2].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


@dataclass(frozen=True)
class Wired:
    """A gateway with many resources, and the servers that lie to it."""

    shop: Shop
    liars: dict[str, FakeServer]

    def connect(self, resource: str) -> psycopg.Connection[tuple[object, ...]]:
        dsn = self.shop.gateway.dsn("shop", self.shop.token(), resource=resource)
        return psycopg.connect(dsn, autocommit=True)

    def refused(self, resource: str) -> str:
        with pytest.raises(psycopg.OperationalError) as caught:
            self.connect(resource)
        return str(caught.value)


@pytest.fixture(scope="module")
def wired(postgres_newest: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    folder = tmp_path_factory.mktemp("transport")
    ca, server = str(postgres_newest.ca), postgres_newest
    authority = CertificateAuthority("somebody's CA")
    other = tmp_path_factory.mktemp("other")
    old_ca, *old = expired(other)
    liars = {
        "wrong-name": FakeServer(*authority.issue("elsewhere.example").write(other, "elsewhere")),
        "unknown-ca": FakeServer(*CertificateAuthority("a thief's CA").issue().write(other, "thief")),
        "expired": FakeServer(*old),
    }
    trusted = {"wrong-name": str(authority.write(other)), "unknown-ca": str(authority.write(other))}
    upstreams: dict[str, dict[str, object]] = {
        role.replace("_", "-"): {"host": "localhost", "port": server.port, "ca": ca} for role in METHODS
    }
    upstreams |= {
        name: {"host": "localhost", "port": liar.port, "ca": trusted.get(name, str(old_ca))}
        for name, liar in liars.items()
    }
    upstreams |= {
        "plain": {"host": "localhost", "port": server.port, "tls": "disable"},
        "unverified": {"host": "localhost", "port": server.port, "tls": "require"},
        "nobody-home": {"host": "localhost", "port": free_port(), "ca": ca},
        "no-such-host": {"host": "nowhere.invalid", "port": 5432, "ca": ca},
        "not-a-database": {"host": "localhost", "port": server.port, "ca": ca},
    }
    roles = {name: name.replace("-", "_") if name.endswith("-user") else "scram_user" for name in upstreams}
    resources = [
        {
            "name": name,
            "kind": "postgres",
            "upstream": {**upstream, "database": "missing" if name == "not-a-database" else "shop"},
            "credential": {"user": roles[name], "password": {"env": "PG_PASSWORD"}},
        }
        for name, upstream in upstreams.items()
    ]
    wrong = {"user": "scram_user", "password": {"env": "WRONG"}}
    resources.append({**resources[0], "name": "wrong-password", "credential": wrong})
    import os

    os.environ["WRONG"] = "not-the-password"
    with opened(server, folder, policies=POLICIES, masking=[], resources=resources) as shop:
        for role in METHODS:
            server.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}", "shop")
        yield Wired(shop, liars)
    for liar in liars.values():
        liar.close()
    del os.environ["WRONG"]


@pytest.mark.parametrize("role", METHODS)
def test_each_way_to_authenticate_upstream(wired: Wired, role: str) -> None:
    with wired.connect(role.replace("_", "-")) as agent:
        row = agent.execute("SELECT current_user, count(*)::int FROM orders").fetchone()
        assert row == (role, 30)
        assert wired.shop.direct(f"SELECT ssl, version FROM pg_stat_ssl WHERE pid = {agent.info.backend_pid}") == [
            (True, "TLSv1.3")
        ]


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        ("wrong-name", "does not carry the name that is configured"),
        ("unknown-ca", "is signed by an authority that is not trusted"),
        ("expired", "has expired"),
    ],
)
def test_a_resource_that_cannot_be_verified_gets_nothing(wired: Wired, resource: str, told: str) -> None:
    said = wired.refused(resource)
    assert f"the certificate of {resource} {told}" in said
    assert wired.liars[resource].passed in ([], [b""])
    assert wired.shop.server.password not in said


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        ("nobody-home", "nobody-home refused the connection"),
        ("no-such-host", "the host name of no-such-host cannot be resolved"),
        ("not-a-database", 'database "shop" is not one'),
        ("wrong-password", "the gateway's log says why"),
    ],
)
def test_a_resource_that_cannot_be_used_is_named_and_no_more(wired: Wired, resource: str, told: str) -> None:
    said = wired.refused(resource)
    assert told in said
    for secret in (
        "nowhere.invalid",
        "not-the-password",
        "scram_user",
        wired.shop.server.password,
        str(wired.shop.server.port),
    ):
        assert secret not in said


class TestTheClientsSide:
    def test_direct_tls(self, wired: Wired) -> None:
        dsn = wired.shop.gateway.dsn("shop", wired.shop.token(), resource="scram-user")
        with psycopg.connect(dsn + " sslnegotiation=direct") as agent:
            assert agent.execute("SELECT 1").fetchone() == (1,)

    def test_direct_tls_without_the_protocols_name_is_refused(self, wired: Wired) -> None:
        context = ssl.create_default_context(cafile=str(wired.shop.gateway.ca))
        with self.dial(wired) as bare, context.wrap_socket(bare, server_hostname="localhost") as secured:
            secured.sendall(startup())
            assert rest(secured) == b""

    def dial(self, wired: Wired) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", wired.shop.gateway.port("scram-user")))
        client.settimeout(SOON)
        return client

    def test_without_tls_nothing_is_asked_for(self, wired: Wired) -> None:
        with self.dial(wired) as client:
            client.sendall(startup())
            said = rest(client)
        assert said[:1] == b"E"
        assert b"sslmode=verify-full" in said
        assert b"R\0\0\0" not in said

    def test_a_token_is_not_asked_for_in_plain_text_after_a_refused_gssenc(self, wired: Wired) -> None:
        with self.dial(wired) as client:
            client.sendall(GSSENC_REQUEST)
            assert client.recv(1) == b"N"
            client.sendall(startup())
            assert b"sslmode=verify-full" in rest(client)

    @pytest.mark.parametrize(
        "injected", [startup(), b"Q" * 9, GSSENC_REQUEST, b"\0" * 9], ids=["startup", "Q", "gss", "nul"]
    )
    def test_plain_text_behind_the_request_for_tls_ends_it(self, wired: Wired, injected: bytes) -> None:
        """What a man in the middle puts before the handshake must not be read as if it had come through TLS."""
        with self.dial(wired) as client:
            client.sendall(SSL_REQUEST + injected)
            answer = rest(client)
            assert answer[:1] != b"S"
            assert b"R\0\0\0" not in answer
        with self.dial(wired) as client:
            client.sendall(SSL_REQUEST)
            assert client.recv(1) == b"S"
            client.sendall(injected)
            assert b"R\0\0\0" not in rest(client)

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_old_tls_is_not_spoken(self, wired: Wired) -> None:
        context = ssl.create_default_context(cafile=str(wired.shop.gateway.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with self.dial(wired) as client:
            client.sendall(SSL_REQUEST)
            assert client.recv(1) == b"S"
            with pytest.raises(OSError):
                context.wrap_socket(client, server_hostname="localhost")

    def test_replication_and_unknown_protocols_are_refused(self, wired: Wired) -> None:
        dsn = wired.shop.gateway.dsn("shop", wired.shop.token(), resource="scram-user")
        with pytest.raises(psycopg.OperationalError, match="replication"):
            psycopg.connect(dsn + " replication=database")

    def test_keepalives_are_set_on_both_sides(self, wired: Wired) -> None:
        with wired.connect("scram-user"):
            shop = wired.shop
            ports = (f":{shop.gateway.port('scram-user')} ", f":{shop.server.port} ")

            def kept_alive() -> bool:
                lines = [line for line in sockets_of(shop.gateway.pid) if any(port in line for port in ports)]
                return len(lines) >= 2 and all("timer:(keepalive" in line for line in lines)

            eventually(kept_alive, "every connection of the gateway's has a keepalive timer")


def sockets_of(pid: int) -> list[str]:
    """The established TCP connections of a process, with their timers."""
    done = subprocess.run(
        ["ss", "-tnpoH", "state", "established"], capture_output=True, text=True, check=True, timeout=60
    )
    return [line for line in done.stdout.splitlines() if f"pid={pid}," in line]


def rest(client: socket.socket) -> bytes:
    """Read to the end, which must come."""
    chunks = []
    try:
        while chunk := client.recv(4096):
            chunks.append(chunk)
    except ConnectionResetError:
        pass
    return b"".join(chunks)


class TestPlainUpstream:
    def test_a_resource_without_tls_where_the_configuration_says_so(self, wired: Wired) -> None:
        for resource in ("plain", "unverified"):
            with wired.connect(resource) as agent:
                assert agent.execute("SELECT 1").fetchone() == (1,)

    def test_cancel_reaches_it_as_well(self, wired: Wired) -> None:
        with wired.connect("plain") as agent:
            runs = once(lambda: running(wired.shop, "10000000000"), agent.cancel_safe)
            with runs, pytest.raises(psycopg.errors.QueryCanceled):
                agent.execute("SELECT count(*) FROM generate_series(1, 10000000000)")
            assert agent.execute("SELECT 1").fetchone() == (1,)


def test_a_restart_between_two_sessions_goes_unnoticed(tmp_path: Path) -> None:
    with PostgresServer.start("newest") as server, opened(server, tmp_path / "gateway") as shop:
        shop.connect().close()
        server.stop()
        server.run()
        with closing(shop.connect()) as agent:
            assert agent.execute("SELECT count(*) FROM orders").fetchone() == (30,)


def test_a_server_that_restarts(tmp_path: Path) -> None:
    """A clear error, and the next connection works: the gateway's own side connections come back, too."""
    with PostgresServer.start("newest") as server, opened(server, tmp_path / "gateway") as shop:
        for end in (server.stop, server.kill):
            with closing(shop.connect()) as agent:
                assert agent.execute("SELECT count(*) FROM orders").fetchone() == (30,)
                end()
                with pytest.raises(psycopg.OperationalError) as caught:
                    agent.execute("SELECT 1")
                assert "terminat" in str(caught.value) or "pg-prod cannot be reached" in str(caught.value)
            with pytest.raises(psycopg.OperationalError, match=r"blastwall: .*cannot be"):
                shop.connect()
            server.run()
            eventually(lambda: lets_in(shop), "agents are let in again", promised(3))
            with closing(shop.connect()) as agent:
                assert agent.execute("SELECT count(*) FROM orders").fetchone() == (30,)
        eventually(lambda: backends(shop) == 0, "nothing is left")
