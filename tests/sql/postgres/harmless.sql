select 1;
select version();
select current_schema(), current_database(), current_user, session_user, pg_backend_pid();
begin;
begin isolation level repeatable read read only deferrable;
start transaction;
commit;
rollback;
savepoint a;
release savepoint a;
rollback to savepoint a;
set application_name = 'psql';
set extra_float_digits = 3;
set client_encoding to 'UTF8';
set names 'utf-8';
set datestyle to iso, mdy;
set time zone 'UTC';
set time zone interval '+02:00' hour to minute;
set intervalstyle = 'iso_8601';
set bytea_output = 'hex';
set standard_conforming_strings = on;
set statement_timeout = 0;
set local lock_timeout = '5s';
set idle_in_transaction_session_timeout to 1000;
set session characteristics as transaction read only;
set transaction isolation level serializable;
set client_min_messages to warning;
set search_path to public;
set jit = off;
reset all;
reset search_path;
show transaction isolation level;
show standard_conforming_strings;
show server_version;
show all;
select set_config('bytea_output', 'hex', false);
select set_config('jit', $1, true);
select current_setting('server_version_num');
discard all;
deallocate all;
close all;
listen channel;
unlisten *;
set constraints all deferred;
select pg_catalog.version();
SELECT n.nspname as "Schema", c.relname as "Name",
  CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' END as "Type",
  pg_catalog.pg_get_userbyid(c.relowner) as "Owner"
FROM pg_catalog.pg_class c
     LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
WHERE c.relkind IN ('r','p','v','m','S','f','')
      AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema'
  AND pg_catalog.pg_table_is_visible(c.oid)
ORDER BY 1,2;
SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname OPERATOR(pg_catalog.~) '^(orders)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid)
ORDER BY 2, 3;
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
  (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d
   WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef),
  a.attnotnull,
  (SELECT c.collname FROM pg_catalog.pg_collation c, pg_catalog.pg_type t
   WHERE c.oid = a.attcollation AND t.oid = a.atttypid AND a.attcollation <> t.typcollation) AS attcollation
FROM pg_catalog.pg_attribute a WHERE a.attrelid = '16384' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;
SELECT c2.relname, i.indisprimary, pg_catalog.pg_get_indexdef(i.indexrelid, 0, true),
  pg_catalog.pg_get_constraintdef(con.oid, true), contype
FROM pg_catalog.pg_class c, pg_catalog.pg_class c2, pg_catalog.pg_index i
  LEFT JOIN pg_catalog.pg_constraint con ON (conrelid = i.indrelid AND conindid = i.indexrelid AND contype IN ('p','u','x'))
WHERE c.oid = '16384' AND c.oid = i.indrelid AND i.indexrelid = c2.oid ORDER BY i.indisprimary DESC, c2.relname;
SELECT d.datname as "Name", pg_catalog.pg_get_userbyid(d.datdba) as "Owner",
  pg_catalog.pg_encoding_to_char(d.encoding) as "Encoding",
  pg_catalog.array_to_string(d.datacl, E'\n') AS "Access privileges"
FROM pg_catalog.pg_database d ORDER BY 1;
SELECT r.rolname, r.rolsuper, ARRAY(SELECT b.rolname FROM pg_catalog.pg_auth_members m
  JOIN pg_catalog.pg_roles b ON (m.roleid = b.oid) WHERE m.member = r.oid) as memberof
FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1;
SELECT p.proname, pg_catalog.pg_get_function_result(p.oid), pg_catalog.pg_get_function_arguments(p.oid)
FROM pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace ORDER BY 1;
SELECT typname AS name, oid, typarray AS array_oid, oid::regtype::text AS regtype, typdelim AS delimiter
FROM pg_type t WHERE t.oid = to_regtype($1) ORDER BY t.oid;
SELECT t.oid, t.typarray, t.typdelim, coalesce(a.fnames, '{}') AS fnames FROM pg_type t
LEFT JOIN (SELECT attrelid, array_agg(attname) AS fnames FROM (SELECT a.attrelid, a.attname FROM pg_attribute a
  JOIN pg_type t ON t.typrelid = a.attrelid WHERE a.attnum > 0 ORDER BY a.attnum) x GROUP BY attrelid) a
  ON a.attrelid = t.typrelid WHERE t.oid = 'x'::regtype;
WITH RECURSIVE typeinfo_tree(oid, ns, name, kind, depth) AS (
    SELECT ti.oid, ti.typnamespace, ti.typname, ti.typtype, 0 FROM pg_catalog.pg_type AS ti WHERE ti.oid = any($1::oid[])
    UNION ALL
    SELECT ti.oid, ti.typnamespace, ti.typname, ti.typtype, tt.depth + 1 FROM pg_catalog.pg_type ti, typeinfo_tree tt
    WHERE ti.oid = tt.ns)
SELECT DISTINCT *, oid::regtype::text AS basetype_name FROM typeinfo_tree ORDER BY depth DESC;
SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class
JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace
WHERE pg_catalog.pg_class.relname = $1::VARCHAR AND pg_catalog.pg_class.relkind = ANY (ARRAY[$2::VARCHAR, $3::VARCHAR])
AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid);
SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, c.relname AS TABLE_NAME,
 CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema' WHEN true THEN 'SYSTEM TABLE' ELSE 'TABLE' END AS TABLE_TYPE,
 d.description AS REMARKS
FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass)
WHERE c.relnamespace = n.oid ORDER BY TABLE_TYPE, TABLE_SCHEM, TABLE_NAME;
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public';
SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_name = 'orders';
select string_agg(setting, ', ') from pg_settings where name in ('TimeZone', 'DateStyle');
select pg_is_in_recovery(), txid_current(), now(), clock_timestamp();
select e.extname from pg_extension e;
select obj_description('orders'::regclass, 'pg_class'), pg_relation_size('orders'), pg_size_pretty(pg_database_size('shop'));
select has_table_privilege('orders', 'select'), to_regclass('orders');
select count(*) from pg_stat_user_tables;
select upper('a') || lower('B'), coalesce(null, 1), greatest(1, 2), substring('abc' from 1 for 2), extract(year from now());
select generate_series(1, 3), array_agg(x), json_build_object('a', 1), to_char(now(), 'YYYY') from unnest(array[1]) x;
select xmlelement(name foo, xmlattributes(true as bar)), xmlforest(1 as a, 'x' as b);
select ts_rewrite('a'::tsquery, 'a'::tsquery, 'b'::tsquery);
