"""What a verification found, as values that a face can print."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What was done to the recordings."""

    CHANGED = "changed"
    MISSING = "missing"
    INSERTED = "inserted"
    REORDERED = "reordered"
    UNSIGNED = "unsigned"


@dataclass(frozen=True, slots=True)
class Finding:
    """A sign of tampering: what, in which file at which byte, and whose record it is, as far as can be told."""

    kind: Kind
    file: str
    detail: str
    offset: int | None = None
    session: str | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Torn:
    """A record that its writer did not finish; nobody had been told that it was written."""

    file: str
    offset: int
    left: int
    session: str | None
    number: int | None


@dataclass(slots=True)
class NodeReport:
    """One node's recordings.

    `anchored` is the sequence of the newest checkpoint found in the anchors, `anchored_at` its time, and `unanchored`
    the sessions with records after it (number of such records by session id): those alone could have been rewritten by
    somebody who holds the gateway. `key` is the fingerprint of the key that was used, `local` whether it came with the
    recordings themselves. `workers` is the most chains that its node ever had.
    """

    node: str
    workers: int = 1
    key: str = ""
    local: bool = True
    entries: int = 0
    sessions: int = 0
    records: int = 0
    checkpoints: int = 0
    anchored: int | None = None
    anchored_at: float | None = None
    unanchored: dict[str, int] = field(default_factory=dict)
    removed: list[int] = field(default_factory=list)
    torn: list[Torn] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """All nodes. `findings` are those that belong to no single node."""

    nodes: list[NodeReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing was tampered with, as far as signatures and anchors can tell."""
        return not self.findings and not any(node.findings for node in self.nodes)
