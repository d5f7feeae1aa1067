"""Where the files of a node stand in its folder.

RECORDINGS/NODE/
chain                     the node's chain, one record for each thing that happened to the recordings
node.pub                  the public key that its checkpoints are signed with
lock                      held by the gateway that writes here
segment-00000001.zst      a closed segment: records of many sessions, compressed
segment-00000001.index    its sessions in short, so that lists need not read segments
segment-00000002.log      the open segment

The workers of a node write a chain each: the first one's is the node's own, the second one's NODE+2, and so on; a
node's name holds no `+`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SEGMENT = re.compile(r"segment-(\d{8,})\.(log|zst|index)")


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of one node's recordings."""

    path: Path

    @property
    def node(self) -> str:
        """The node's name."""
        return self.path.name

    @property
    def chain(self) -> Path:
        return self.path / "chain"

    @property
    def public(self) -> Path:
        return self.path / "node.pub"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    def raw(self, segment: int) -> Path:
        """The segment while it is open."""
        return self.path / f"segment-{segment:08d}.log"

    def sealed(self, segment: int) -> Path:
        """The segment once it is closed and compressed."""
        return self.path / f"segment-{segment:08d}.zst"

    def index(self, segment: int) -> Path:
        return self.path / f"segment-{segment:08d}.index"

    def segments(self, suffix: str = "") -> set[int]:
        """The numbers of the segments that have a file here; `suffix` is "log", "zst", "index" or "" for any."""
        found = (_SEGMENT.fullmatch(path.name) for path in self.path.iterdir())
        return {int(match[1]) for match in found if match is not None and suffix in ("", match[2])}


def chain_name(node: str, worker: int) -> str:
    """Return the name under which a worker, counted from 1, records."""
    return node if worker == 1 else f"{node}+{worker}"


def worker_of(name: str) -> tuple[str, int]:
    """Return the node and the worker that record under a name."""
    node, plus, number = name.rpartition("+")
    return (node, int(number)) if plus and number.isdecimal() else (name, 1)


def retired(recordings: Path, node: str, workers: int) -> list[str]:
    """Return the names of a node's chains that nobody writes any more: it has `workers` now, and once had more."""
    if not recordings.is_dir():
        return []
    parts = [(worker_of(folder.node), folder.node) for folder in folders(recordings)]
    return [name for (base, number), name in parts if base == node and number > workers]


def folders(recordings: Path) -> Iterator[Folder]:
    """Yield the nodes that have recordings under `recordings`, by name. A node's own folder is taken as such."""
    if _is_node(recordings):
        yield Folder(recordings.resolve())
        return
    for path in sorted(recordings.iterdir()):
        if path.is_dir() and _is_node(path):
            yield Folder(path)


def _is_node(path: Path) -> bool:
    """Also without its chain: that it is gone is for `verify` to say."""
    folder = Folder(path)
    return folder.chain.exists() or folder.public.exists() or bool(folder.segments())
