"""What reading one request may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`text` in characters, `depth` in levels of nesting, `statements` and `queries` a request, followed code included.

    `steps` bounds the work over all passes: one step is some microseconds.
    """

    text: int = 1 << 20
    depth: int = 200
    statements: int = 5_000
    queries: int = 5_000
    steps: int = 300_000
