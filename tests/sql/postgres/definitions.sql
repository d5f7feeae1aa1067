-- What stands in the database that definitions.yaml speaks of.
CREATE TABLE vault (id int PRIMARY KEY, x text);
CREATE TABLE orders (
  id serial PRIMARY KEY, vault_id int REFERENCES vault ON DELETE CASCADE ON UPDATE CASCADE, note text
);
CREATE TABLE lines (order_id int REFERENCES orders ON DELETE SET NULL, n int);
CREATE TABLE audit (message text);
CREATE TABLE plain (a int, b text);
CREATE TABLE hooked (a int);
CREATE TABLE noted (a text);
CREATE SCHEMA hidden;
CREATE TABLE hidden.hidden_things (a int);
CREATE SEQUENCE shared_numbers;
CREATE TABLE numbered (a int DEFAULT nextval('shared_numbers'));
CREATE TABLE identified (a int GENERATED ALWAYS AS IDENTITY, b text DEFAULT now()::text);

CREATE FUNCTION peek(text) RETURNS text LANGUAGE sql AS 'SELECT x FROM vault LIMIT 1';
CREATE FUNCTION pure(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
CREATE FUNCTION liar(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
  BEGIN EXECUTE 'DELETE FROM vault'; RETURN $1; END $$;
CREATE FUNCTION wipes() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM audit; RETURN 1; END $$;
CREATE FUNCTION narrowly(int) RETURNS int LANGUAGE sql AS 'DELETE FROM vault WHERE id = $1; SELECT 1';
CREATE FUNCTION owned(int) RETURNS int LANGUAGE sql SECURITY DEFINER
  BEGIN ATOMIC UPDATE vault SET x = '' WHERE id = $1; SELECT 1; END;
CREATE FUNCTION calls_owned() RETURNS int LANGUAGE sql AS 'SELECT owned(1)';
CREATE FUNCTION dynamic(text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE $1; RETURN 1; END $$;
CREATE FUNCTION paths() RETURNS int LANGUAGE sql SET search_path = hidden AS 'SELECT count(*)::int FROM hidden_things';
CREATE FUNCTION again(int) RETURNS int LANGUAGE plpgsql AS $$
  BEGIN IF $1 > 0 THEN RETURN again($1 - 1); END IF; DELETE FROM plain WHERE a = $1; RETURN 1; END $$;
CREATE FUNCTION ping(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION pong(int) RETURNS int LANGUAGE sql AS 'SELECT ping($1) FROM audit';
CREATE OR REPLACE FUNCTION ping(int) RETURNS int LANGUAGE sql AS 'SELECT pong($1) FROM vault';
CREATE FUNCTION over(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION over(text) RETURNS int LANGUAGE sql AS 'DELETE FROM audit; SELECT 1';
CREATE FUNCTION by_default(a text DEFAULT peek('')) RETURNS text LANGUAGE sql AS 'SELECT a';
CREATE PROCEDURE moves() LANGUAGE sql AS 'INSERT INTO audit SELECT x FROM vault';
CREATE FUNCTION sees_rows() RETURNS SETOF vault LANGUAGE sql STABLE AS 'SELECT * FROM vault';
CREATE AGGREGATE strange (text) (sfunc = textcat, stype = text);

CREATE FUNCTION log_order() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN INSERT INTO audit VALUES (new.note); RETURN new; END $$;
CREATE TRIGGER log AFTER INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION log_order();
CREATE FUNCTION hidden_hook() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN EXECUTE 'TABLE vault'; RETURN NULL; END $$;
CREATE TRIGGER hook AFTER DELETE ON hooked FOR EACH STATEMENT EXECUTE FUNCTION hidden_hook();
CREATE TRIGGER off BEFORE INSERT ON hooked FOR EACH ROW EXECUTE FUNCTION hidden_hook();
ALTER TABLE hooked DISABLE TRIGGER off;
CREATE FUNCTION emptied() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM audit; RETURN NULL; END $$;
CREATE TRIGGER emptied AFTER TRUNCATE ON hooked FOR EACH STATEMENT EXECUTE FUNCTION emptied();
CREATE TRIGGER builtin BEFORE UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE FUNCTION guarded() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
  BEGIN UPDATE vault SET x = '' WHERE id = 1; RETURN new; END $$;
CREATE TRIGGER guarded BEFORE INSERT ON noted FOR EACH ROW EXECUTE FUNCTION guarded();
CREATE TABLE picky (a text);
CREATE TRIGGER picky BEFORE INSERT ON picky FOR EACH ROW WHEN (peek(new.a) IS NOT NULL)
  EXECUTE FUNCTION suppress_redundant_updates_trigger();

CREATE VIEW shown AS SELECT x FROM vault;
CREATE VIEW shown_again AS SELECT x FROM shown;
CREATE VIEW computed AS SELECT peek(b) AS p FROM plain;
CREATE VIEW counted AS SELECT a, (SELECT count(*) FROM vault) AS n FROM plain;
CREATE VIEW simple AS SELECT a, b FROM plain;
CREATE VIEW instead AS SELECT a FROM plain;
CREATE FUNCTION instead_of() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN INSERT INTO audit VALUES ('x'); RETURN NULL; END $$;
CREATE TRIGGER instead INSTEAD OF INSERT ON instead FOR EACH ROW EXECUTE FUNCTION instead_of();
CREATE MATERIALIZED VIEW kept AS SELECT x FROM vault;
CREATE VIEW ruled AS SELECT 1 AS a;
CREATE RULE ruled_insert AS ON INSERT TO ruled DO INSTEAD INSERT INTO audit SELECT x FROM vault;
CREATE RULE also AS ON DELETE TO audit DO ALSO DELETE FROM vault;
CREATE TABLE ruled_table (a int);
CREATE RULE several AS ON UPDATE TO ruled_table DO ALSO (INSERT INTO plain VALUES (new.a); DELETE FROM noted);
CREATE RULE conditional AS ON INSERT TO ruled_table WHERE peek('') = 'x' DO ALSO NOTHING;

CREATE TABLE defaulted (a text DEFAULT peek('a'), b text);
CREATE TABLE checked (a text CHECK (peek(a) IS NULL));
CREATE TABLE indexed (a text);
CREATE INDEX ON indexed (liar(a));
CREATE TABLE pure_index (a text);
CREATE INDEX ON pure_index (pure(a));
CREATE TABLE generated (a text, b text GENERATED ALWAYS AS (liar(a)) STORED);
CREATE TABLE slow (a text DEFAULT pg_sleep(0)::text);
CREATE DOMAIN watched AS text CHECK (peek(value) IS NULL);
CREATE TABLE of_domain (a watched);
CREATE TABLE guarded_rows (a int, who text);
ALTER TABLE guarded_rows ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON guarded_rows USING (EXISTS (SELECT FROM audit WHERE message = who) AND peek(who) IS NULL);

CREATE TABLE parts (a int, b text) PARTITION BY RANGE (a);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);
CREATE FUNCTION log_part() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN INSERT INTO audit VALUES ('p'); RETURN NULL; END $$;
CREATE TRIGGER on_part AFTER INSERT ON part_2 FOR EACH ROW EXECUTE FUNCTION log_part();
CREATE TABLE parent (a int);
CREATE TABLE heir (b int) INHERITS (parent);
CREATE TABLE grandheir (c int) INHERITS (heir);

CREATE TYPE pair AS (a int, b int);
CREATE FUNCTION as_pair(int) RETURNS pair LANGUAGE sql AS 'DELETE FROM audit; SELECT ROW($1, $1)::pair';
CREATE CAST (int AS pair) WITH FUNCTION as_pair(int);
CREATE TABLE paired (a pair);
CREATE FUNCTION odd(point, text) RETURNS bool LANGUAGE sql AS 'DELETE FROM plain; SELECT true';
CREATE OPERATOR <-> (leftarg = point, rightarg = text, function = odd);
CREATE OPERATOR === (leftarg = point, rightarg = text, function = odd);

CREATE VIEW middle AS SELECT a, b FROM plain;
CREATE TRIGGER middle INSTEAD OF UPDATE ON middle FOR EACH ROW EXECUTE FUNCTION instead_of();
CREATE VIEW outermost AS SELECT a, b FROM middle;
CREATE VIEW joined AS SELECT p.a, v.x FROM plain p JOIN vault v ON v.id = p.a;
CREATE FUNCTION composed() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM wipes(); CALL moves(); RETURN 1; END $$;
CREATE FUNCTION loops() RETURNS SETOF text LANGUAGE plpgsql AS $$
  DECLARE r record; BEGIN FOR r IN SELECT x FROM shown LOOP RETURN NEXT r.x; END LOOP; END $$;
CREATE FUNCTION catches() RETURNS int LANGUAGE plpgsql AS $$
  BEGIN RAISE EXCEPTION 'x'; EXCEPTION WHEN others THEN DELETE FROM noted; RETURN 1; END $$;
CREATE FUNCTION assigns() RETURNS text LANGUAGE plpgsql AS $$ DECLARE v text := (SELECT x FROM vault LIMIT 1); BEGIN RETURN v; END $$;
CREATE FUNCTION sets_path() RETURNS int LANGUAGE plpgsql AS $$ BEGIN SET search_path TO hidden; RETURN 1; END $$;
CREATE FUNCTION makes_temp() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE shadow (a int); RETURN 1; END $$;
CREATE FUNCTION locks() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM vault FOR UPDATE';
CREATE FUNCTION empties() RETURNS int LANGUAGE plpgsql AS $$ BEGIN TRUNCATE noted; RETURN 1; END $$;
CREATE FUNCTION grants() RETURNS int LANGUAGE plpgsql AS $$ BEGIN GRANT SELECT ON vault TO public; RETURN 1; END $$;
CREATE FUNCTION files() RETURNS text LANGUAGE sql AS $$ SELECT pg_read_file('PG_VERSION') $$;
CREATE FUNCTION shows() RETURNS text LANGUAGE sql AS $$ SELECT query_to_xml('TABLE vault', true, true, '')::text $$;

-- Types, and what holds their values.
CREATE DOMAIN amount AS int;
CREATE DOMAIN small_amount AS amount;
CREATE TYPE couple AS (a small_amount, b text);
CREATE TABLE paid (n amount);
CREATE TABLE paid_part () INHERITS (paid);
CREATE TABLE couples (p couple[]);
CREATE VIEW shown_paid AS SELECT n FROM paid;
CREATE TYPE shape AS (secret text, open text);
CREATE TABLE shaped OF shape;
CREATE TABLE shaped_part () INHERITS (shaped);
CREATE TYPE hidden.amount AS ENUM ('a');
CREATE TABLE hidden.amounts (n hidden.amount);
CREATE TABLE whole_row (a int);
CREATE TABLE holds_rows (w whole_row);
CREATE TABLE decides (a int);
CREATE TABLE decided (a int);
CREATE POLICY decided ON decided AS RESTRICTIVE USING (EXISTS (SELECT FROM decides));
CREATE DOMAIN fee AS int;
CREATE TABLE fees (n fee);
CREATE DOMAIN fee_list AS int[];
CREATE TABLE fee_lists (n fee_list);

CREATE TABLE moving (a int PRIMARY KEY) PARTITION BY LIST (a);
CREATE TABLE moving_1 PARTITION OF moving FOR VALUES IN (1);
CREATE TABLE moving_2 PARTITION OF moving FOR VALUES IN (2);
CREATE TABLE of_moving (a int REFERENCES moving ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE of_moving_1 (a int REFERENCES moving_1 ON DELETE CASCADE);
INSERT INTO moving VALUES (1);
INSERT INTO of_moving VALUES (1);
INSERT INTO of_moving_1 VALUES (1);
CREATE TABLE judged (a int);
CREATE TABLE judging (a int);
INSERT INTO judging VALUES (1);
CREATE VIEW checking AS SELECT a FROM judged WHERE EXISTS (SELECT FROM judging WHERE judging.a = judged.a)
  WITH CHECK OPTION;
CREATE VIEW checking_below AS SELECT a FROM checking;
CREATE VIEW unchecking AS SELECT a FROM judged WHERE EXISTS (SELECT FROM judging WHERE judging.a = judged.a);
CREATE VIEW checking_all AS SELECT a FROM unchecking WITH CASCADED CHECK OPTION;

-- Code that nothing names: checks, casts and steps of types, aggregates, statistics and partitions; each takes its toll.
CREATE TABLE tolls (name text);
CREATE FUNCTION toll() RETURNS void LANGUAGE sql AS $$ INSERT INTO public.tolls VALUES ('x') $$;
CREATE FUNCTION tolled(text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.toll(); RETURN true; END $$;
CREATE FUNCTION tolled(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.toll(); RETURN $1; END $$;
CREATE DOMAIN gated AS text CHECK (tolled(value));
CREATE DOMAIN gated_twice AS gated;
CREATE TYPE gate AS (a gated, b int);
CREATE TABLE of_gated (a gated_twice);
CREATE TABLE of_gates (g gate[]);
CREATE TABLE gated_default (a text DEFAULT ('x'::gated)::text, b int);
CREATE FUNCTION gives_gated(text) RETURNS gated LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE FUNCTION takes_gate(gate) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION any_record() RETURNS SETOF record LANGUAGE sql AS $$ SELECT 'a'::text $$;
CREATE FUNCTION step(int, int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM toll(); RETURN $1; END $$;
CREATE AGGREGATE stepwise (int) (sfunc = step, stype = int, initcond = '0');
CREATE TABLE sampled (a int, b int);
INSERT INTO sampled SELECT i, i FROM generate_series(1, 9) i;
CREATE STATISTICS on_sampled ON (tolled(a)), b FROM sampled;
CREATE TABLE by_code (a int) PARTITION BY LIST (tolled(a));
CREATE TABLE by_code_4 PARTITION OF by_code FOR VALUES IN (4);
CREATE TABLE lone (a int);
INSERT INTO lone VALUES (1);
CREATE FUNCTION lone_text(lone) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM toll(); RETURN ''; END $$;
CREATE CAST (lone AS text) WITH FUNCTION lone_text(lone) AS IMPLICIT;
CREATE FUNCTION of_box(box, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN PERFORM toll(); RETURN true; END $$;
CREATE OPERATOR hidden.~~ (leftarg = box, rightarg = text, function = of_box);
CREATE OPERATOR hidden.= (leftarg = box, rightarg = text, function = of_box);
CREATE OPERATOR hidden.>= (leftarg = box, rightarg = text, function = of_box);
CREATE OPERATOR hidden.<= (leftarg = box, rightarg = text, function = of_box);
