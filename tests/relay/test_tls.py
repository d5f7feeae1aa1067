"""TLS over memory, towards clients and resources: what must hold, and what is said where it does not."""

from __future__ import annotations

import asyncio
import resource
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.relay.conftest import MakeSite, Site
from tests.relay.toy import ToyServer, eventually

from blastwall.model.resource import Address, TlsMode
from blastwall.relay import ServerTls
from blastwall.relay.certificates import UpstreamTls
from blastwall.relay.tls import Tls, TlsFailed
from blastwall.testing.certificates import Certificate, CertificateAuthority


def server_context(certificate: Certificate, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate.write(folder, "upstream"))
    return context


def client_context(authority: CertificateAuthority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.pem.decode())


def expired() -> tuple[Certificate, bytes]:
    """A certificate of yesterday that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now - timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    return Certificate(pem, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())), pem


# ── towards the resource ─────────────────────────────────────────────────────────────────────────────────────────────


async def said_of(make_site: MakeSite, server: ToyServer, address: Address) -> str:
    site = await make_site(server=server, upstream=address)
    client = await site.connect()
    answer = await client.log_in()
    if not answer.startswith("READY"):
        assert await client.at_end()
        assert not [line for line in server.lines if "AUTH" in line], "the credential was sent"
        await eventually(lambda: site.world.meter.counts["dial failed"] == 1)
    return answer


async def test_a_resource_that_is_who_it_should_be_gets_the_credential(
    make_site: MakeSite, authority: CertificateAuthority, ca: str, tmp_path: Path
) -> None:
    server = ToyServer(server_context(authority.issue(), tmp_path))
    answer = await said_of(make_site, server, Address("localhost", 0, TlsMode.VERIFY_FULL, ca))
    assert answer.startswith("READY")
    assert server.lines[1].startswith("AUTH upstream-secret")


async def test_a_certificate_for_another_name_is_refused(
    make_site: MakeSite, authority: CertificateAuthority, ca: str, tmp_path: Path
) -> None:
    server = ToyServer(server_context(authority.issue("elsewhere.example"), tmp_path))
    answer = await said_of(make_site, server, Address("localhost", 0, TlsMode.VERIFY_FULL, ca))
    assert answer == "BYE the certificate of toy-prod does not carry the name that is configured"


async def test_verify_ca_accepts_another_name_and_verify_full_an_address(
    make_site: MakeSite, authority: CertificateAuthority, ca: str, tmp_path: Path
) -> None:
    other = ToyServer(server_context(authority.issue("elsewhere.example"), tmp_path))
    assert (await said_of(make_site, other, Address("localhost", 0, TlsMode.VERIFY_CA, ca))).startswith("READY")
    own = ToyServer(server_context(authority.issue("127.0.0.1"), tmp_path))
    assert (await said_of(make_site, own, Address("127.0.0.1", 0, TlsMode.VERIFY_FULL, ca))).startswith("READY")


@pytest.mark.parametrize("mode", [TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL])
async def test_an_unknown_authority_is_refused(make_site: MakeSite, ca: str, tmp_path: Path, mode: TlsMode) -> None:
    server = ToyServer(server_context(CertificateAuthority("another").issue(), tmp_path))
    answer = await said_of(make_site, server, Address("localhost", 0, mode, ca))
    assert answer == "BYE the certificate of toy-prod is signed by an authority that is not trusted"


async def test_an_expired_certificate_is_refused(make_site: MakeSite, tmp_path: Path) -> None:
    certificate, pem = expired()
    (tmp_path / "old.pem").write_bytes(pem)
    server = ToyServer(server_context(certificate, tmp_path))
    answer = await said_of(make_site, server, Address("localhost", 0, TlsMode.VERIFY_FULL, str(tmp_path / "old.pem")))
    assert answer == "BYE the certificate of toy-prod has expired"


async def test_an_authority_that_cannot_be_read_is_refused(
    make_site: MakeSite, authority: CertificateAuthority, tmp_path: Path
) -> None:
    server = ToyServer(server_context(authority.issue(), tmp_path))
    missing = Address("localhost", 0, TlsMode.VERIFY_FULL, str(tmp_path / "missing.pem"))
    assert "authority for toy-prod cannot be read" in await said_of(make_site, server, missing)


async def test_an_old_version_of_tls_is_refused(
    make_site: MakeSite, authority: CertificateAuthority, ca: str, tmp_path: Path
) -> None:
    context = server_context(authority.issue(), tmp_path)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    for bound in ("minimum_version", "maximum_version"):
        with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
            setattr(context, bound, ssl.TLSVersion.TLSv1_1)
    answer = await said_of(make_site, ToyServer(context), Address("localhost", 0, TlsMode.REQUIRE))
    assert answer.startswith("BYE TLS with toy-prod failed")


def test_tls_that_the_configuration_disables_is_never_begun() -> None:
    with pytest.raises(TlsFailed, match="disables TLS"):
        UpstreamTls().start(Address("localhost", 1, TlsMode.DISABLE), (), "toy-prod")


def test_a_changed_authority_is_read_again(
    authority: CertificateAuthority, tmp_path: Path, server_tls: ServerTls
) -> None:
    path = CertificateAuthority("another").write(tmp_path)
    address, upstream = Address("localhost", 1, TlsMode.VERIFY_FULL, str(path)), UpstreamTls()
    with pytest.raises(TlsFailed, match="not trusted"):
        shake(upstream.start(address, (), "toy-prod"), server_tls.start(()))
    path.write_bytes(authority.pem)
    shake(upstream.start(address, (), "toy-prod"), server_tls.start(()))


# ── towards the client ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_client_may_begin_with_tls_and_gets_its_application_protocol(
    site: Site, authority: CertificateAuthority
) -> None:
    context = client_context(authority)
    context.set_alpn_protocols(["toy", "other"])
    reader, writer = await asyncio.open_connection("localhost", site.relay.port("toy-prod"), ssl=context)
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "toy"
    writer.write(b"LOGIN good\n")
    assert (await reader.readline()).startswith(b"READY")
    writer.write(b"bulk 5000000\n")
    assert len(await reader.readexactly(5_000_001)) == 5_000_001
    writer.close()
    await eventually(lambda: site.relay.connections == 0)


async def test_a_client_may_turn_to_tls(site: Site, authority: CertificateAuthority) -> None:
    client = await site.connect()
    assert await client.ask("STARTTLS") == "OK"
    await client.writer.start_tls(client_context(authority), server_hostname="localhost")
    assert (await client.log_in()).startswith("READY")
    assert await client.ask("select 1") == "= select 1"


async def test_plain_text_with_the_request_for_tls_closes(site: Site) -> None:
    client = await site.connect()
    client.send("STARTTLS\nLOGIN good")
    assert await client.at_end()
    assert "LoginAsked" not in site.recorded()


async def test_plain_text_after_the_request_for_tls_is_never_read_as_the_clients(site: Site) -> None:
    client = await site.connect()
    assert await client.ask("STARTTLS") == "OK"
    client.send("LOGIN good")
    assert (await client.reader.read(100))[:1] in {b"", b"\x15"}, "nothing but a TLS alert"
    await eventually(lambda: site.relay.connections == 0)
    assert "LoginAsked" not in site.recorded()


async def test_a_new_certificate_is_for_new_connections(
    site: Site, authority: CertificateAuthority, server_tls: ServerTls, tmp_path: Path
) -> None:
    async def shown() -> bytes:
        context = client_context(authority)
        _, writer = await asyncio.open_connection("localhost", site.relay.port("toy-prod"), ssl=context)
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        assert isinstance(certificate, bytes)
        return certificate

    client = await site.connect()
    assert await client.ask("STARTTLS") == "OK"
    await client.writer.start_tls(client_context(authority), server_hostname="localhost")
    old = await shown()
    server_tls.renew(*authority.issue().write(tmp_path, "new"))
    assert await shown() != old
    assert (await client.log_in()).startswith("READY")


def test_no_ticket_is_sent_after_the_handshake(pair: tuple[ServerTls, Address]) -> None:
    client, server = UpstreamTls().start(pair[1], (), "the gateway"), pair[0].start(())
    client.decrypt(b"")
    server.decrypt(client.outgoing())
    client.decrypt(server.outgoing())
    server.decrypt(client.outgoing())
    assert (client.established, server.established) == (True, True)
    assert server.outgoing() == b""


def test_a_certificate_that_cannot_be_used_leaves_the_old_one(server_tls: ServerTls, tmp_path: Path) -> None:
    with pytest.raises(OSError):
        server_tls.renew(tmp_path / "missing.pem", tmp_path / "missing.key")
    assert isinstance(server_tls.start(()), Tls)


# ── the codec ────────────────────────────────────────────────────────────────────────────────────────────────────────


def shake(client: Tls, server: Tls) -> None:
    """Hand bytes to and fro until both are established."""
    client.decrypt(b"")
    while not (client.established and server.established):
        server.decrypt(client.outgoing())
        client.decrypt(server.outgoing())


@given(st.lists(st.binary(min_size=1, max_size=40_000), min_size=1, max_size=4), st.integers(1, 7000))
@settings(max_examples=25, deadline=None)
def test_what_is_sent_arrives_however_it_is_chunked(
    pair: tuple[ServerTls, Address], spans: list[bytes], chunk: int
) -> None:
    tls, address = pair
    server = tls.start(())
    client = UpstreamTls().start(address, (), "peer")
    shake(client, server)
    wire = b"".join(client.encrypt(span) for span in spans)
    arrived = b"".join(server.decrypt(wire[at : at + chunk]) for at in range(0, len(wire), chunk))
    assert arrived == b"".join(spans)
    server.decrypt(client.finish())
    assert server.ended


@given(st.binary(max_size=2000))
@settings(max_examples=50, deadline=None)
def test_noise_is_refused_or_waits_and_never_decrypts(pair: tuple[ServerTls, Address], noise: bytes) -> None:
    server = pair[0].start(())
    try:
        assert server.decrypt(noise) == b""
    except TlsFailed as failure:
        assert str(failure).startswith("TLS with the client failed")
    assert not server.established


def secured(pair: tuple[ServerTls, Address]) -> tuple[Tls, Tls]:
    client, server = UpstreamTls().start(pair[1], (), "peer"), pair[0].start(())
    shake(client, server)
    return client, server


def test_connections_in_turn_do_not_disturb_each_other(pair: tuple[ServerTls, Address]) -> None:
    """They share OpenSSL's buffers: half a record, broken bytes and bytes after the goodbye stay where they belong."""
    (client, server), (other_client, other) = secured(pair), secured(pair)
    wire = client.encrypt(b"whole")
    assert server.decrypt(wire[:9]) == b""
    assert other.decrypt(other_client.encrypt(b"other")) == b"other"
    assert server.decrypt(wire[9:]) == b"whole"
    assert server.decrypt(client.finish() + b"more than the goodbye") == b""
    assert server.ended
    broken = pair[0].start(())
    with pytest.raises(TlsFailed, match="TLS with the client failed"):
        broken.decrypt(b"\x16\x03\x01\x00\x05no TLS handshake, and more of it")
    assert other.decrypt(other_client.encrypt(b"still there")) == b"still there"
    assert other_client.decrypt(other.encrypt(b"and back")) == b"and back"
    assert broken.outgoing()[:1] == b"\x15", "the alert of the one that broke waits for it alone"
    assert other.outgoing() == other_client.outgoing() == b""


def test_a_connection_keeps_no_memory_of_the_most_that_went_through_it(pair: tuple[ServerTls, Address]) -> None:
    connections = [secured(pair) for _ in range(40)]
    before = resident()
    for client, server in connections:
        assert len(server.decrypt(client.encrypt(bytes(1 << 20)))) == 1 << 20
    assert resident() - before < 20 << 20, "40 MiB went through, and OpenSSL keeps a third more than it was given"


def resident() -> int:
    """Bytes of this process in memory (proc_pid_statm(5))."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_another_thread_than_its_own_is_turned_away(pair: tuple[ServerTls, Address]) -> None:
    client, server = secured(pair)
    with ThreadPoolExecutor(1) as threads:
        for call in (partial(client.encrypt, b"x"), partial(server.decrypt, b"x"), client.finish):
            with pytest.raises(RuntimeError, match="another thread"):
                threads.submit(call).result()
    assert server.decrypt(client.encrypt(b"unharmed")) == b"unharmed"


@pytest.fixture(scope="session")
def pair(server_tls: ServerTls) -> tuple[ServerTls, Address]:
    return server_tls, Address("localhost", 1, TlsMode.REQUIRE)
