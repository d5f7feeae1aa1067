"""Several processes' metrics as one text: the same families, each sample with the label `worker`."""

from __future__ import annotations

from collections.abc import Mapping

_UP = "blastwall_worker_up"


def merged(texts: Mapping[int, bytes], workers: int) -> bytes:
    """Merge expositions in Prometheus' text format, by the number of the worker that each is from.

    A worker that gave none (it has just crashed) is told by `blastwall_worker_up`.
    """
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for worker, text in sorted(texts.items()):
        family = ""
        for line in text.decode().splitlines():
            if line.startswith("# "):
                family = line.split(" ", 3)[2]
                head = heads.setdefault(family, [])
                if line not in head:
                    head.append(line)
            elif line:
                samples.setdefault(family, []).append(_labelled(line, worker))
    lines = [line for family, head in heads.items() for line in (*head, *samples.get(family, ()))]
    lines += [f"# HELP {_UP} Whether a worker answered.", f"# TYPE {_UP} gauge"]
    lines += [f'{_UP}{{worker="{worker}"}} {float(worker in texts)}' for worker in range(1, workers + 1)]
    return ("\n".join(lines) + "\n").encode()


def _labelled(sample: str, worker: int) -> str:
    """Put the label first: a metric's name holds neither a brace nor a blank (Prometheus' data model)."""
    brace, blank = sample.find("{"), sample.find(" ")
    if 0 <= brace < blank:
        return f'{sample[:brace]}{{worker="{worker}",{sample[brace + 1 :]}'
    return f'{sample[:blank]}{{worker="{worker}"}}{sample[blank:]}'
