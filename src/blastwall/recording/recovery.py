"""Starting again on what an earlier gateway left, however it ended: nothing is hidden, nothing acknowledged lost.

The torn end of a file (the gateway was killed within a write that nobody had been told of) is cut off and its size put
into the chain. Anything else that cannot be read stays as it is, for `audit verify` to name.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from blastwall.gate.ports import RecordingFailed
from blastwall.recording.chain import Chain, ChainWriter, Closed, Entry, Opened, Recovered, Sealed, Started, read_chain
from blastwall.recording.encryption import Keyring, NoKey, SegmentCipher, SegmentCiphers
from blastwall.recording.files import write_whole
from blastwall.recording.frames import Broken, seed
from blastwall.recording.keys import SigningKey
from blastwall.recording.layout import Folder
from blastwall.recording.log import Position
from blastwall.recording.segments import Content, compress, content_of, discard_drafts, index_of, publish, scan
from blastwall.recording.summary import Portion


@dataclass(frozen=True, slots=True)
class Recovery:
    """Where the log goes on, and the closed segments that are still there, for retention."""

    position: Position
    sealed: tuple[Sealed, ...]


def recover(folder: Folder, key: SigningKey, at: float, keyring: Keyring, workers: int = 1) -> Recovery:
    """Bring a node's folder, whose lock is held, into order and say in its chain that a gateway of `workers` started.

    Raises:
        RecordingFailed: the chain was changed, or belongs to another key or node.
        OSError: a file cannot be read or written.
    """
    chain = read_chain(folder.chain) if folder.chain.exists() else Chain()
    _refuse_foreign(folder, chain, key)
    torn_chain = _cut(folder.chain, chain.broken)
    _write_public(folder, key)
    writer = ChainWriter(folder.chain, chain.number, chain.head)
    try:
        ciphers = SegmentCiphers(keyring, folder.node, chain.wrapped)
        sealed = _settle(folder, chain, writer, ciphers, at=at, torn_chain=torn_chain)
        writer.append(Started(at, folder.node, key.public.fingerprint, workers=workers))
        writer.file.sync()
        position = Position(
            stream=max(chain.opened, default=0) + 1,
            segment=max(chain.begun.keys() | folder.segments(), default=0) + 1,
            sequence=max((each.sequence for _, _, each in chain.checkpoints), default=0) + 1,
            entries=writer.number,
            head=writer.head,
            ciphers=ciphers,
        )
    finally:
        writer.file.close()
    return Recovery(position, sealed)


def _refuse_foreign(folder: Folder, chain: Chain, key: SigningKey) -> None:
    away = f"run `blastwall audit verify`, then move {folder.path} away as evidence to begin anew"
    if chain.faults or (chain.broken is not None and not chain.broken.torn):
        raise RecordingFailed(f"the recordings' chain {folder.chain} was changed by somebody; {away}")
    if chain.started and chain.started[-1].node != folder.node:
        raise RecordingFailed(f"{folder.path} holds recordings of the node {chain.started[-1].node!r}; {away}")
    if chain.started and chain.started[-1].key != key.public.fingerprint:
        raise RecordingFailed(f"{folder.path} was signed with another key; restore that key, or {away}")


def _cut(path: Path, broken: Broken | None) -> int:
    if broken is None or not broken.torn:
        return 0
    os.truncate(path, broken.offset)
    return broken.left


def _write_public(folder: Folder, key: SigningKey) -> None:
    if not folder.public.exists() or folder.public.read_bytes() != key.public.pem:
        write_whole(folder.public, key.public.pem)


def _settle(
    folder: Folder, chain: Chain, writer: ChainWriter, ciphers: SegmentCiphers, *, at: float, torn_chain: int
) -> tuple[Sealed, ...]:
    """Close the segments and sessions that were open; put what was found into the chain.

    A segment whose key is not at hand stays as it is: the first start that has the key closes it.
    """
    _finish_published(folder, chain)
    _discard_unknown(folder, chain)
    sealed = {number: each for number, each in chain.sealed.items() if number not in chain.removals}
    names = {stream: opened.session for stream, opened in chain.opened.items()}
    found: dict[int, list[Portion]] = {}
    torn_segment = 0
    for number in sorted((chain.begun.keys() - sealed.keys() - chain.removals.keys()) & folder.segments("log")):
        cipher, locked = _cipher(ciphers, number)
        portions, broken = scan(folder, number, names, cipher)
        torn_segment += _cut(folder.raw(number), broken if number not in chain.ended else None)
        found[number] = portions
        if (broken is None or broken.torn) and not locked:
            sealed[number] = _seal(folder, writer, _content(folder, number, portions, at, cipher), at)
    for entry in _endings(folder, chain, found, at, ciphers):
        writer.append(entry)
    if torn_chain or torn_segment or chain.open:
        writer.append(Recovered(at, len(chain.open), torn_segment, torn_chain))
    return tuple(sealed[number] for number in sorted(sealed))


def _finish_published(folder: Folder, chain: Chain) -> None:
    for number, sealed in chain.sealed.items():
        if number in chain.removals:
            for path in (folder.sealed(number), folder.index(number), folder.raw(number)):
                path.unlink(missing_ok=True)
        elif folder.raw(number).exists():
            publish(folder, sealed)
    discard_drafts(folder)


def _discard_unknown(folder: Folder, chain: Chain) -> None:
    """Delete what a segment leaves that was begun but never named: an empty file."""
    for number in folder.segments("log") - chain.begun.keys():
        if folder.raw(number).stat().st_size == 0:
            folder.raw(number).unlink()


def _cipher(ciphers: SegmentCiphers, segment: int) -> tuple[SegmentCipher | None, bool]:
    """What opens a segment, and whether it needs a key that is not at hand."""
    try:
        return ciphers.of(segment), False
    except NoKey:
        return None, True


def _content(folder: Folder, number: int, portions: list[Portion], at: float, cipher: SegmentCipher | None) -> Content:
    digest, size = sha256(), 0
    with content_of(folder, number) as source:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            size += len(chunk)
    last_at = max((portion.ended for portion in portions), default=at)
    return Content(number, size, digest.hexdigest(), last_at, portions, cipher)


def _seal(folder: Folder, writer: ChainWriter, content: Content, at: float) -> Sealed:
    entry = compress(folder, content, at)
    writer.append(entry)
    writer.file.sync()
    publish(folder, entry)
    return entry


def _endings(
    folder: Folder, chain: Chain, found: dict[int, list[Portion]], at: float, ciphers: SegmentCiphers
) -> list[Entry]:
    """The heads of the sessions that were open, from the newest segment that has records of theirs."""
    missing = {opened.stream: opened for opened in chain.open}
    heads: dict[int, Portion] = {}
    oldest = min((opened.segment for opened in missing.values()), default=0)
    for number in sorted(chain.begun, reverse=True):
        if number < oldest or not missing.keys() - heads.keys():
            break
        for portion in found.get(number) or portions_of(folder, number, ciphers):
            if portion.stream in missing:
                heads.setdefault(portion.stream, portion)
    return [_ending(opened, heads.get(stream), at) for stream, opened in missing.items()]


def portions_of(folder: Folder, segment: int, ciphers: SegmentCiphers) -> list[Portion]:
    """A closed segment's sessions; from its records where its index cannot be read."""
    cipher, _ = _cipher(ciphers, segment)
    portions = index_of(folder, segment, cipher)
    with suppress(OSError):
        portions = portions or scan(folder, segment, {}, cipher)[0]
    return portions


def _ending(opened: Opened, last: Portion | None, at: float) -> Closed:
    count, head = (last.last + 1, last.head) if last is not None else (0, seed(opened.stream).hex())
    return Closed(at, opened.stream, opened.session, count, head, "recovered: the gateway had not stopped by itself")
