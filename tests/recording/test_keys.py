"""The signing key: made once, kept private, never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from blastwall.recording.keys import KeyUnusable, Signed, load_or_create_key, load_public_key


def test_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "state" / "recording.key"
    first = load_or_create_key(path)
    assert load_or_create_key(path).public.fingerprint == first.public.fingerprint
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert load_public_key(path.with_name("recording.key.pub")).fingerprint == first.public.fingerprint
    assert "PRIVATE" not in repr(first) + str(vars(first.public))


def test_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    load_or_create_key(path)
    path.chmod(0o644)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        load_or_create_key(path)


def test_damaged_key_is_refused_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(KeyUnusable, match="restore it from a backup"):
        load_or_create_key(path)
    assert path.read_bytes() == before


def test_signature_binds_text_and_key(tmp_path: Path) -> None:
    key, other = load_or_create_key(tmp_path / "one"), load_or_create_key(tmp_path / "two")
    signed = key.sign("text")
    assert key.public.made(signed)
    assert not other.public.made(signed)
    assert not key.public.made(Signed("texT", signed.signature, signed.key))
    assert not key.public.made(Signed("text", signed.signature.upper(), signed.key)), "one form of a signature"
    assert not key.public.made(Signed("text", "no hex", signed.key))


def test_public_key_file_without_a_key(tmp_path: Path) -> None:
    (tmp_path / "x.pub").write_text("hello")
    with pytest.raises(KeyUnusable, match=r"give the `.pub` file"):
        load_public_key(tmp_path / "x.pub")
    with pytest.raises(KeyUnusable, match="cannot be read"):
        load_public_key(tmp_path / "none.pub")
