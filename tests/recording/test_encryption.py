"""Encryption at rest: nothing in the clear, provable without the key, readable with it, keys that can be changed."""

from __future__ import annotations

import base64
import os
import shutil
from pathlib import Path

import pytest

from blastwall.recording import encryption
from blastwall.recording.encryption import Keyring, SegmentCipher, Undecryptable, id_of, parse_key
from blastwall.recording.frames import HEADER, Record, parse, seed
from blastwall.recording.keys import load_public_key
from blastwall.recording.reader import NoRecordings, Query, Reader
from blastwall.recording.report import Kind
from blastwall.recording.verify import verify

from .conftest import Outcome, Place, asked, opening, settled, write

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


async def record(place: Place, session: str, *keys: bytes) -> None:
    recorder = place.recorder(keyring=Keyring(keys))
    await recorder.start()
    record = recorder.open(session)
    write(record, opening(place.clock(), session))
    for number in range(6):
        write(record, asked(place.clock(), number, f"select 'topsecret {number}' from orders"))
    record.close()
    await recorder.stop()


def texts(place: Place, session: str, *keys: bytes) -> str:
    reader = Reader(place.recordings, Keyring(keys))
    return str([each.event for each in reader.replay(reader.session(session))])


async def test_nothing_that_was_said_stands_in_the_files(place: Place) -> None:
    await record(place, "one", OLD)
    names = {path.suffix for path in place.node.iterdir()}
    assert {".zst", ".index"} <= names
    for path in place.node.iterdir():
        content = path.read_bytes()
        for clear in (b"topsecret", b"shop-ci", b"orders", b"10.20.0.7", b"pg-prod", b"statement_asked", OLD, b"psql"):
            assert clear not in content, f"{clear!r} in {path.name}"
    assert "topsecret 5" in texts(place, "one", OLD)


async def test_open_segment_holds_nothing_in_the_clear_either(place: Place) -> None:
    recorder = place.recorder(keyring=Keyring([OLD]))
    await recorder.start()
    write(recorder.open("one"), asked(1.0, 1, "select 'topsecret'"))
    raw = (place.node / "segment-00000001.log").read_bytes()
    await recorder.stop()
    assert len(raw) > 500
    assert b"topsecret" not in raw


async def test_proven_without_the_key_and_read_with_it(place: Place) -> None:
    await record(place, "one", OLD)
    key = load_public_key(place.public)
    without, with_ = verify(place.recordings, [key]), verify(place.recordings, [key], keyring=Keyring([OLD]))
    assert without.good
    assert with_.good
    assert without.nodes[0].records == with_.nodes[0].records == 21
    assert f"the key {id_of(OLD)}, which is not at hand" in without.nodes[0].notes[0]
    assert "every record of theirs was decrypted" in with_.nodes[0].notes[0]


async def test_changed_ciphertext_is_found_without_the_key(place: Place) -> None:
    recorder = place.recorder(keyring=Keyring([OLD]), segment_size=1 << 20)
    await recorder.start()
    write(recorder.open("one"), opening(1.0, "one"))
    files = {path: path.read_bytes() for path in place.node.iterdir()}
    await recorder.stop()
    shutil.rmtree(place.node)
    place.node.mkdir()
    for path, content in files.items():
        path.write_bytes(content)
    raw = place.node / "segment-00000001.log"
    data = bytearray(raw.read_bytes())
    data[HEADER + 20] ^= 1
    raw.write_bytes(data)
    (finding,) = verify(place.recordings).nodes[0].findings
    assert (finding.kind, finding.number) == (Kind.CHANGED, 0)


async def test_record_by_somebody_without_the_data_key_is_found_with_the_key(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody with the signing key alone writes records that chain: only who decrypts them sees it."""
    forger = SegmentCipher(os.urandom(32))
    real = SegmentCipher.encrypt

    def encrypt(cipher: SegmentCipher, payload: bytes, header: bytes) -> bytes:
        return real(forger if b"topsecret 3" in payload else cipher, payload, header)

    monkeypatch.setattr(SegmentCipher, "encrypt", encrypt)
    await record(place, "one", OLD)
    assert verify(place.recordings).good
    findings = verify(place.recordings, keyring=Keyring([OLD])).nodes[0].findings
    assert [finding.detail for finding in findings] == ["it was not encrypted with its segment's key"]


async def test_new_key_for_new_segments_and_the_old_one_still_reads(place: Place) -> None:
    await record(place, "one", OLD)
    await record(place, "two", NEW, OLD)
    assert "topsecret" in texts(place, "one", NEW, OLD)
    assert "topsecret" in texts(place, "two", NEW, OLD)
    reader = Reader(place.recordings, Keyring([NEW]))
    assert [(each.session, each.locked) for each in reader.sessions()] == [("two", ()), ("one", (id_of(OLD),))]
    assert "topsecret" in texts(place, "two", NEW)
    with pytest.raises(NoRecordings, match=f"encrypted with the key {id_of(OLD)}"):
        reader.session("one")
    found = reader.sessions(Query(principal="nobody"))
    assert [each.session for each in found] == ["one"], "who cannot be asked is not silently left out"


async def test_encryption_switched_on_and_off_leaves_everything_readable(place: Place) -> None:
    await record(place, "plain")
    await record(place, "locked", OLD)
    await record(place, "again")
    assert all("topsecret" in texts(place, session, OLD) for session in ("plain", "locked", "again"))
    assert "topsecret" in texts(place, "again")
    assert verify(place.recordings, [load_public_key(place.public)]).good


async def test_without_any_key_the_error_names_it(place: Place) -> None:
    await record(place, "one", OLD)
    with pytest.raises(NoRecordings, match=r"recordings\.encrypt.*--unlock"):
        Reader(place.recordings).sessions()


async def test_search_reads_what_is_encrypted(place: Place) -> None:
    await record(place, "one", OLD)
    reader = Reader(place.recordings, Keyring([OLD]))
    assert [each.session for each in reader.sessions(Query(text="TOPSECRET 4"))] == ["one"]
    assert reader.sessions(Query(text="nowhere")) == []
    assert [each.principal for each in reader.sessions(Query(effect="read", object="orders"))] == ["shop-ci"]


async def _killed(place: Place) -> None:
    recorder = place.recorder(keyring=Keyring([OLD]), segment_size=1 << 20)
    await recorder.start()
    write(recorder.open("killed"), opening(1.0, "killed"))
    files = {path: path.read_bytes() for path in place.node.iterdir()}
    await recorder.stop()
    shutil.rmtree(place.node)
    place.node.mkdir()
    for path, data in files.items():
        path.write_bytes(data)


async def test_gateway_that_was_killed_starts_with_another_key_and_later_with_the_old_one(place: Place) -> None:
    await _killed(place)
    await record(place, "two", NEW)
    raw = place.node / "segment-00000001.log"
    assert raw.exists(), "it cannot be closed without its key"
    assert verify(place.recordings, [load_public_key(place.public)]).good
    await record(place, "three", NEW, OLD)
    assert not raw.exists()
    reader = Reader(place.recordings, Keyring([NEW, OLD]))
    assert reader.session("killed").principal == "shop-ci"
    assert verify(place.recordings, [load_public_key(place.public)], keyring=Keyring([NEW, OLD])).good


async def test_retention_goes_on_without_an_old_key(place: Place) -> None:
    await record(place, "one", OLD)
    recorder = place.recorder(keyring=Keyring([NEW]), max_size=1)
    await recorder.start()
    write(recorder.open("two"), opening(1.0, "two"))
    await recorder.retain()
    assert recorder.counters.segments_removed >= 1
    await recorder.stop()
    assert verify(place.recordings, [load_public_key(place.public)]).good


async def test_failed_write_never_uses_a_nonce_twice(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = place.recorder(keyring=Keyring([OLD]), segment_size=1 << 20)
    await recorder.start()
    failing, seen = Outcome(), list[bytes]()
    real = SegmentCipher.encrypt

    def encrypt(cipher: SegmentCipher, payload: bytes, header: bytes) -> bytes:
        data = real(cipher, payload, header)
        seen.append(data[:12])
        return data

    monkeypatch.setattr(SegmentCipher, "encrypt", encrypt)
    record = recorder.open("a")
    write(record, asked(1.0, 1, "select 1"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda descriptor, data: os.pread(-1, 1, 0))  # EBADF
        record.write(asked(2.0, 2, "select 2"), failing)
        await settled(lambda: bool(failing.calls))
    assert failing.calls[0] is not None
    write(recorder.open("c"), asked(3.0, 1, "select 3"))
    await recorder.stop()
    assert len(set(seen)) == len(seen) == 9


def test_ciphertext_is_bound_to_its_place() -> None:
    cipher = SegmentCipher(OLD)
    sealed = cipher.encrypt(b"{}", b"header of record 1")
    assert cipher.decrypt(sealed, b"header of record 1") == b"{}"
    with pytest.raises(Undecryptable):
        cipher.decrypt(sealed, b"header of record 2")
    with pytest.raises(Undecryptable):
        cipher.decrypt(b"short", b"header of record 1")


def test_segment_key_is_bound_to_node_and_segment() -> None:
    ring = Keyring([OLD])
    made = ring.begin("n1", 7)
    assert made is not None
    assert ring.cipher("n1", 7, made[1]) is not None
    for node, segment in (("n2", 7), ("n1", 8)):
        with pytest.raises(encryption.NoKey, match="does not open"):
            ring.cipher(node, segment, made[1])


@pytest.mark.parametrize("text", [OLD.hex(), OLD.hex().upper(), base64.b64encode(OLD).decode(), OLD.hex() + "\n"])
def test_keys_are_hexadecimal_or_base64(text: str) -> None:
    assert parse_key(text.encode(), "file k") == OLD


@pytest.mark.parametrize("text", [b"", b"correct horse battery staple", OLD, OLD.hex()[:-2].encode(), b"\xff" * 64])
def test_anything_else_is_no_key_and_is_not_shown(text: bytes) -> None:
    with pytest.raises(ValueError, match="file k holds no key") as caught:
        parse_key(text, "file k")
    assert not text.strip() or text.decode("latin-1") not in str(caught.value)


def test_key_id_tells_nothing_of_the_key(tmp_path: Path) -> None:
    assert id_of(OLD) != id_of(NEW)
    assert id_of(OLD) not in OLD.hex()
    assert "\\x00" not in repr(Keyring([OLD])) + repr(SegmentCipher(OLD))


def test_hash_is_over_what_is_stored() -> None:
    from blastwall.recording.frames import build

    data, _ = build(1, 0, seed(1), b'{"event":"x"}', SegmentCipher(OLD))
    (found,) = parse(data)
    assert isinstance(found, Record)
    assert found.follows(seed(1))
    assert SegmentCipher(OLD).decrypt(found.payload, found.header) == b'{"event":"x"}'
