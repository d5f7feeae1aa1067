"""Whoever changes recordings is found out: each attack is carried out on real recordings, then verified."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blastwall.recording.chain import (
    Checkpoint,
    Checkpointed,
    Closed,
    Entry,
    Opened,
    Removal,
    Removed,
    Sealed,
    Started,
    read_chain,
    statement_of,
    statement_text,
)
from blastwall.recording.frames import HASH, Broken, Record, build, parse, seed
from blastwall.recording.keys import Signed, SigningKey, load_or_create_key, load_public_key
from blastwall.recording.report import Kind, Report
from blastwall.recording.verify import verify

from .conftest import Place, asked, opening, record_two_runs, write


def check(place: Place, *, anchored: bool = True) -> Report:
    return verify(place.recordings, [load_public_key(place.public)], [place.anchors] if anchored else [])


def said(report: Report) -> str:
    findings = report.findings + [finding for node in report.nodes for finding in node.findings]
    return "\n".join(f"{each.kind} {each.file} {each.session} {each.number}: {each.detail}" for each in findings)


# ── what an attacker with the disk can do ────────────────────────────────────────────────────────────────────────────


def records_of(data: bytes) -> list[Record]:
    items = list(parse(data))
    assert not any(isinstance(item, Broken) for item in items)
    return [item for item in items if isinstance(item, Record)]


def relinked(records: list[tuple[int, int, bytes]]) -> bytes:
    """Write (stream, number, payload) anew with hashes that agree."""
    heads: dict[int, bytes] = {}
    parts = []
    for stream, number, payload in records:
        data, heads[stream] = build(stream, number, heads.get(stream, seed(stream)), payload)
        parts.append(data)
    return b"".join(parts)


class Forger:
    """Rewrites a whole node so that everything agrees again; signs with `key` where it has one."""

    def __init__(self, place: Place, key: SigningKey | None) -> None:
        self.place = place
        self.key = key
        self.entries = [
            msgspec.json.decode(record.payload, type=Entry)
            for record in records_of((place.node / "chain").read_bytes())
        ]
        self.segments = {
            segment: [(each.stream, each.number, each.payload) for each in records_of(self.content(segment))]
            for segment in sorted(read_chain(place.node / "chain").sealed)
        }

    def content(self, segment: int) -> bytes:
        data = (self.place.node / f"segment-{segment:08d}.zst").read_bytes()
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)

    def rewrite(self) -> None:
        """Hash, compress, sign and chain everything anew."""
        raw, heads, counts = self._relink_segments()
        chain, head = b"", seed(0)
        for number, entry in enumerate(self.entries):
            data, head = build(
                0, number, head, msgspec.json.encode(self._mend(entry, raw, heads, counts, number, head))
            )
            chain += data
        (self.place.node / "chain").write_bytes(chain)
        if self.key is not None:
            (self.place.node / "node.pub").write_bytes(self.key.public.pem)

    def _relink_segments(self) -> tuple[dict[int, bytes], dict[int, bytes], dict[int, int]]:
        heads: dict[int, bytes] = {}
        counts: dict[int, int] = {}
        raw: dict[int, bytes] = {}
        for segment, records in self.segments.items():
            parts = []
            for stream, _, payload in records:
                number = counts.get(stream, 0)
                data, heads[stream] = build(stream, number, heads.get(stream, seed(stream)), payload)
                counts[stream] = number + 1
                parts.append(data)
            raw[segment] = b"".join(parts)
            if raw[segment] == self.content(segment):
                continue
            packed = zstandard.ZstdCompressor(level=1).compress(raw[segment])
            (self.place.node / f"segment-{segment:08d}.zst").write_bytes(packed)
        return raw, heads, counts

    def _mend(
        self, entry: Entry, raw: dict[int, bytes], heads: dict[int, bytes], counts: dict[int, int], number: int,
        head: bytes,
    ) -> Entry:  # fmt: skip
        replace = msgspec.structs.replace
        match entry:
            case Started() if self.key is not None:
                return replace(entry, key=self.key.public.fingerprint)
            case Closed():
                return replace(entry, count=counts.get(entry.stream, 0), head=heads.get(entry.stream, b"").hex())
            case Sealed():
                packed = (self.place.node / f"segment-{entry.segment:08d}.zst").read_bytes()
                content = raw[entry.segment]
                return replace(
                    entry, size=len(content), digest=sha256(content).hexdigest(), stored=len(packed),
                    stored_digest=sha256(packed).hexdigest(),
                )  # fmt: skip
            case Checkpointed() if self.key is not None:
                statement = statement_of(entry.signed)
                assert isinstance(statement, Checkpoint)
                content = raw.get(statement.segment, b"")[: statement.size]
                digest = sha256(content).hexdigest() if statement.segment else ""
                mended = replace(statement, entries=number, head=head.hex(), size=len(content), digest=digest)
                return replace(entry, signed=self.key.sign(statement_text(mended)))
            case _:
                if isinstance(entry, msgspec.Struct) and type(entry).__name__ == "Ended":
                    content = raw[entry.segment]  # type: ignore[union-attr]
                    return replace(entry, size=len(content), digest=sha256(content).hexdigest())
                return entry


def edit_text(forger: Forger) -> None:
    """Make a DELETE look like a SELECT, in the records themselves."""
    for records in forger.segments.values():
        for place, (stream, number, payload) in enumerate(records):
            records[place] = (stream, number, payload.replace(b"delete from carts", b"select from carts"))


# ── untouched ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_untouched_recordings_are_proven(recorded: Place) -> None:
    report = check(recorded)
    assert said(report) == ""
    assert report.good
    (node,) = report.nodes
    assert (node.node, node.sessions, node.local) == ("n1", 4, False)
    assert node.anchored == node.checkpoints == 3
    assert node.unanchored == {}
    assert node.torn == []
    assert len(read_chain(recorded.node / "chain").sealed) > 2, "the sessions span several segments"


async def test_without_anchors_everything_is_named_as_unanchored(recorded: Place) -> None:
    (node,) = check(recorded, anchored=False).nodes
    assert node.anchored is None
    assert set(node.unanchored) == {"session-one", "session-two", "session-three", "session-four"}


async def test_sessions_after_the_last_anchored_checkpoint_are_named(recorded: Place) -> None:
    max(recorded.anchors.iterdir()).unlink()
    (node,) = check(recorded).nodes
    assert node.findings == []
    assert node.anchored == 2
    assert node.unanchored == {"session-four": 6}


async def test_running_gateway_is_verified_as_well(place: Place) -> None:
    recorder = place.recorder()
    await recorder.start()
    record = recorder.open("session-one")
    write(record, opening(place.clock(), "session-one"))
    report = check(place, anchored=False)
    await recorder.stop()
    assert said(report) == ""
    assert report.nodes[0].records == 3


async def test_local_key_is_said_to_be_local(recorded: Place) -> None:
    report = verify(recorded.recordings, [], [recorded.anchors])
    assert report.good
    assert report.nodes[0].local


# ── attacks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_edited_and_rehashed_by_somebody_without_the_key(recorded: Place) -> None:
    forger = Forger(recorded, None)
    edit_text(forger)
    forger.rewrite()
    for anchored in (True, False):
        assert "does not agree with the chain before it" in said(check(recorded, anchored=anchored))


async def test_edited_rehashed_and_signed_again_with_another_key(recorded: Place, tmp_path: Path) -> None:
    forger = Forger(recorded, load_or_create_key(tmp_path / "forged.key"))
    edit_text(forger)
    forger.rewrite()
    assert "another signing key" in said(check(recorded, anchored=False)), "the auditor's key tells"
    assert verify(recorded.recordings).good, "the forged local key alone proves only that it all agrees"
    assert "not signed with the node's key" in said(verify(recorded.recordings, [], [recorded.anchors])), "anchors tell"


async def test_edited_and_signed_by_a_thief_of_the_key_itself(recorded: Place) -> None:
    forger = Forger(recorded, load_or_create_key(recorded.key_path))
    edit_text(forger)
    forger.rewrite()
    assert check(recorded, anchored=False).good, "the key's holder can rewrite what is not anchored"
    assert "rewritten after it was made" in said(check(recorded))


async def test_rewritten_after_the_last_anchored_checkpoint_counts_as_unanchored(recorded: Place) -> None:
    """What was never anchored can be rewritten with the key; the report names exactly those sessions."""
    max(recorded.anchors.iterdir()).unlink()
    forger = Forger(recorded, load_or_create_key(recorded.key_path))
    last = max(forger.segments)
    forger.segments[last] = [(s, n, p.replace(b"orders", b"public")) for s, n, p in forger.segments[last]]
    forger.rewrite()
    report = check(recorded)
    assert said(report) == "", "nothing outside the gateway can tell"
    assert set(report.nodes[0].unanchored) == {"session-four"}, "but it is said that nothing can"


async def test_dropped_session(recorded: Place) -> None:
    forger = Forger(recorded, None)
    streams = [entry.stream for entry in forger.entries if isinstance(entry, Opened) and entry.session == "session-two"]
    forger.segments = {
        segment: [each for each in records if each[0] not in streams] for segment, records in forger.segments.items()
    }
    forger.entries = [
        entry for entry in forger.entries if not (isinstance(entry, Opened | Closed) and entry.session == "session-two")
    ]
    forger.rewrite()
    assert not check(recorded, anchored=False).good
    assert not check(recorded).good


async def test_records_of_a_session_dropped_from_a_segment_are_named(place: Place) -> None:
    recorder = place.recorder(segment_size=1 << 20)
    await recorder.start()
    for name in ("session-one", "session-two"):
        record = recorder.open(name)
        write(record, opening(place.clock(), name))
        record.close()
    raw = place.node / "segment-00000001.log"
    kept = [each for each in records_of(raw.read_bytes()) if each.stream == 1]
    raw.write_bytes(relinked([(each.stream, each.number, each.payload) for each in kept]))
    report = check(place, anchored=False)
    await recorder.stop()
    assert "missing chain session-two 0: records 0 to 2 are missing" in said(report)


async def test_swapped_sessions(recorded: Place) -> None:
    forger = Forger(recorded, load_or_create_key(recorded.key_path))
    names = {"session-one": "session-two", "session-two": "session-one"}
    forger.entries = [
        msgspec.structs.replace(entry, session=names.get(entry.session, entry.session))
        if isinstance(entry, Opened | Closed)
        else entry
        for entry in forger.entries
    ]
    forger.rewrite()
    assert "the record is of another session, 'session-one'" in said(check(recorded, anchored=False))


@pytest.mark.parametrize("cut", [1, HASH, 300])
async def test_truncated_tail_of_an_open_segment(place: Place, cut: int) -> None:
    recorder = place.recorder(segment_size=1 << 20)
    await recorder.start()
    record = recorder.open("session-one")
    write(record, opening(place.clock(), "session-one"))
    write(record, asked(place.clock(), 0, "select 1"))
    await recorder.checkpoint()
    raw = place.node / "segment-00000001.log"
    raw.write_bytes(raw.read_bytes()[:-cut])
    report = check(place, anchored=False)
    await recorder.stop()
    assert "but checkpoint 1 covers" in said(report)


async def test_truncated_chain(recorded: Place) -> None:
    chain = recorded.node / "chain"
    records = records_of(chain.read_bytes())
    chain.write_bytes(chain.read_bytes()[: records[-4].offset])
    assert "the end of the recordings was removed" in said(check(recorded))


async def test_recordings_put_back_to_an_older_state(place: Place) -> None:
    """A backup of everything but the anchors is put back: consistent in itself, and found by the anchors alone."""
    await record_two_runs(place)
    shutil.copytree(place.recordings, place.root / "backup")
    recorder = place.recorder()
    await recorder.start()
    record = recorder.open("session-five")
    write(record, opening(place.clock(), "session-five"))
    record.close()
    await recorder.stop()
    shutil.rmtree(place.recordings)
    shutil.move(place.root / "backup", place.recordings)
    assert check(place, anchored=False).good
    assert "anchored checkpoint 4 is not in the chain any more" in said(check(place))


async def test_newest_checkpoint_removed_from_the_chain(recorded: Place) -> None:
    forger = Forger(recorded, load_or_create_key(recorded.key_path))
    assert isinstance(forger.entries[-1], Checkpointed)
    del forger.entries[-1]
    forger.rewrite()
    assert "anchored checkpoint 3" in said(check(recorded))


async def test_old_checkpoint_replayed(recorded: Place) -> None:
    forger = Forger(recorded, None)
    old = next(entry for entry in forger.entries if isinstance(entry, Checkpointed))
    forger.entries.append(old)
    forger.rewrite()
    assert "stands in another place than where it was made" in said(check(recorded, anchored=False))


async def test_old_anchor_under_a_new_name(recorded: Place) -> None:
    first, *_, last = sorted(recorded.anchors.iterdir())
    shutil.copy(first, last)
    assert "stands in a file of another name" in said(check(recorded))


async def test_edited_anchor(recorded: Place) -> None:
    newest = max(recorded.anchors.iterdir())
    signed = msgspec.json.decode(newest.read_bytes(), type=Signed)
    changed = Signed(signed.statement.replace('"sequence":3', '"sequence":4'), signed.signature, signed.key)
    newest.with_name("n1-00000004.checkpoint").write_bytes(msgspec.json.encode(changed))
    assert "the anchor was changed" in said(check(recorded))


async def test_deleted_segment(recorded: Place) -> None:
    (recorded.node / "segment-00000002.zst").unlink()
    assert "segment 2 is gone" in said(check(recorded, anchored=False))


async def test_deleted_open_segment(place: Place) -> None:
    recorder = place.recorder()
    await recorder.start()
    write(recorder.open("session-one"), opening(place.clock(), "session-one"))
    (place.node / "segment-00000001.log").unlink()
    report = check(place, anchored=False)
    assert "segment 1 is gone" in said(report)
    await recorder.stop()


async def test_added_segment(recorded: Place) -> None:
    data, _ = build(99, 0, seed(99), b'{"event":"session_closed","at":1,"reason":""}')
    (recorded.node / "segment-00000099.log").write_bytes(data)
    assert "the chain knows no segment 99" in said(check(recorded, anchored=False))


async def test_deleted_chain_node_and_key(recorded: Place) -> None:
    (recorded.node / "chain").unlink()
    assert "chain is gone" in said(check(recorded))
    shutil.rmtree(recorded.node)
    assert "its recordings are gone" in said(check(recorded))


async def test_removal_forged_without_the_key(recorded: Place, tmp_path: Path) -> None:
    """Deleting a segment and claiming that retention did it takes the node's key."""
    forger = Forger(recorded, None)
    sealed = next(entry for entry in forger.entries if isinstance(entry, Sealed))
    removal = Removal("n1", 1.0, len(forger.entries), sealed.segment, sealed.digest, "keep", {})
    forged = load_or_create_key(tmp_path / "forged.key").sign(statement_text(removal))
    chain = read_chain(recorded.node / "chain")
    data, _ = build(0, chain.number, chain.head, msgspec.json.encode(Removed(1.0, forged)))
    with (recorded.node / "chain").open("ab") as file:
        file.write(data)
    (recorded.node / f"segment-{sealed.segment:08d}.zst").unlink()
    (recorded.node / f"segment-{sealed.segment:08d}.index").unlink()
    assert "retention did not do it" in said(check(recorded))


async def test_changed_record_is_named_exactly(place: Place) -> None:
    recorder = place.recorder(segment_size=1 << 20)
    await recorder.start()
    record = recorder.open("session-one")
    write(record, opening(place.clock(), "session-one"))
    write(record, asked(place.clock(), 0, "drop table orders"))
    raw = place.node / "segment-00000001.log"
    target = records_of(raw.read_bytes())[3]
    raw.write_bytes(raw.read_bytes().replace(b"drop table orders", b"copy table orders"))
    (finding,) = check(place, anchored=False).nodes[0].findings
    await recorder.stop()
    assert finding.kind is Kind.CHANGED
    assert (finding.file, finding.offset) == (raw.name, target.offset)
    assert (finding.session, finding.number) == ("session-one", 3)


# ── any change at all ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Closed segments, an open one, a chain, a key and anchors, to be damaged byte by byte."""
    import asyncio

    async def make(place: Place) -> None:
        await record_two_runs(place)
        recorder = place.recorder()
        await recorder.start()
        record = recorder.open("session-open")
        write(record, opening(place.clock(), "session-open"))
        write(record, asked(place.clock(), 0, "select 1"))
        shutil.copytree(place.root, place.root.parent / "frozen")
        await recorder.stop()

    root = tmp_path_factory.mktemp("frozen") / "live"
    asyncio.run(make(Place(root)))
    return Place(root.parent / "frozen")


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255), data=st.data())
def test_any_changed_byte_is_found(frozen: Place, where: float, flip: int, data: st.DataObject) -> None:
    files = sorted(path for path in frozen.node.iterdir() if path.name != "lock") + sorted(frozen.anchors.iterdir())
    path = data.draw(st.sampled_from(files), label="file")
    good = path.read_bytes()
    at = int(where * len(good))
    path.write_bytes(good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :])
    try:
        report = check(frozen)
    finally:
        path.write_bytes(good)
    assert not report.good, f"byte {at} of {path.name}"


def test_frozen_recordings_are_good(frozen: Place) -> None:
    """The counterpart: without it the test above could pass on recordings that are never good."""
    assert said(check(frozen)) == ""


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(junk=st.binary(max_size=200), data=st.data())
def test_no_content_makes_verification_raise(frozen: Place, junk: bytes, data: st.DataObject) -> None:
    files = sorted(path for path in frozen.node.iterdir() if path.name != "lock") + sorted(frozen.anchors.iterdir())
    path = data.draw(st.sampled_from(files), label="file")
    good = path.read_bytes()
    keep = data.draw(st.integers(0, len(good)), label="keep")
    path.write_bytes(good[:keep] + junk)
    try:
        report = check(frozen)
    finally:
        path.write_bytes(good)
    if good[:keep] + junk != good and path.suffix in {".zst", ".index", ".pub", ".checkpoint"}:
        assert not report.good
