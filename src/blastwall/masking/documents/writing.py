"""Bytes written anew with what is shown in the place of some of them."""

from __future__ import annotations

from blastwall.masking.fast.cells import KEPT, NULL, Cells


def spliced(cells: Cells, stop: int, nothing: bytes) -> bytes:
    """Return the buffer of `cells`, one column of them, up to `stop`; `nothing` is shown in the place of NULL."""
    places, shown = cells.places, cells.shown
    pieces: list[bytes] = []
    kept = 0
    for cell in range(cells.count):
        size = shown[2 * cell + 1]
        if size != KEPT:
            start = places[2 * cell]
            begin = shown[2 * cell]
            pieces += (cells.buffer[kept:start], nothing if size == NULL else bytes(cells.text[begin : begin + size]))
            kept = start + places[2 * cell + 1]
    pieces.append(cells.buffer[kept:stop])
    return b"".join(pieces)
