"""Constraints and generated columns as the catalog tells them: what a write compares, what a value is made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace

from blastwall.protocols.slices import Sliced, parts
from blastwall.sql.postgres import Catalog, Relation

Row = Sequence[str | None]

CHECKS = """
WITH keys AS (
  SELECT i.indrelid AS relation, json_agg(a.attname) AS names
  FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum > 0
  WHERE (i.indisunique OR i.indisexclusion) AND i.indrelid >= 16384
    AND (a.attnum = ANY (i.indkey) OR (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL) AND EXISTS (
      SELECT FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))
  GROUP BY i.indexrelid, i.indrelid),
constraints AS (
  SELECT c.contype, c.conrelid, c.confrelid,
         (SELECT json_agg(attname) FROM pg_attribute WHERE attrelid = c.conrelid AND attnum = ANY (c.conkey)) AS own,
         (SELECT json_agg(attname) FROM pg_attribute WHERE attrelid = c.confrelid AND attnum = ANY (c.confkey)) AS other
  FROM pg_constraint c WHERE c.contype IN ('f', 'c') AND c.conrelid >= 16384)
SELECT relation, 'k', names, relation, names FROM keys
UNION ALL SELECT conrelid, 'f', own, confrelid, other FROM constraints WHERE contype = 'f'
UNION ALL SELECT conrelid, 'c', own, conrelid, own FROM constraints WHERE contype = 'c'
"""
"""Unique and exclusion keys with the columns of their expressions, foreign keys, checks."""

GENERATED = """
SELECT a.attrelid, a.attname, json_agg(DISTINCT o.attname), 'generated'
FROM pg_attribute a
JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid > 0
     AND (d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
          OR d.classid = 'pg_class'::regclass AND d.objid = a.attrelid AND d.objsubid = a.attnum)
JOIN pg_attribute o ON o.attrelid = a.attrelid AND o.attnum = d.refobjsubid
WHERE a.attgenerated <> '' AND o.attnum <> a.attnum
GROUP BY a.attrelid, a.attname
UNION ALL SELECT a.attrelid, NULL, json_agg(a.attname), 'defaults'
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
      AND (a.atthasdef OR a.attidentity <> '' OR t.typdefaultbin IS NOT NULL)
GROUP BY a.attrelid
UNION ALL SELECT a.attrelid, NULL, json_agg(a.attname), 'key'
FROM pg_partitioned_table p JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum > 0
WHERE a.attnum = ANY (p.partattrs) OR EXISTS (
  SELECT FROM pg_depend d
  WHERE d.classid = 'pg_class'::regclass AND d.objid = p.partrelid AND d.objsubid = a.attnum
    AND d.refclassid = 'pg_class'::regclass AND d.refobjid = p.partrelid AND d.refobjsubid = 0)
GROUP BY a.attrelid
"""
"""Generated columns, stored and virtual, with the columns of the row that they are made of; columns with a default of
their own or their type's; the columns of partition keys."""


def generate(found: dict[int, Relation], generated: Iterable[Row]) -> None:
    """Add to relations, by OID, their generated columns, those with defaults, and their partition keys."""
    for oid, name, made_of, what in generated:
        relation = found.get(int(oid or 0))
        if relation is None:
            continue
        names = frozenset(_names(made_of))
        match what:
            case "defaults":
                found[relation.oid] = replace(relation, defaults=names)
            case "key":
                found[relation.oid] = replace(relation, key=names)
            case _:
                found[relation.oid] = replace(relation, generated=(*relation.generated, (name or "", names)))


def constrain(catalog: Catalog, checks: Sequence[Row]) -> Sliced[None]:
    """Add to a catalog that is being put together the constraints of its relations."""
    for part in parts(checks):
        for oid, kind, written, other, compared in part:
            names, others = tuple(_names(written)), tuple(_names(compared))
            catalog.constrain(int(oid or 0), (kind or "", names, int(other or 0), others))
        yield


def _names(value: str | None) -> Iterable[str]:
    return [str(name) for name in json.loads(value or "[]") or []]
