"""Names for numbers, truths and bytes that compiled twins keep as C's own; in plain Python they are Python's.

They say a promise, too: a `Whole` fits 64 bits. `tools/check_twins.py` reads the annotations of typed classes.
"""

from __future__ import annotations

Whole = int
Real = float
Flag = bool
Octets = bytes
