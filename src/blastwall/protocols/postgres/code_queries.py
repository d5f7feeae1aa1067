"""Which functions run though no statement names them: the side connection's query for code behind tables and types.

It looks into the stored trees of expressions, where the server has decided already what is meant, and spreads the code
of a type (the functions of its casts, a domain's checks and default, a range's functions, those of its operator
classes) over whatever is made of the type: domains over it, arrays, ranges, row types.
"""

from __future__ import annotations

CODE = r"""
WITH RECURSIVE up(child, parent) AS (
  SELECT inhrelid, inhparent FROM pg_inherits
  UNION SELECT up.child, i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.parent
), written(relid, tree) AS (
  SELECT adrelid, adbin::text FROM pg_attrdef
  UNION ALL SELECT conrelid, conbin::text FROM pg_constraint WHERE conbin IS NOT NULL AND conrelid <> 0
  UNION ALL SELECT indrelid, concat(indexprs::text, indpred::text) FROM pg_index
            WHERE indrelid >= 16384 AND (indexprs IS NOT NULL OR indpred IS NOT NULL)
  UNION ALL SELECT partrelid, partexprs::text FROM pg_partitioned_table WHERE partexprs IS NOT NULL
  UNION ALL SELECT up.child, p.partexprs::text FROM up JOIN pg_partitioned_table p ON p.partrelid = up.parent
            WHERE p.partexprs IS NOT NULL
  UNION ALL SELECT tgrelid, tgqual::text FROM pg_trigger WHERE tgqual IS NOT NULL AND tgenabled <> 'D'
), seen(relid, tree) AS (
  SELECT polrelid, concat(polqual::text, polwithcheck::text) FROM pg_policy
  UNION ALL SELECT d.adrelid, d.adbin::text FROM pg_attrdef d
            JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE a.attgenerated = 'v'
), keys(relid, opclass) AS (
  SELECT partrelid, unnest(partclass::oid[]) FROM pg_partitioned_table
), trees(relid, what, tree) AS (
  SELECT relid, 'written', tree FROM written
  UNION ALL SELECT relid, 'seen', tree FROM seen
  UNION ALL SELECT stxrelid, 'analyzed', stxexprs::text FROM pg_statistic_ext WHERE stxexprs IS NOT NULL
), of_types(type, tree) AS (
  SELECT contypid, conbin::text FROM pg_constraint WHERE contypid >= 16384
  UNION ALL SELECT oid, typdefaultbin::text FROM pg_type WHERE oid >= 16384 AND typdefaultbin IS NOT NULL
), comparing(opclass, function) AS (
  SELECT o.oid, p.amproc::oid FROM pg_opclass o JOIN pg_amproc p ON p.amprocfamily = o.opcfamily WHERE p.amproc >= 16384
), code(type, function) AS (
  SELECT t.oid, c.castfunc::oid
  FROM pg_cast c JOIN pg_type t ON t.oid = c.casttarget OR (t.oid = c.castsource AND t.oid >= 16384)
  WHERE c.oid >= 16384 AND c.castfunc <> 0 AND (t.oid >= 16384 OR c.castsource < 16384)
  UNION ALL SELECT type, m[1]::oid FROM of_types, regexp_matches(tree, ':(?:funcid|opfuncid) (\d+)', 'g') m
  UNION ALL SELECT r.rngtypid, f FROM pg_range r, unnest(ARRAY[r.rngcanonical::oid, r.rngsubdiff::oid]) f
            WHERE r.rngtypid >= 16384 AND f >= 16384
  UNION ALL SELECT r.rngtypid, c.function FROM pg_range r JOIN comparing c ON c.opclass = r.rngsubopc
            WHERE r.rngtypid >= 16384
  UNION ALL SELECT o.opcintype, c.function FROM pg_opclass o JOIN comparing c ON c.opclass = o.oid
            WHERE o.opcintype >= 16384
), holds(part, whole) AS (
  SELECT typbasetype, oid FROM pg_type WHERE typbasetype >= 16384
  UNION ALL SELECT typelem, oid FROM pg_type WHERE typelem >= 16384
  UNION ALL SELECT rngsubtype, rngtypid FROM pg_range WHERE rngsubtype >= 16384
  UNION ALL SELECT rngtypid, rngmultitypid FROM pg_range WHERE rngtypid >= 16384
  UNION ALL SELECT a.atttypid, c.reltype FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            WHERE a.atttypid >= 16384 AND a.attnum > 0 AND c.reltype <> 0
  UNION ALL SELECT m[1]::oid, type FROM of_types, regexp_matches(tree, ':resulttype (\d+)', 'g') m
), spread(type, function) AS (
  SELECT type, function FROM code
  UNION SELECT h.whole, s.function FROM spread s JOIN holds h ON h.part = s.type
)
SELECT DISTINCT relid::oid, what, m[1] FROM trees,
       regexp_matches(tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') m
UNION ALL SELECT DISTINCT t.relid::oid, t.what, s.function::text FROM trees t,
       regexp_matches(t.tree, ':resulttype (\d+)', 'g') m JOIN spread s ON s.type = m[1]::oid
       WHERE t.tree LIKE '%:resulttype %'
UNION ALL SELECT DISTINCT i.indrelid, 'written', c.function::text
       FROM pg_index i, unnest(i.indclass::oid[]) k(opclass) JOIN comparing c USING (opclass)
UNION ALL SELECT k.relid, 'seen', c.function::text FROM keys k JOIN comparing c USING (opclass)
UNION ALL SELECT up.child, 'seen', c.function::text FROM up JOIN keys k ON k.relid = up.parent
       JOIN comparing c USING (opclass)
UNION ALL SELECT c.oid, 'seen', s.function::text FROM spread s JOIN pg_class c ON c.reltype = s.type
       WHERE c.relkind <> 'c'
UNION ALL SELECT DISTINCT relid::oid, 'consulted', m[1] FROM seen, regexp_matches(tree, ':relid (\d+)', 'g') m
UNION ALL SELECT s.type, 'type', json_build_array(t.typname, s.function::int8)::text
       FROM spread s JOIN pg_type t ON t.oid = s.type
UNION ALL SELECT o.oid, 'type', json_build_array(o.opcname, c.function::int8)::text
       FROM comparing c JOIN pg_opclass o ON o.oid = c.opclass
UNION ALL SELECT o.oid, 'operator', json_build_array(n.nspname, o.oprname, p.amproc::oid::int8)::text
       FROM pg_amproc p JOIN pg_amop a ON a.amopfamily = p.amprocfamily JOIN pg_operator o ON o.oid = a.amopopr
       JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE p.amproc >= 16384 AND o.oid >= 16384
UNION ALL SELECT DISTINCT p.oid, 'implied', s.function::text
       FROM pg_proc p, unnest(p.proargtypes::oid[] || p.prorettype || coalesce(p.proallargtypes, '{}')) u(type)
       JOIN spread s ON s.type = u.type WHERE p.oid >= 16384
UNION ALL SELECT a.aggfnoid::oid, 'implied', f::text FROM pg_aggregate a, unnest(ARRAY[
         a.aggtransfn::oid, a.aggfinalfn::oid, a.aggcombinefn::oid, a.aggserialfn::oid, a.aggdeserialfn::oid,
         a.aggmtransfn::oid, a.aggminvtransfn::oid, a.aggmfinalfn::oid]) f
       WHERE a.aggfnoid >= 16384 AND f >= 16384
UNION ALL SELECT a.aggfnoid::oid, 'implied', s.function::text
       FROM pg_aggregate a JOIN spread s ON s.type = a.aggtranstype WHERE a.aggfnoid >= 16384
"""
"""Rows of (OID, what, detail): the OID of a relation, a type or operator class ('type') or a function ('implied').

An operator runs the functions of its operator classes where rows are sorted by it or found through an index.
"""
