"""What binding values runs: a client may declare a parameter to be of any type, whose checks judge the value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from blastwall.sql.postgres.catalog import Catalog
from blastwall.sql.postgres.following import Follower
from blastwall.sql.postgres.guard import Limits
from blastwall.sql.postgres.state import NameState
from blastwall.sql.postgres.statement import Classified

FIRST_OWN = 16_384
"""FirstNormalObjectId of PostgreSQL's transam.h: OIDs from here on are a database's own."""


def bound_as(classified: Classified, types: Sequence[int], catalog: Catalog, state: NameState) -> Classified:
    """Return a statement with what its parameters do by their types' OIDs (0 where the client leaves one open)."""
    own = [type_ for type_ in types if type_ >= FIRST_OWN]
    functions = dict.fromkeys(oid for type_ in own for oid in catalog.attachments.type_code.get(type_, ()))
    if not functions:
        return classified
    follower = Follower(catalog, state, Limits())
    effects = dict.fromkeys(classified.effects)
    for oid in functions:
        effects.update(dict.fromkeys(sorted(follower.run(oid), key=str)))
    return replace(classified, effects=tuple(effects))
