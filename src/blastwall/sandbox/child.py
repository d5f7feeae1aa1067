"""`python -m blastwall.sandbox.child MEMORY SECONDS`: works off what comes in on standard input, one after another.

    parent ── C id pickle ──▶ a context to keep; the oldest of more than `CONTEXTS` is dropped
    parent ── T id pickle ──▶ a task to call with the context `id`
    child  ── R bytes ──────▶ what the task returned
    child  ── E text ───────▶ the kind of exception that it raised

Each frame is a letter, the length of the rest in 8 bytes, and the rest; an id has 8 bytes. The child believes what its
parent sends, which is made of the parent's own objects. The parent believes nothing: it gets bytes and decodes them.
"""

from __future__ import annotations

import os
import pickle
import resource
import sys
from collections.abc import Callable
from typing import BinaryIO, cast

from blastwall.sandbox.kernel import end_with_parent, gain_nothing

CONTEXTS = 4
HEADER = 9
_NICENESS = 5
_PROBLEM = 200


def main() -> None:
    """Confine this process, then work until standard input ends."""
    memory, seconds = int(sys.argv[1]), int(sys.argv[2])
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not be taken for a reply
    _confine(memory)
    _work(sys.stdin.buffer, replies, seconds)


def _confine(memory: int) -> None:
    """No files, no further processes, bounded memory, no core dump that would hold statements; others come first."""
    end_with_parent()
    gain_nothing()
    os.nice(_NICENESS)
    for what, bound in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(what, (bound, bound))


def _allow(seconds: int) -> None:
    """Bound the processor time of the next task: whoever exceeds it is killed by SIGXCPU."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + seconds + 1, hard))


def _shut() -> None:
    """Open nothing any more: no file, and no connection, to a metadata service least of all. What is open stays so."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _work(orders: BinaryIO, replies: BinaryIO, seconds: int) -> None:
    contexts: dict[bytes, object] = {}
    while (header := orders.read(HEADER)) and len(header) == HEADER:
        body = orders.read(int.from_bytes(header[1:], "big"))
        if header[:1] == b"C":
            contexts.pop(body[:8], None)
            contexts[body[:8]] = pickle.loads(body[8:])  # noqa: S301 - the parent's own objects
            if len(contexts) > CONTEXTS:
                del contexts[next(iter(contexts))]
            continue
        _allow(seconds)
        kind, reply = _do(body[8:], contexts.get(body[:8]))
        replies.write(kind + len(reply).to_bytes(8, "big") + reply)
        replies.flush()


def _do(pickled: bytes, context: object) -> tuple[bytes, bytes]:
    try:
        task = cast("Callable[[object], bytes]", pickle.loads(pickled))  # noqa: S301 - the parent's own objects
        _shut()  # the task's modules are imported now
        return b"R", task(context)
    except Exception as problem:  # noqa: BLE001 - whatever it is, it is this task's and not the next one's
        return b"E", type(problem).__name__.encode()[:_PROBLEM]


if __name__ == "__main__":
    main()
