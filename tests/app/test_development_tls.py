from __future__ import annotations

import shutil
import ssl
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from blastwall.app import development_tls as module
from blastwall.app.development_tls import DevelopmentTls, development_tls


def made(folder: Path, *listen: str) -> DevelopmentTls:
    return development_tls(folder, listen or ("127.0.0.1",))


def names(files: DevelopmentTls) -> set[str]:
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    carried = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in carried}


def handshake(files: DevelopmentTls, host: str) -> None:
    """A whole TLS handshake in memory, the client verifying the gateway by the CA."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(files.certificate, files.key)
    client_side = ssl.create_default_context(cafile=str(files.authority))
    client_side.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "10.1.2.3"])
def test_clients_that_verify_fully_accept_it(tmp_path: Path, host: str) -> None:
    handshake(made(tmp_path, "10.1.2.3"), host)


def test_it_carries_the_names_by_which_clients_tell_resources_apart(tmp_path: Path) -> None:
    files = development_tls(tmp_path, ["127.0.0.1"], ["arm.gw.example", "10.9.9.9"])
    before = files.certificate.read_bytes()
    handshake(files, "arm.gw.example")
    handshake(files, "10.9.9.9")
    assert development_tls(tmp_path, ["127.0.0.1"]).certificate.read_bytes() == before
    handshake(development_tls(tmp_path, ["127.0.0.1"], ["vault.gw.example"]), "vault.gw.example")


def test_workers_that_come_at_once_make_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as workers:
        for files in workers.map(lambda _: development_tls(tmp_path, ["127.0.0.1"], ["arm.gw.example"]), range(16)):
            handshake(files, "arm.gw.example")


def test_other_hosts_are_not_vouched_for(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(made(tmp_path), "db.example")


def test_it_is_kept_and_private(tmp_path: Path) -> None:
    files = made(tmp_path / "state")
    before = files.certificate.read_bytes()
    assert made(tmp_path / "state").certificate.read_bytes() == before
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600


def test_the_authoritys_key_is_not_kept(tmp_path: Path) -> None:
    files = made(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [files.authority.name, files.certificate.name, files.key.name]
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(ssl.SSLError):
        context.load_cert_chain(files.authority, files.key)


def test_a_new_address_makes_a_new_one(tmp_path: Path) -> None:
    assert "10.9.9.9" not in names(made(tmp_path))
    assert "10.9.9.9" in names(made(tmp_path, "10.9.9.9"))


def test_every_address_is_no_name(tmp_path: Path) -> None:
    assert "0.0.0.0" not in names(made(tmp_path, "0.0.0.0"))


def test_one_about_to_end_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LIFETIME", timedelta(days=10))
    short = made(tmp_path).certificate.read_bytes()
    monkeypatch.undo()
    assert made(tmp_path).certificate.read_bytes() != short
    handshake(made(tmp_path), "localhost")


def test_damaged_files_are_made_anew(tmp_path: Path) -> None:
    made(tmp_path).key.write_text("nonsense")
    handshake(made(tmp_path), "localhost")


def test_openssl_agrees(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    files = made(tmp_path)
    command = [openssl, "verify", "-x509_strict", "-CAfile", str(files.authority), "-verify_hostname", "localhost"]
    done = subprocess.run([*command, str(files.certificate)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
