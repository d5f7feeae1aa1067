"""`audit verify`: prove that recordings are as they were written, or name what was changed, removed or added.

The chain comes first (its links, its signed statements, the anchors' copies of them), then every segment that it names
(its digests, its records' links), then the sessions' heads. Nothing in the files is believed before it is checked, and
no content makes this raise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from blastwall.recording.anchors import AnchoredCopy, read_anchors
from blastwall.recording.chain import Chain, Checkpoint, read_chain, statement_text
from blastwall.recording.encryption import NO_KEYS, Keyring, SegmentCiphers
from blastwall.recording.keys import PublicKey, Signed, public_key
from blastwall.recording.layout import Folder, chain_name, folders, worker_of
from blastwall.recording.report import Finding, Kind, NodeReport, Report, Torn
from blastwall.recording.verify_segments import verify_segments

_MOST_WORKERS = 1024
_ATTEMPTS = 3
"""A gateway that writes meanwhile can make a segment change its form under the reader; then it is read again."""


def verify(
    recordings: Path,
    keys: Sequence[PublicKey] = (),
    anchors: Sequence[Path] = (),
    keyring: Keyring = NO_KEYS,
) -> Report:
    """Verify every node under `recordings` with the auditor's own `keys`; without any, with the key beside each node.

    `anchors` are folders with anchored checkpoints. What `keyring` opens is decrypted as well; all else is proven by
    its hashes, which are over what is stored.

    Raises:
        OSError: a folder cannot be read.
    """
    copies = [copy for folder in anchors for copy in read_anchors(folder)]
    report = Report()
    found = list(folders(recordings))
    for folder in found:
        report.nodes.append(_verify_quietly(folder, keys, copies, keyring))
    report.findings += [_unreadable(copy) for copy in copies if copy.checkpoint is None]
    if recordings.resolve() not in [folder.path for folder in found]:
        known = {node.node for node in report.nodes}
        gone = {copy.checkpoint.node for copy in copies if copy.checkpoint is not None} - known
        report.findings += [_gone(node) for node in sorted(gone)]
        report.findings += _missing_workers(report.nodes, [folder.node for folder in found])
    return report


def _missing_workers(nodes: Sequence[NodeReport], names: Sequence[str]) -> list[Finding]:
    """A node's workers have a chain each, and each chain says how many there are."""
    most: dict[str, int] = {}
    for name, node in zip(names, nodes, strict=True):
        base, _ = worker_of(name)
        most[base] = max(most.get(base, 1), node.workers)
    wanted = [chain_name(base, number) for base, count in most.items() for number in range(1, count + 1)]
    detail = "the node had more workers, but the recordings of this one are gone"
    return [Finding(Kind.MISSING, name, detail) for name in wanted if name not in names]


def _unreadable(copy: AnchoredCopy) -> Finding:
    return Finding(Kind.CHANGED, str(copy.path), "holds no checkpoint as a gateway writes it: the anchor was changed")


def _gone(node: str) -> Finding:
    return Finding(Kind.MISSING, node, f"checkpoints of the node {node!r} are anchored, but its recordings are gone")


def _verify_quietly(
    folder: Folder, keys: Sequence[PublicKey], copies: Sequence[AnchoredCopy], keyring: Keyring
) -> NodeReport:
    for _ in range(_ATTEMPTS - 1):
        before = _size(folder)
        report = _verify_node(folder, keys, copies, keyring)
        if not report.findings or _size(folder) == before:
            return report
    return _verify_node(folder, keys, copies, keyring)


def _size(folder: Folder) -> int:
    try:
        return folder.chain.stat().st_size
    except OSError:
        return -1


def _verify_node(
    folder: Folder, keys: Sequence[PublicKey], copies: Sequence[AnchoredCopy], keyring: Keyring
) -> NodeReport:
    report = NodeReport(folder.node)
    seen = {segment: _raw_size(folder, segment) for segment in folder.segments()}
    try:
        chain = read_chain(folder.chain)
    except OSError:
        report.findings.append(Finding(Kind.MISSING, "chain", "the node's chain is gone or cannot be read"))
        return report
    _check_chain(chain, report)
    key = _choose_key(folder, chain, keys, report)
    _check_checkpoints(chain, key, report)
    _check_removals(chain, key, report)
    anchored = _check_anchors(chain, key, copies, report)
    ciphers = SegmentCiphers(keyring, report.node, chain.wrapped)
    verify_segments(folder, chain, ciphers, report, seen=seen, anchored=anchored)
    report.entries, report.sessions = chain.number, len(chain.opened)
    report.checkpoints, report.removed = len(chain.checkpoints), sorted(chain.removals)
    _note_recoveries(chain, report)
    return report


def _raw_size(folder: Folder, segment: int) -> int:
    try:
        return folder.raw(segment).stat().st_size
    except OSError:
        return 0


def _check_chain(chain: Chain, report: NodeReport) -> None:
    report.findings += [
        Finding(Kind.CHANGED, "chain", fault.detail, offset=fault.offset, number=fault.number) for fault in chain.faults
    ]
    broken = chain.broken
    if broken is not None and broken.torn:
        report.torn.append(Torn("chain", broken.offset, broken.left, None, broken.number))
    elif broken is not None:
        detail = "no entry can be read from here on: its header was changed"
        report.findings.append(Finding(Kind.CHANGED, "chain", detail, offset=broken.offset))
    if chain.started:
        report.node = chain.started[0].node
        report.workers = min(_MOST_WORKERS, max(started.workers for started in chain.started))
    else:
        report.findings.append(Finding(Kind.MISSING, "chain", "the chain does not begin with a gateway's start"))


def _choose_key(folder: Folder, chain: Chain, keys: Sequence[PublicKey], report: NodeReport) -> PublicKey | None:
    """The auditor's key for this node; without one, the one beside the recordings, which proves less."""
    report.local = not keys
    beside: PublicKey | None = None
    try:
        pem = folder.public.read_bytes()
        beside = public_key(pem)
    except (OSError, ValueError):
        pem = b""
    wanted = {started.key for started in chain.started}
    candidates = list(keys) if keys else [beside] if beside is not None else []
    key = next((each for each in candidates if wanted == {each.fingerprint}), None)
    if key is None:
        detail = "the chain names another signing key than the one that you brought"
        if not keys:
            detail = "the public key beside the recordings is gone, unreadable or not the one that the chain names"
        report.findings.append(Finding(Kind.UNSIGNED, "chain" if keys else "node.pub", detail))
        return None
    report.key = key.fingerprint
    if pem != key.pem:
        report.findings.append(Finding(Kind.CHANGED, "node.pub", "is not the key that the recordings are signed with"))
    return key


def _check_checkpoints(chain: Chain, key: PublicKey | None, report: NodeReport) -> None:
    for place, (number, signed, checkpoint) in enumerate(chain.checkpoints, start=1):
        problem = _signature_problem(key, signed, checkpoint)
        if checkpoint.node != report.node:
            problem = f"is of the node {checkpoint.node!r}"
        elif checkpoint.sequence != place or checkpoint.entries != number:
            problem = "stands in another place than where it was made"
        elif number > len(chain.hashes) or (number and chain.hashes[number - 1].hex() != checkpoint.head):
            problem = "does not agree with the chain before it: entries were changed, removed or added"
        if problem:
            detail = f"checkpoint {checkpoint.sequence} {problem}"
            report.findings.append(Finding(Kind.UNSIGNED, "chain", detail, number=number))


def _signature_problem(key: PublicKey | None, signed: Signed, checkpoint: Checkpoint) -> str:
    if key is not None and not key.made(signed):
        return "is not signed with the node's key"
    return "" if statement_text(checkpoint) == signed.statement else "is not written as a gateway writes it"


def _check_removals(chain: Chain, key: PublicKey | None, report: NodeReport) -> None:
    for number, signed, removal in chain.removals.values():
        sealed = chain.sealed.get(removal.segment)
        problem = ""
        if key is not None and not key.made(signed):
            problem = "is not signed with the node's key: retention did not do it"
        elif removal.node != report.node or removal.entry != number or sealed is None:
            problem = "stands in another place than where it was made"
        elif removal.digest != sealed.digest:
            problem = "speaks of other content than the segment had"
        if problem:
            detail = f"the deletion of segment {removal.segment} {problem}"
            report.findings.append(Finding(Kind.UNSIGNED, "chain", detail, number=number))


def _check_anchors(
    chain: Chain, key: PublicKey | None, copies: Sequence[AnchoredCopy], report: NodeReport
) -> Checkpoint | None:
    """Compare the anchors' copies with the chain and return the newest checkpoint that both have."""
    local = {checkpoint.sequence: signed for _, signed, checkpoint in chain.checkpoints}
    newest: Checkpoint | None = None
    for copy in copies:
        checkpoint, signed = copy.checkpoint, copy.signed
        if checkpoint is None or signed is None or checkpoint.node != report.node:
            continue
        kind, problem = _anchor_problem(copy, checkpoint, signed, key, local)
        if problem:
            detail = f"anchored checkpoint {checkpoint.sequence} {problem}"
            report.findings.append(Finding(kind, str(copy.path), detail))
        elif newest is None or checkpoint.sequence > newest.sequence:
            newest = checkpoint
    if newest is not None:
        report.anchored, report.anchored_at = newest.sequence, newest.at
    return newest


def _anchor_problem(
    copy: AnchoredCopy, checkpoint: Checkpoint, signed: Signed, key: PublicKey | None, local: dict[int, Signed]
) -> tuple[Kind, str]:
    if key is not None and not key.made(signed):
        return Kind.UNSIGNED, "is not signed with the node's key: the anchor was changed, or is of another node"
    if copy.path.stem != f"{checkpoint.node}-{checkpoint.sequence:08d}":
        return Kind.REORDERED, "stands in a file of another name"
    here = local.get(checkpoint.sequence)
    if here is None:
        return Kind.MISSING, "is not in the chain any more: the end of the recordings was removed"
    if here != signed:
        return Kind.CHANGED, "differs from the one in the chain: the recordings were rewritten after it was made"
    return Kind.CHANGED, ""


def _note_recoveries(chain: Chain, report: NodeReport) -> None:
    for recovered in chain.recovered:
        torn = recovered.torn_segment + recovered.torn_chain
        report.notes.append(
            f"a gateway was killed; at the next start {recovered.sessions} open sessions were closed"
            + (f" and {torn} bytes of an unfinished record cut off" if torn else "")
        )
    if chain.removals:
        report.notes.append(f"retention deleted {len(chain.removals)} segments, each by a signed entry of the chain")
