"""How often Python looks for objects that refer to each other in a circle, while it serves: seldom, and at few.

A collection of everything stops the loop: with the catalog of 50,000 relations for a quarter of a second of CPU. By
default one follows whenever the objects that are not new have grown by a quarter, so that reading such a catalog meant
several. What is big does not need them: catalogs, results and what a session has prepared go with the last reference.
"""

from __future__ import annotations

import gc

_NEW = 10_000
"""Objects more than were freed, after which the new ones are looked at (gc.set_threshold; Python 3.11's own is 700)."""
_BETWEEN = 10
"""So many looks at the new ones lie between two at those that survived one, and so many of these between two at all."""


def collect_seldom() -> None:
    """Leave what the start has made alone for good, and look at the rest at longer intervals."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW, _BETWEEN, _BETWEEN)
