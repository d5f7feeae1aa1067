// What users of node-postgres, Postgres.js, Knex, Sequelize and TypeORM do, as tests for node's own runner.
// PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE say where to connect, PGSSLROOTCERT whom to trust.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { after, before, describe, test } from "node:test";

const packages = createRequire(`${process.env.NODE_PACKAGES}/`);
const reached = {
  host: process.env.PGHOST,
  port: Number(process.env.PGPORT),
  user: process.env.PGUSER,
  password: process.env.PGPASSWORD,
  database: process.env.PGDATABASE,
  ssl: { ca: readFileSync(process.env.PGSSLROOTCERT), rejectUnauthorized: true },
};

/** Wait until it is so, or for half a minute. */
async function until(so) {
  for (let tried = 0; tried < 600 && !so(); tried += 1) await new Promise((on) => setTimeout(on, 50));
  assert.ok(so());
}

describe("node-postgres", () => {
  const pg = packages("pg");
  let client;
  before(async () => {
    client = new pg.Client(reached);
    await client.connect();
    await client.query("DROP TABLE IF EXISTS walk_pg");
    await client.query("CREATE TABLE walk_pg (id serial PRIMARY KEY, name text UNIQUE, paid numeric(10, 2), facts jsonb)");
  });
  after(() => client.end());

  test("types", async () => {
    const { rows, fields } = await client.query(
      `SELECT 1 AS i, 9007199254740993::bigint AS b, 1.5::float8 AS f, 2.50::numeric AS n, true AS t, 'x'::text AS s,
         '{"a": [1, null]}'::jsonb AS j, ARRAY[1, 2] AS a, '\\x00ff'::bytea AS y, '2026-01-02'::date AS d,
         '1 day 02:00'::interval AS v, NULL AS nothing`,
    );
    assert.equal(fields[1].dataTypeID, 20);
    assert.deepEqual([rows[0].i, rows[0].b, rows[0].f, rows[0].n, rows[0].t], [1, "9007199254740993", 1.5, "2.50", true]);
    assert.deepEqual([rows[0].j, rows[0].a, rows[0].nothing], [{ a: [1, null] }, [1, 2], null]);
    assert.deepEqual([...rows[0].y], [0, 255]);
    assert.deepEqual([rows[0].d.getFullYear(), rows[0].v.days, rows[0].v.hours], [2026, 1, 2]);
  });
  test("values apart from the text", async () => {
    const added = await client.query("INSERT INTO walk_pg (name, paid, facts) VALUES ($1, $2, $3) RETURNING *", [
      "ann", 2.5, { since: 2020 },
    ]);
    assert.deepEqual([added.command, added.rowCount, added.rows[0].paid], ["INSERT", 1, "2.50"]);
    const { rows } = await client.query({ text: "SELECT name FROM walk_pg WHERE name = $1", values: ["ann"], rowMode: "array" });
    assert.deepEqual(rows, [["ann"]]);
  });
  test("binary results", async () => {
    const { rows } = await client.query({ text: "SELECT $1::int AS i, $2::text AS s", values: [7, "seven"], binary: true });
    assert.deepEqual([rows[0].i, rows[0].s.toString()], [7, "seven"]);
  });
  test("a prepared statement that is used twice", async () => {
    const named = (n) => client.query({ name: "twice", text: "SELECT $1::int * 2 AS n", values: [n] });
    assert.deepEqual([(await named(2)).rows[0].n, (await named(3)).rows[0].n], [4, 6]);
  });
  test("several statements in one text", async () => {
    const found = await client.query("SELECT 1 AS a; SELECT 2 AS b; SELECT");
    assert.deepEqual(found.map((one) => one.rowCount), [1, 1, 1]);
  });
  test("queries that are sent without waiting", async () => {
    const found = await Promise.all(Array.from({ length: 200 }, (_, n) => client.query("SELECT $1::int AS n", [n])));
    assert.deepEqual(found.map((one) => one.rows[0].n), Array.from({ length: 200 }, (_, n) => n));
  });
  test("errors have PostgreSQL's fields, and the session goes on", async () => {
    const failed = await client.query("INSERT INTO walk_pg (name) VALUES ('bob'), ('bob')").catch((error) => error);
    assert.deepEqual([failed.code, failed.table, failed.constraint], ["23505", "walk_pg", "walk_pg_name_key"]);
    assert.equal(failed.detail, "Key (name)=(bob) already exists.");
    const wrong = await client.query("SELECT nothing FROM walk_pg").catch((error) => error);
    assert.deepEqual([wrong.code, wrong.position], ["42703", "8"]);
    assert.equal((await client.query("SELECT 1 AS one")).rows[0].one, 1);
  });
  test("a transaction with a savepoint", async () => {
    await client.query("BEGIN ISOLATION LEVEL SERIALIZABLE");
    await client.query("INSERT INTO walk_pg (name) VALUES ('cid')");
    await client.query("SAVEPOINT one");
    await assert.rejects(client.query("SELECT 1 / 0"), { code: "22012" });
    await assert.rejects(client.query("SELECT 1"), { code: "25P02" });
    await client.query("ROLLBACK TO SAVEPOINT one");
    await client.query("COMMIT");
    assert.equal((await client.query("SELECT FROM walk_pg WHERE name = 'cid'")).rowCount, 1);
  });
  test("notices and notifications", async () => {
    const heard = [];
    client.on("notice", (notice) => heard.push(notice.message));
    client.on("notification", ({ channel, payload }) => heard.push(`${channel}: ${payload}`));
    await client.query("DO $$ BEGIN RAISE NOTICE 'look'; END $$");
    await client.query("LISTEN walking");
    await client.query("SELECT pg_notify('walking', 'on')");
    await client.query("NOTIFY walking, 'there'");
    await until(() => heard.length === 3);
    assert.deepEqual(heard, ["look", "walking: on", "walking: there"]);
    await client.query("UNLISTEN *");
  });
  test("a cursor", async () => {
    const Cursor = packages("pg-cursor");
    const cursor = client.query(new Cursor("SELECT n FROM generate_series(1, $1::int) n", [250]));
    const lengths = [(await cursor.read(100)).length, (await cursor.read(100)).length, (await cursor.read(100)).length];
    assert.deepEqual(lengths, [100, 100, 50]);
    await cursor.close();
  });
  test("a cursor that is closed before its end", async () => {
    const Cursor = packages("pg-cursor");
    const cursor = client.query(new Cursor("SELECT n FROM generate_series(1, 1000) n"));
    assert.equal((await cursor.read(3)).length, 3);
    await cursor.close();
    assert.equal((await client.query("SELECT 1 AS one")).rows[0].one, 1);
  });
  test("COPY both ways", async () => {
    const { from, to } = packages("pg-copy-streams");
    const lines = Array.from({ length: 5000 }, (_, n) => `copied-${n}\t${n}.25\n`);
    await pipeline(Readable.from(lines), client.query(from("COPY walk_pg (name, paid) FROM STDIN")));
    let out = "";
    const copied = client.query(to("COPY (SELECT name, paid FROM walk_pg WHERE name LIKE 'copied%' ORDER BY id) TO STDOUT"));
    for await (const part of copied) out += part;
    assert.equal(out, lines.join(""));
  });
  test("COPY that fails", async () => {
    const { from } = packages("pg-copy-streams");
    const copying = pipeline(Readable.from(["only-one-column\tno number\n"]), client.query(from("COPY walk_pg (name, paid) FROM STDIN")));
    await assert.rejects(copying, { code: "22P02" });
    assert.equal((await client.query("SELECT 1 AS one")).rows[0].one, 1);
  });
  test("a large value", async () => {
    const large = "x".repeat(8 << 20);
    assert.equal((await client.query("SELECT $1::text AS s", [large])).rows[0].s, large);
  });
  test("a statement that is cancelled", async () => {
    const other = new pg.Client(reached);
    await other.connect();
    const sleeping = assert.rejects(client.query("SELECT pg_sleep(60)"), { code: "57014" });
    const asked = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND query LIKE '%pg_sleep(60)%'";
    let cancelled = 0;
    while (cancelled === 0) cancelled = (await other.query(asked, [client.processID])).rowCount;
    await sleeping;
    await other.end();
  });
  test("a statement_timeout given when connecting", async () => {
    const hurried = new pg.Client({ ...reached, statement_timeout: 1000, options: "-c search_path=pg_catalog -c work_mem=8MB" });
    await hurried.connect();
    await assert.rejects(hurried.query("SELECT pg_sleep(60)"), { code: "57014" });
    const { rows } = await hurried.query("SELECT current_setting('search_path') AS path, current_setting('work_mem') AS mem");
    assert.deepEqual(rows, [{ path: "pg_catalog", mem: "8MB" }]);
    await hurried.end();
  });
  test("a pool", async () => {
    const pool = new pg.Pool({ ...reached, max: 5, idleTimeoutMillis: 100 });
    const found = await Promise.all(Array.from({ length: 40 }, (_, n) => pool.query("SELECT $1::int AS n", [n])));
    assert.deepEqual(found.map((one) => one.rows[0].n), Array.from({ length: 40 }, (_, n) => n));
    await pool.end();
  });
});

describe("Postgres.js", () => {
  let sql;
  before(async () => {
    sql = packages("postgres")({ ...reached, username: reached.user, max: 4, onnotice: () => {} });
    await sql`DROP TABLE IF EXISTS walk_js`;
    await sql`CREATE TABLE walk_js (id int PRIMARY KEY, tags text[], facts jsonb, at timestamptz)`;
  });
  after(() => sql.end());

  test("its types, which it asks the catalog for", async () => {
    const at = new Date("2026-01-02T03:04:05.678Z");
    await sql`INSERT INTO walk_js ${sql({ id: 1, tags: ["a", "b c"], facts: { n: [1] }, at })}`;
    const [row] = await sql`SELECT * FROM walk_js WHERE id = ${1}`;
    assert.deepEqual({ ...row }, { id: 1, tags: ["a", "b c"], facts: { n: [1] }, at });
  });
  test("a pipeline within a transaction", async () => {
    const found = await sql.begin((tx) => [tx`SELECT 1 AS n`, tx`SELECT ${2}::int AS n`, tx`SELECT 3 AS n`]);
    assert.deepEqual(found.map(([row]) => row.n), [1, 2, 3]);
  });
  test("a savepoint that fails", async () => {
    const n = await sql.begin(async (tx) => {
      await tx`INSERT INTO walk_js (id) VALUES (2)`;
      await tx.savepoint((inner) => inner`INSERT INTO walk_js (id) VALUES (2)`).catch(() => {});
      return (await tx`SELECT count(*)::int AS n FROM walk_js WHERE id = 2`)[0].n;
    });
    assert.equal(n, 1);
  });
  test("cursors and what is sent row by row", async () => {
    const lengths = [];
    await sql`SELECT * FROM generate_series(1, 25)`.cursor(10, (rows) => lengths.push(rows.length));
    assert.deepEqual(lengths, [10, 10, 5]);
    let rows = 0;
    await sql`SELECT * FROM generate_series(1, 3000)`.forEach(() => (rows += 1));
    assert.equal(rows, 3000);
  });
  test("LISTEN on a connection of its own", async () => {
    const heard = [];
    const { unlisten } = await sql.listen("walk_js", (payload) => heard.push(payload));
    await sql.notify("walk_js", "hello");
    await until(() => heard.length === 1);
    assert.deepEqual(heard, ["hello"]);
    await unlisten();
  });
  test("cancelling a query", async () => {
    const sleeping = sql`SELECT pg_sleep(60)`;
    const failed = assert.rejects(sleeping.execute(), { code: "57014" });
    const asked = () => sql`SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'`;
    while ((await asked()).count === 0);
    sleeping.cancel();
    await failed;
  });
  test("COPY both ways", async () => {
    const into = await sql`COPY walk_js (id) FROM STDIN`.writable();
    await pipeline(Readable.from(["100\n", "101\n"]), into);
    let out = "";
    for await (const part of await sql`COPY (SELECT id FROM walk_js WHERE id >= 100 ORDER BY id) TO STDOUT`.readable()) out += part;
    assert.equal(out, "100\n101\n");
  });
  test("describing a statement", async () => {
    const { columns, types } = await sql`SELECT id, tags FROM walk_js WHERE id = ${1}`.describe();
    assert.deepEqual([columns.map((one) => one.name), types], [["id", "tags"], [23]]);
  });
  test("a file's several statements", async () => {
    const found = await sql.unsafe("SELECT 1 AS a; SELECT 2 AS b");
    assert.deepEqual(found.map(([row]) => Object.values(row)[0]), [1, 2]);
  });
});

describe("Knex", () => {
  let knex;
  before(() => {
    knex = packages("knex")({ client: "pg", connection: reached, pool: { min: 0, max: 4 } });
  });
  after(() => knex.destroy());

  test("its migrations, twice, and back", async () => {
    const steps = {
      "1": {
        up: async (schema) => {
          await schema.schema.createTable("walk_knex_shops", (table) => {
            table.increments();
            table.string("name").notNullable().unique();
            table.enu("kind", ["big", "small"], { useNative: true, enumName: "walk_knex_kind" });
            table.timestamps(true, true);
          });
          await schema.schema.createTable("walk_knex_orders", (table) => {
            table.uuid("id").primary().defaultTo(schema.raw("gen_random_uuid()"));
            table.integer("shop").references("walk_knex_shops.id").onDelete("CASCADE").index();
            table.jsonb("note");
          });
        },
        down: async (schema) => {
          await schema.schema.dropTable("walk_knex_orders").dropTable("walk_knex_shops");
          await schema.raw("DROP TYPE walk_knex_kind");
        },
      },
      "2": {
        up: (schema) => schema.schema.alterTable("walk_knex_shops", (table) => table.decimal("rent", 12, 2).defaultTo(0)),
        down: (schema) => schema.schema.alterTable("walk_knex_shops", (table) => table.dropColumn("rent")),
      },
    };
    const migrationSource = {
      getMigrations: async () => Object.keys(steps),
      getMigrationName: (name) => name,
      getMigration: async (name) => steps[name],
    };
    const migrations = { migrationSource, tableName: "walk_knex_migrations" };
    assert.deepEqual((await knex.migrate.latest(migrations))[1], ["1", "2"]);
    assert.deepEqual((await knex.migrate.latest(migrations))[1], []);
    const [shop] = await knex("walk_knex_shops").insert({ name: "corner", kind: "small" }).returning(["id", "rent"]);
    assert.equal(shop.rent, "0.00");
    await knex("walk_knex_orders").insert([{ shop: shop.id, note: { n: 1 } }, { shop: shop.id }]);
    await knex("walk_knex_shops").insert({ name: "corner", kind: "big" }).onConflict("name").merge();
    const found = await knex("walk_knex_shops").join("walk_knex_orders", "shop", "walk_knex_shops.id").groupBy("kind").select("kind").count();
    assert.deepEqual(found, [{ kind: "big", count: "2" }]);
    assert.equal(await knex.schema.hasColumn("walk_knex_shops", "rent"), true);
    assert.equal((await knex("walk_knex_shops").columnInfo("name")).maxLength, 255);
    await knex.migrate.rollback(migrations, true);
    assert.equal(await knex.schema.hasTable("walk_knex_shops"), false);
    await knex.schema.dropTable("walk_knex_migrations").dropTable("walk_knex_migrations_lock");
  });
  test("a transaction that fails", async () => {
    await assert.rejects(knex.transaction(async (tx) => {
      await tx.raw("CREATE TABLE walk_knex_gone (id int)");
      await tx.raw("SELECT 1 / 0");
    }), { code: "22012" });
    assert.equal(await knex.schema.hasTable("walk_knex_gone"), false);
  });
});

describe("Sequelize", () => {
  let sequelize, types;
  before(() => {
    const { Sequelize, DataTypes } = packages("sequelize");
    types = DataTypes;
    const { host, port, ssl } = reached;
    const options = { host, port, dialect: "postgres", dialectModule: packages("pg"), dialectOptions: { ssl }, logging: false };
    sequelize = new Sequelize(reached.database, reached.user, reached.password, options);
  });
  after(() => sequelize.close());

  test("its models: made, altered, used, described and dropped", async () => {
    const Shop = sequelize.define("WalkShop", { name: { type: types.STRING, unique: true }, kind: types.ENUM("big", "small"), tags: types.ARRAY(types.TEXT) });
    const Order = sequelize.define("WalkOrder", { total: types.DECIMAL(10, 2), note: types.JSONB });
    Shop.hasMany(Order);
    Order.belongsTo(Shop);
    await sequelize.sync({ force: true });
    await sequelize.sync({ alter: true });
    const shop = await Shop.create({ name: "corner", kind: "small", tags: ["a", "b"], WalkOrders: [{ total: 2.5, note: { n: 1 } }, { total: 3 }] }, { include: Order });
    assert.deepEqual(shop.tags, ["a", "b"]);
    const [, created] = await Shop.findOrCreate({ where: { name: "corner" } });
    assert.equal(created, false);
    await Shop.upsert({ name: "corner", kind: "big" });
    const found = await Shop.findAll({ include: { model: Order, where: { note: { n: 1 } } } });
    assert.deepEqual([found.length, found[0].kind, found[0].WalkOrders.length], [1, "big", 1]);
    assert.equal(await Order.sum("total"), 5.5);
    await Order.bulkCreate(Array.from({ length: 500 }, (_, n) => ({ total: n })));
    assert.equal(await Order.count(), 502);
    assert.equal((await sequelize.getQueryInterface().describeTable("WalkShops")).name.type, "CHARACTER VARYING(255)");
    const indexes = await sequelize.getQueryInterface().showIndex("WalkShops");
    assert.ok(indexes.some((one) => one.name === "WalkShops_name_key" && one.unique));
    await assert.rejects(Shop.create({ name: "corner" }), { name: "SequelizeUniqueConstraintError" });
    await sequelize.drop({});
  });
  test("a transaction", async () => {
    const failing = sequelize.transaction({ isolationLevel: "REPEATABLE READ" }, async (transaction) => {
      await sequelize.query("CREATE TABLE walk_gone (id int)", { transaction });
      throw new Error("back");
    });
    await assert.rejects(failing, /back/);
    const [rows] = await sequelize.query("SELECT to_regclass('walk_gone') AS found");
    assert.deepEqual(rows, [{ found: null }]);
  });
});

describe("TypeORM", () => {
  test("its schema: made, compared, used and dropped", async () => {
    const { DataSource, EntitySchema } = packages("typeorm");
    const Shop = new EntitySchema({
      name: "WalkTypeShop",
      columns: {
        id: { type: "uuid", primary: true, generated: "uuid" },
        name: { type: String, unique: true },
        kind: { type: "enum", enum: ["big", "small"], default: "small" },
        made: { type: "timestamptz", createDate: true },
      },
      relations: { orders: { type: "one-to-many", target: "WalkTypeOrder", inverseSide: "shop", cascade: true } },
    });
    const Order = new EntitySchema({
      name: "WalkTypeOrder",
      columns: { id: { type: Number, primary: true, generated: true }, note: { type: "jsonb", nullable: true } },
      relations: { shop: { type: "many-to-one", target: "WalkTypeShop", inverseSide: "orders", onDelete: "CASCADE" } },
    });
    const { user: username, ...rest } = reached;
    const source = new DataSource({ type: "postgres", ...rest, username, driver: packages("pg"), entities: [Shop, Order], schema: "public", uuidExtension: "pgcrypto", installExtensions: false });
    await source.initialize();
    await source.synchronize();
    const changes = await source.driver.createSchemaBuilder().log();
    assert.deepEqual(changes.upQueries, []);
    const shops = source.getRepository("WalkTypeShop");
    const { id } = await shops.save({ name: "corner", orders: [{ note: { n: 1 } }, {}] });
    const found = await shops.findOne({ where: { id }, relations: { orders: true } });
    assert.deepEqual([found.kind, found.orders.length], ["small", 2]);
    await shops.upsert({ name: "corner", kind: "big" }, ["name"]);
    assert.deepEqual(await shops.findAndCount({ where: { kind: "big" } }).then(([, n]) => n), 1);
    await assert.rejects(source.transaction((tx) => tx.save("WalkTypeShop", { name: "corner" })), { code: "23505" });
    const locked = await source.transaction((tx) => tx.findOne("WalkTypeShop", { where: { id }, lock: { mode: "pessimistic_write" } }));
    assert.equal(locked.name, "corner");
    await source.dropDatabase();
    await source.destroy();
  });
});
