// What users of pgjdbc do, in each of the ways in which the driver can be told to ask. PGHOST, PGPORT, PGUSER, PGPASSWORD
// and PGDATABASE say where to connect, PGSSLROOTCERT whom to trust. `Walk RESULTS TOLD` writes a line for each test into
// RESULTS (its name, `passed` or `failed`, and what it said), and what the driver tells of the database into TOLD.
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.StringReader;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.*;
import java.time.*;
import java.util.*;
import java.util.concurrent.*;
import javax.sql.PooledConnection;
import javax.sql.XAConnection;
import javax.transaction.xa.XAException;
import javax.transaction.xa.XAResource;
import javax.transaction.xa.Xid;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.PGStatement;
import org.postgresql.copy.CopyIn;
import org.postgresql.copy.CopyManager;
import org.postgresql.copy.CopyOut;
import org.postgresql.ds.PGConnectionPoolDataSource;
import org.postgresql.ds.common.BaseDataSource;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;
import org.postgresql.util.PGInterval;
import org.postgresql.util.PGobject;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;
import org.postgresql.xa.PGXADataSource;

public class Walk {
  /** How long one test may take, on a busy machine. */
  static final long SECONDS = 300;

  static final Map<String, String> REACHED = System.getenv();
  static final StringBuilder RESULTS = new StringBuilder();
  static final StringBuilder TOLD = new StringBuilder();

  interface Step {
    void take(Connection connection) throws Exception;
  }

  interface Act {
    void go() throws Exception;
  }

  public static void main(String[] files) throws Exception {
    everyWay();
    connecting();
    inOneWay();
    try (Connection connection = connect("")) {
      Described.tell(connection);
    }
    Files.writeString(Path.of(files[0]), RESULTS.toString());
    Files.writeString(Path.of(files[1]), TOLD.toString());
    System.exit(0); // whatever still runs
  }

  // ── connections ─────────────────────────────────────────────────────────────────────────────────────────────────────

  static String url(String hosts, String options) {
    return "jdbc:postgresql://" + hosts + "/" + REACHED.get("PGDATABASE") + "?sslmode=verify-full" + options;
  }

  static Properties who() {
    Properties properties = new Properties();
    properties.setProperty("user", REACHED.get("PGUSER"));
    properties.setProperty("password", REACHED.get("PGPASSWORD"));
    properties.setProperty("sslrootcert", REACHED.get("PGSSLROOTCERT"));
    return properties;
  }

  static String host() {
    return REACHED.get("PGHOST") + ":" + REACHED.get("PGPORT");
  }

  static Connection connect(String options) throws SQLException {
    return DriverManager.getConnection(url(host(), options), who());
  }

  static void settle(BaseDataSource source) {
    source.setServerNames(new String[] {REACHED.get("PGHOST")});
    source.setPortNumbers(new int[] {Integer.parseInt(REACHED.get("PGPORT"))});
    source.setDatabaseName(REACHED.get("PGDATABASE"));
    source.setUser(REACHED.get("PGUSER"));
    source.setPassword(REACHED.get("PGPASSWORD"));
    source.setSslMode("verify-full");
    source.setSslRootCert(REACHED.get("PGSSLROOTCERT"));
  }

  // ── the ways to ask ─────────────────────────────────────────────────────────────────────────────────────────────────

  static void everyWay() throws Exception {
    Map<String, String> ways = new LinkedHashMap<>();
    ways.put("as it is", "");
    ways.put("prepared at once", "&prepareThreshold=1");
    ways.put("binary at once", "&prepareThreshold=-1");
    ways.put("never prepared, in text", "&prepareThreshold=0&binaryTransfer=false");
    ways.put("simple", "&preferQueryMode=simple");
    ways.put("extended for prepared", "&preferQueryMode=extendedForPrepared");
    ways.put("everything cached", "&preferQueryMode=extendedCacheEverything");
    ways.put("batches rewritten", "&reWriteBatchedInserts=true");
    ways.put("autosave", "&autosave=always&cleanupSavepoints=true");
    ways.put("strings unspecified", "&stringtype=unspecified&defaultRowFetchSize=7");
    for (Map.Entry<String, String> way : ways.entrySet()) {
      try (Connection connection = connect(way.getValue())) {
        inAWay(way.getKey(), connection, way.getValue());
      } catch (Exception failed) {
        note(way.getKey() + ": connecting", failed);
      }
    }
  }

  static void inAWay(String way, Connection connection, String options) throws Exception {
    boolean simple = options.contains("simple"); // then, and elsewhere, the driver itself cannot do all of it
    run(connection, "DROP TABLE IF EXISTS walk_all, walk_paid", "DROP TYPE IF EXISTS walk_mood, walk_pair");
    run(connection, "CREATE TYPE walk_mood AS ENUM ('glad', 'sad')", "CREATE TYPE walk_pair AS (a int, b text)");
    run(connection, "CREATE TABLE walk_all (id serial PRIMARY KEY, name text UNIQUE, n int, big bigint, paid numeric(12, 2),"
        + " f float8, t bool, d date, at timestamp, atz timestamptz, tm time, v interval, j jsonb, u uuid, y bytea,"
        + " a int[], w text[], m walk_mood, p walk_pair, r int4range)");
    run(connection, "CREATE TABLE walk_paid (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, who text, at date DEFAULT '2026-01-02')");
    test(way, "types, there and back", connection, c -> types(c, simple));
    test(way, "a statement that is used often", connection, c -> often(c));
    test(way, "batches", connection, c -> batches(c));
    test(way, "a batch that fails", connection, c -> failingBatch(c));
    test(way, "generated keys", connection, c -> generatedKeys(c));
    test(way, "rows fetched in parts", connection, c -> fetched(c, !simple, !options.contains("preferQueryMode=extendedForPrepared") && !simple));
    if (!options.contains("-1")) test(way, "several statements in one text", connection, c -> several(c));
    if (!options.contains("autosave")) test(way, "a transaction with savepoints", connection, c -> savepoints(c));
    test(way, "errors' fields", connection, c -> errors(c));
    test(way, "a definition that changes under a prepared statement", connection, c -> changing(c));
    test(way, "a result that is updated", connection, c -> updated(c));
    test(way, "many values", connection, c -> many(c));
    test(way, "a large value", connection, c -> large(c, simple));
    if (simple) return;
    test(way, "a cursor that is returned", connection, c -> returnedCursor(c));
    test(way, "functions and procedures", connection, c -> called(c));
    test(way, "a statement's description", connection, c -> describedStatement(c));
  }

  static void types(Connection c, boolean simple) throws Exception {
    UUID uuid = UUID.fromString("0a1b2c3d-0a1b-4c3d-8e5f-0a1b2c3d4e5f");
    String asked = "INSERT INTO walk_all (name, n, big, paid, f, t, d, at, atz, tm, v, j, u, y, a, w, m, p, r)"
        + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?::walk_mood, ?::walk_pair, ?::int4range)";
    for (int round = 0; round < 3; round++) {
      try (PreparedStatement s = c.prepareStatement(asked)) {
        s.setString(1, "types 'quoted' \\ ? " + round);
        s.setInt(2, -7);
        s.setLong(3, 9007199254740993L);
        s.setBigDecimal(4, new BigDecimal("12345.60"));
        s.setDouble(5, 1.5e300);
        s.setBoolean(6, true);
        s.setObject(7, LocalDate.of(2026, 1, 2));
        s.setObject(8, LocalDateTime.of(2026, 1, 2, 3, 4, 5, 678000));
        s.setObject(9, OffsetDateTime.of(2026, 1, 2, 3, 4, 5, 0, ZoneOffset.ofHours(2)));
        s.setObject(10, LocalTime.of(3, 4, 5));
        s.setObject(11, new PGInterval("1 year 2 days 3 hours"));
        s.setObject(12, other("jsonb", "{\"a\": [1, null]}"));
        s.setObject(13, uuid);
        if (simple) s.setObject(14, other("bytea", "\\x00ff275c"));
        else s.setBytes(14, new byte[] {0, -1, 39, 92});
        s.setArray(15, c.createArrayOf("int4", new Object[] {1, null, 3}));
        s.setArray(16, c.createArrayOf("text", new String[] {"a,b", "c\"d", "NULL", null}));
        s.setString(17, "glad");
        s.setString(18, "(4,\"x y\")");
        s.setString(19, "[1,5)");
        same(1, s.executeUpdate());
      }
      try (PreparedStatement s = c.prepareStatement("SELECT * FROM walk_all WHERE name LIKE ? ORDER BY id DESC LIMIT 1")) {
        s.setString(1, "types %");
        ResultSet row = s.executeQuery();
        same(true, row.next());
        same("types 'quoted' \\ ? " + round, row.getString("name"));
        same(List.of(-7, 9007199254740993L, new BigDecimal("12345.60"), 1.5e300, true),
            List.of(row.getInt("n"), row.getLong("big"), row.getBigDecimal("paid"), row.getDouble("f"), row.getBoolean("t")));
        same(LocalDate.of(2026, 1, 2), row.getObject("d", LocalDate.class));
        same(LocalDateTime.of(2026, 1, 2, 3, 4, 5, 678000), row.getObject("at", LocalDateTime.class));
        same(Instant.parse("2026-01-02T01:04:05Z"), row.getObject("atz", OffsetDateTime.class).toInstant());
        same(LocalTime.of(3, 4, 5), row.getObject("tm", LocalTime.class));
        same(new PGInterval("1 year 2 days 3 hours"), row.getObject("v"));
        same("{\"a\": [1, null]}", row.getString("j"));
        same(uuid, row.getObject("u"));
        same("[0, -1, 39, 92]", Arrays.toString(row.getBytes("y")));
        same("[1, null, 3]", Arrays.toString((Object[]) row.getArray("a").getArray()));
        same("[a,b, c\"d, NULL, null]", Arrays.toString((Object[]) row.getArray("w").getArray()));
        same(List.of("glad", "(4,\"x y\")", "[1,5)"), List.of(row.getString("m"), row.getString("p"), row.getString("r")));
        row.getObject("f");
        same(false, row.wasNull());
      }
    }
    try (PreparedStatement s = c.prepareStatement("SELECT ?::int, ?::text, ?::date")) {
      s.setNull(1, Types.INTEGER);
      s.setNull(2, Types.VARCHAR);
      s.setNull(3, Types.DATE);
      ResultSet row = s.executeQuery();
      row.next();
      same(Arrays.asList(null, null, null), Arrays.asList(row.getObject(1), row.getObject(2), row.getObject(3)));
    }
  }

  static void often(Connection c) throws Exception {
    try (PreparedStatement s = c.prepareStatement("SELECT ? + 1 AS n, 'it?' AS s")) {
      for (int n = 0; n < 30; n++) {
        s.setInt(1, n);
        ResultSet row = s.executeQuery();
        row.next();
        same(n + 1, row.getInt("n"));
      }
      s.unwrap(PGStatement.class).setPrepareThreshold(1);
      for (long n = 0; n < 5; n++) {
        s.setLong(1, n + (1L << 40)); // another type: it is prepared anew
        ResultSet row = s.executeQuery();
        row.next();
        same(n + 1 + (1L << 40), row.getLong("n"));
      }
    }
    for (int n = 0; n < 300; n++) { // more texts than the driver keeps
      same("" + n, one(c, "SELECT " + n + " AS n" + n));
    }
  }

  static void batches(Connection c) throws Exception {
    try (PreparedStatement s = c.prepareStatement("INSERT INTO walk_all (name, n, d) VALUES (?, ?, ?)")) {
      for (int n = 0; n < 1000; n++) {
        s.setString(1, "batch-" + n);
        s.setInt(2, n);
        s.setObject(3, n % 3 == 0 ? null : LocalDate.EPOCH.plusDays(n), Types.DATE);
        s.addBatch();
      }
      same(1000, s.executeBatch().length);
    }
    same("1000/499500", one(c, "SELECT count(*) || '/' || sum(n) FROM walk_all WHERE name LIKE 'batch-%'"));
    try (PreparedStatement s = c.prepareStatement("UPDATE walk_all SET n = n + ? WHERE name = ?")) {
      for (int n = 0; n < 100; n++) {
        s.setInt(1, 1000);
        s.setString(2, "batch-" + n);
        s.addBatch();
      }
      long changed = 0;
      for (long each : s.executeLargeBatch()) changed += each;
      same(100L, changed);
    }
    try (Statement s = c.createStatement()) {
      s.addBatch("DELETE FROM walk_all WHERE name = 'batch-1'");
      s.addBatch("UPDATE walk_all SET n = 0 WHERE name LIKE 'batch-99_'");
      s.addBatch("INSERT INTO walk_all (name) VALUES ('batch-new')");
      same("[1, 10, 1]", Arrays.toString(s.executeBatch()));
    }
  }

  static void failingBatch(Connection c) throws Exception {
    c.setAutoCommit(false);
    try (PreparedStatement s = c.prepareStatement("INSERT INTO walk_all (name, n) VALUES (?, ?)")) {
      for (int n = 0; n < 300; n++) {
        s.setString(1, n == 250 ? "fails-3" : "fails-" + n);
        s.setInt(2, n);
        s.addBatch();
      }
      BatchUpdateException failed = thrown(BatchUpdateException.class, s::executeBatch);
      same("23505", failed.getSQLState());
      same("23505", failed.getNextException().getSQLState());
    } finally {
      c.rollback();
      c.setAutoCommit(true);
    }
    same("0", one(c, "SELECT count(*) FROM walk_all WHERE name LIKE 'fails-%'"));
  }

  static void generatedKeys(Connection c) throws Exception {
    String add = "INSERT INTO walk_paid (who) VALUES (?)";
    try (PreparedStatement s = c.prepareStatement(add, Statement.RETURN_GENERATED_KEYS)) {
      s.setString(1, "ann");
      s.executeUpdate();
      ResultSet keys = s.getGeneratedKeys();
      keys.next();
      same(List.of("ann", LocalDate.of(2026, 1, 2)), List.of(keys.getString("who"), keys.getObject("at", LocalDate.class)));
      for (String who : List.of("bob", "cid", "dan")) {
        s.setString(1, who);
        s.addBatch();
      }
      s.executeBatch();
      List<String> found = new ArrayList<>();
      for (keys = s.getGeneratedKeys(); keys.next();) found.add(keys.getString("who"));
      same(List.of("bob", "cid", "dan"), found);
    }
    try (PreparedStatement s = c.prepareStatement(add, new String[] {"id", "at"})) {
      s.setString(1, "eve");
      s.executeUpdate();
      ResultSet keys = s.getGeneratedKeys();
      keys.next();
      same(5, keys.getInt("id"));
      same(2, keys.getMetaData().getColumnCount());
    }
    try (Statement s = c.createStatement()) {
      s.executeUpdate("UPDATE walk_paid SET who = upper(who) WHERE id > 3", new String[] {"who"});
      List<String> found = new ArrayList<>();
      for (ResultSet keys = s.getGeneratedKeys(); keys.next();) found.add(keys.getString(1));
      same(List.of("DAN", "EVE"), found);
    }
  }

  static void fetched(Connection c, boolean limited, boolean inParts) throws Exception {
    c.setAutoCommit(false);
    try (PreparedStatement s = c.prepareStatement("SELECT n FROM generate_series(1, ?) n")) {
      s.setInt(1, 1003);
      s.setFetchSize(100);
      int sum = 0, rows = 0;
      for (ResultSet row = s.executeQuery(); row.next(); rows++) sum += row.getInt(1);
      same(List.of(1003, 503506), List.of(rows, sum));
      ResultSet row = s.executeQuery();
      row.next();
      ResultSet beside = c.createStatement().executeQuery("SELECT n FROM generate_series(1, 50) n"); // two portals
      for (int n = 1; n <= 50; n++) {
        beside.next();
        row.next();
        same(List.of(n, n + 1), List.of(beside.getInt(1), row.getInt(1)));
      }
      row.close(); // before its end
      s.setMaxRows(150);
      rows = 0;
      for (row = s.executeQuery(); row.next();) rows++;
      if (limited) same(150, rows);
    }
    try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY)) {
      ResultSet row = s.executeQuery("SELECT n FROM generate_series(1, 20) n");
      row.last();
      same(20, row.getInt(1));
      row.absolute(5);
      row.previous();
      same(4, row.getInt(1));
    }
    try (Statement s = c.createStatement()) { // its portal does not outlive the transaction
      s.setFetchSize(10);
      ResultSet row = s.executeQuery("SELECT n FROM generate_series(1, 100) n");
      row.next();
      c.commit();
      if (inParts) same("34000", thrown(SQLException.class, () -> { while (row.next()); }).getSQLState());
      c.rollback();
    }
    c.setAutoCommit(true);
  }

  static void several(Connection c) throws Exception {
    try (Statement s = c.createStatement()) {
      List<Object> found = new ArrayList<>();
      boolean rows = s.execute("SELECT 1; UPDATE walk_paid SET who = who; SELECT 'a;b' AS b; ; DELETE FROM walk_paid WHERE id = 1");
      for (; rows || s.getUpdateCount() >= 0; rows = s.getMoreResults()) {
        if (rows) {
          s.getResultSet().next();
          found.add(s.getResultSet().getString(1));
        } else {
          found.add(s.getUpdateCount());
        }
      }
      same(List.of("1", 5, "a;b", 1), found);
    }
    try (PreparedStatement s = c.prepareStatement("SELECT ?::int; SELECT ?::text")) {
      s.setInt(1, 1);
      s.setString(2, "two");
      s.execute();
      s.getMoreResults();
      s.getResultSet().next();
      same("two", s.getResultSet().getString(1));
    }
    same("3", one(c, "/* first */ -- second\n SELECT 3 -- last"));
    same("{fn}", one(c, "SELECT '{fn}' WHERE {fn ucase('a')} = 'A' AND {d '2026-01-02'} = DATE '2026-01-02'"));
  }

  static void savepoints(Connection c) throws Exception {
    c.setAutoCommit(false);
    c.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
    run(c, "INSERT INTO walk_paid (who) VALUES ('kept')");
    Savepoint named = c.setSavepoint("one");
    run(c, "INSERT INTO walk_paid (who) VALUES ('gone')");
    same("22012", thrown(SQLException.class, () -> one(c, "SELECT 1 / 0")).getSQLState());
    same("25P02", thrown(SQLException.class, () -> one(c, "SELECT 1")).getSQLState());
    c.rollback(named);
    Savepoint unnamed = c.setSavepoint();
    c.releaseSavepoint(unnamed);
    c.commit();
    c.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
    c.setReadOnly(true);
    same("25006", thrown(SQLException.class, () -> run(c, "DELETE FROM walk_paid")).getSQLState());
    c.rollback();
    c.setReadOnly(false);
    c.setAutoCommit(true);
    same("1", one(c, "SELECT count(*) FROM walk_paid WHERE who IN ('kept', 'gone')"));
    c.setReadOnly(true);
    same("1", one(c, "SELECT 1"));
    c.setReadOnly(false);
  }

  static void errors(Connection c) throws Exception {
    run(c, "INSERT INTO walk_all (name) VALUES ('twice')");
    PSQLException failed = thrown(PSQLException.class, () -> run(c, "INSERT INTO walk_all (name) VALUES ('twice')"));
    ServerErrorMessage said = failed.getServerErrorMessage();
    same(List.of("23505", "walk_all", "walk_all_name_key", "public", "Key (name)=(twice) already exists."),
        List.of(said.getSQLState(), said.getTable(), said.getConstraint(), said.getSchema(), said.getDetail()));
    said = thrown(PSQLException.class, () -> one(c, "SELECT nothing FROM walk_all")).getServerErrorMessage();
    same(List.of("42703", 8), List.of(said.getSQLState(), said.getPosition()));
    same("42601", thrown(SQLException.class, () -> one(c, "SELEC 1")).getSQLState());
    try (PreparedStatement s = c.prepareStatement("SELECT ?::int")) {
      s.setString(1, "no number");
      same("22P02", thrown(SQLException.class, s::executeQuery).getSQLState());
    }
    try (Statement s = c.createStatement()) {
      s.execute("DO $$ BEGIN RAISE WARNING 'look %', 1 USING HINT = 'up'; END $$");
      same("look 1", s.getWarnings().getMessage());
    }
  }

  static void changing(Connection c) throws Exception {
    run(c, "CREATE TABLE IF NOT EXISTS walk_changing (a int)", "INSERT INTO walk_changing VALUES (1)");
    try (PreparedStatement s = c.prepareStatement("SELECT * FROM walk_changing")) {
      for (int n = 0; n < 8; n++) s.executeQuery();
      run(c, "ALTER TABLE walk_changing ADD b text DEFAULT 'new'");
      ResultSet row = s.executeQuery(); // the driver prepares it anew
      row.next();
      same("new", row.getString("b"));
      run(c, "DEALLOCATE ALL");
      for (int n = 0; n < 3; n++) s.executeQuery();
      run(c, "DISCARD ALL");
      for (int n = 0; n < 3; n++) s.executeQuery();
    } finally {
      run(c, "DROP TABLE walk_changing");
    }
  }

  static void updated(Connection c) throws Exception {
    run(c, "INSERT INTO walk_all (name, n) VALUES ('up-1', 1), ('up-2', 2)");
    try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_SENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
      ResultSet row = s.executeQuery("SELECT id, name, n FROM walk_all WHERE name LIKE 'up-%' ORDER BY name");
      row.next();
      row.updateInt("n", 10);
      row.updateRow();
      row.refreshRow();
      same(10, row.getInt("n"));
      row.next();
      row.deleteRow();
      row.moveToInsertRow();
      row.updateString("name", "up-3");
      row.updateInt("n", 3);
      row.insertRow();
    }
    same("up-1 10,up-3 3", one(c, "SELECT string_agg(name || ' ' || n, ',' ORDER BY name) FROM walk_all WHERE name LIKE 'up-%'"));
  }

  static void returnedCursor(Connection c) throws Exception {
    run(c, "CREATE OR REPLACE FUNCTION walk_rows(n int) RETURNS refcursor LANGUAGE plpgsql AS"
        + " $$ DECLARE r refcursor; BEGIN OPEN r FOR SELECT i FROM generate_series(1, n) i; RETURN r; END $$");
    c.setAutoCommit(false);
    try (CallableStatement s = c.prepareCall("{? = call walk_rows(?)}")) {
      s.registerOutParameter(1, Types.OTHER);
      s.setInt(2, 25);
      s.execute();
      int rows = 0;
      for (ResultSet row = (ResultSet) s.getObject(1); row.next();) rows++;
      same(25, rows);
    }
    run(c, "DECLARE walk_cursor SCROLL CURSOR FOR SELECT n FROM generate_series(1, 9) n");
    same("3", one(c, "FETCH ABSOLUTE 3 FROM walk_cursor"));
    same("2", one(c, "FETCH BACKWARD 1 FROM walk_cursor"));
    run(c, "CLOSE walk_cursor");
    c.commit();
    c.setAutoCommit(true);
    run(c, "DROP FUNCTION walk_rows(int)");
  }

  static void called(Connection c) throws Exception {
    run(c, "CREATE OR REPLACE PROCEDURE walk_call(a int, INOUT b int) LANGUAGE plpgsql AS $$ BEGIN b := a + b; COMMIT; END $$");
    try (CallableStatement s = c.prepareCall("call walk_call(?, ?)")) {
      s.setInt(1, 2);
      s.setInt(2, 3);
      s.registerOutParameter(2, Types.INTEGER);
      s.execute();
      same(5, s.getInt(2));
    }
    try (CallableStatement s = c.prepareCall("{? = call upper(?)}")) {
      s.registerOutParameter(1, Types.VARCHAR);
      s.setString(2, "up");
      s.execute();
      same("UP", s.getString(1));
    }
    run(c, "DROP PROCEDURE walk_call(int, int)");
  }

  static void many(Connection c) throws Exception {
    try (PreparedStatement s = c.prepareStatement("SELECT n FROM generate_series(1, 3000) n WHERE n IN (?" + ", ?".repeat(2999) + ")")) {
      for (int n = 1; n <= 3000; n++) s.setInt(n, n);
      int rows = 0;
      for (ResultSet row = s.executeQuery(); row.next();) rows++;
      same(3000, rows);
    }
    try (PreparedStatement s = c.prepareStatement("SELECT count(*) FROM generate_series(1, 9) n WHERE n = ANY (?)")) {
      s.setArray(1, c.createArrayOf("int4", new Integer[] {1, 3, 11}));
      ResultSet row = s.executeQuery();
      row.next();
      same(2, row.getInt(1));
    }
  }

  static void large(Connection c, boolean simple) throws Exception {
    String large = "x".repeat(200_000); // the simple way writes it into the text
    byte[] bytes = new byte[100_000];
    new Random(1).nextBytes(bytes);
    try (PreparedStatement s = c.prepareStatement("SELECT ?::text" + (simple ? "" : ", ?::bytea"))) {
      s.setCharacterStream(1, new StringReader(large));
      if (!simple) s.setBinaryStream(2, new ByteArrayInputStream(bytes));
      ResultSet row = s.executeQuery();
      row.next();
      same(large, row.getString(1));
      if (!simple) same(true, Arrays.equals(bytes, row.getBytes(2)));
    }
    same("" + (3 << 20), one(c, "SELECT length(repeat('x', 3 << 20))"));
    same(3 << 20, one(c, "SELECT repeat('x', 3 << 20)").length());
  }

  static void describedStatement(Connection c) throws Exception {
    try (PreparedStatement s = c.prepareStatement("SELECT id, name AS called, paid, m FROM walk_all WHERE n = ? AND name > ?")) {
      ResultSetMetaData columns = s.getMetaData();
      List<String> found = new ArrayList<>();
      for (int n = 1; n <= columns.getColumnCount(); n++) {
        found.add(columns.getColumnLabel(n) + " " + columns.getColumnTypeName(n) + " " + columns.getPrecision(n) + " "
            + columns.getTableName(n) + " " + columns.isNullable(n) + " " + columns.isAutoIncrement(n));
      }
      same("[id serial 10 walk_all 0 true, called text 2147483647 walk_all 1 false, paid numeric 12 walk_all 1 false, "
          + "m walk_mood 2147483647 walk_all 1 false]", found.toString());
      same(2, s.getParameterMetaData().getParameterCount());
      same("int4", s.getParameterMetaData().getParameterTypeName(1));
    }
  }

  // ── connecting ──────────────────────────────────────────────────────────────────────────────────────────────────────

  static void connecting() {
    String dead = "localhost:1";
    connects("the second of two hosts", url(dead + "," + host(), ""), "SELECT 1", "1");
    connects("the primary of two hosts", url(dead + "," + host(), "&targetServerType=primary&hostRecheckSeconds=0"), "SELECT 1", "1");
    connects("hosts in any order", url(dead + "," + host(), "&loadBalanceHosts=true&targetServerType=preferSecondary"), "SELECT 1", "1");
    connects("options", url(host(), "&options=-c%20work_mem=8MB%20-c%20statement_timeout=77s"),
        "SELECT current_setting('work_mem') || current_setting('statement_timeout')", "8MB77s");
    connects("a schema", url(host(), "&currentSchema=pg_catalog,public"), "SHOW search_path", "pg_catalog,public");
    connects("a name", url(host(), "&ApplicationName=walker&assumeMinServerVersion=12"),
        "SELECT current_setting('application_name') LIKE '%walker'", "t");
    connects("limits of time", url(host(), "&loginTimeout=200&connectTimeout=200&socketTimeout=200&tcpKeepAlive=true"), "SELECT 1", "1");
    connects("no GSS", url(host(), "&gssEncMode=disable"), "SELECT 1", "1");
    connects("GSS where there is some", url(host(), "&gssEncMode=prefer"), "SELECT 1", "1");
    connects("read only", url(host(), "&readOnly=true&readOnlyMode=always"), "SHOW transaction_read_only", "on");
    alone("connecting: as another user over an untrusted certificate", () -> {
      Properties properties = who();
      properties.remove("sslrootcert");
      thrown(SQLException.class, () -> DriverManager.getConnection(url(host(), "&sslrootcert=/nowhere/ca.pem"), properties));
    });
    alone("connecting: to another name than the certificate's", () ->
        thrown(SQLException.class, () -> DriverManager.getConnection(url("127.0.0.2:" + REACHED.get("PGPORT"), ""), who())));
    alone("connecting: with a wrong password", () -> {
      Properties properties = who();
      properties.setProperty("password", "wrong");
      same("28P01", thrown(SQLException.class, () -> DriverManager.getConnection(url(host(), ""), properties)).getSQLState());
    });
    alone("connecting: to a database that is not there", () -> {
      String other = url(host(), "").replace("/" + REACHED.get("PGDATABASE"), "/nowhere");
      same("3D000", thrown(SQLException.class, () -> DriverManager.getConnection(other, who())).getSQLState());
    });
    alone("connecting: a pool's connection, again and again", () -> {
      PGConnectionPoolDataSource source = new PGConnectionPoolDataSource();
      settle(source);
      PooledConnection pooled = source.getPooledConnection();
      for (int n = 0; n < 20; n++) {
        try (Connection c = pooled.getConnection()) {
          c.setAutoCommit(n % 2 == 0);
          same("" + n, one(c, "SELECT " + n));
        }
      }
      pooled.close();
    });
  }

  static void connects(String how, String url, String asked, String answer) {
    alone("connecting: " + how, () -> {
      try (Connection c = DriverManager.getConnection(url, who())) {
        same(answer, one(c, asked).replace(", ", ","));
      }
    });
  }

  // ── what does not depend on the way ─────────────────────────────────────────────────────────────────────────────────

  static void inOneWay() throws Exception {
    try (Connection c = connect("")) {
      run(c, "DROP TABLE IF EXISTS walk_copied", "CREATE TABLE walk_copied (id int PRIMARY KEY, name text, paid numeric(9, 2))");
      test("COPY", "in and out", c, x -> copied(x));
      test("COPY", "in binary, in parts", c, x -> copiedInBinary(x));
      test("COPY", "what fails, and what is given up", c, x -> copyFails(x));
      test("LISTEN", "on the same connection and another", c, x -> listened(x));
      test("large objects", "made, read, cut and deleted", c, x -> largeObjects(x));
      test("cancel", "from another thread", c, x -> cancelled(x));
      test("cancel", "by a limit of time", c, x -> overdue(x));
      test("cancel", "by a limit that is always near", c, x -> nearlyOverdue(x));
      test("cancel", "of a batch", c, x -> cancelledBatch(x));
      test("connection", "its state", c, x -> state(x));
    } catch (Exception failed) {
      note("in one way: connecting", failed);
    }
    alone("two phases: committed, rolled back and recovered", () -> twoPhases());
    alone("two phases: two that are interleaved", () -> interleaved());
    alone("connection: aborted while it waits", () -> aborted());
    alone("connection: the network's limit of time", () -> {
      Connection c = connect("");
      c.setNetworkTimeout(Runnable::run, 500);
      same("08006", thrown(SQLException.class, () -> one(c, "SELECT pg_sleep(60)")).getSQLState());
      same(true, c.isClosed());
    });
  }

  static void copied(Connection c) throws Exception {
    CopyManager copying = c.unwrap(PGConnection.class).getCopyAPI();
    StringBuilder lines = new StringBuilder();
    for (int n = 0; n < 20_000; n++) lines.append(n).append("\tname \\\\ ").append(n).append("\t").append(n).append(".25\n");
    same(20_000L, copying.copyIn("COPY walk_copied FROM STDIN", new StringReader(lines.toString())));
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    same(20_000L, copying.copyOut("COPY (SELECT * FROM walk_copied ORDER BY id) TO STDOUT", out));
    same(lines.toString(), out.toString(StandardCharsets.UTF_8));
    out.reset();
    copying.copyOut("COPY walk_copied TO STDOUT WITH (FORMAT csv, HEADER)", out);
    same(true, out.toString(StandardCharsets.UTF_8).startsWith("id,name,paid\n"));
    run(c, "TRUNCATE walk_copied");
  }

  static void copiedInBinary(Connection c) throws Exception {
    CopyManager copying = c.unwrap(PGConnection.class).getCopyAPI();
    run(c, "INSERT INTO walk_copied SELECT n, 'n' || n, n FROM generate_series(1, 500) n");
    CopyOut out = copying.copyOut("COPY walk_copied TO STDOUT (FORMAT binary)");
    ByteArrayOutputStream kept = new ByteArrayOutputStream();
    for (byte[] part = out.readFromCopy(); part != null; part = out.readFromCopy()) kept.write(part);
    run(c, "TRUNCATE walk_copied");
    CopyIn in = copying.copyIn("COPY walk_copied FROM STDIN (FORMAT binary)");
    byte[] bytes = kept.toByteArray();
    for (int at = 0; at < bytes.length; at += 1000) in.writeToCopy(bytes, at, Math.min(1000, bytes.length - at));
    same(500L, in.endCopy());
    same("125250.00", one(c, "SELECT sum(paid) FROM walk_copied"));
  }

  static void copyFails(Connection c) throws Exception {
    CopyManager copying = c.unwrap(PGConnection.class).getCopyAPI();
    same("22P02", thrown(SQLException.class, () ->
        copying.copyIn("COPY walk_copied FROM STDIN", new StringReader("no number\tx\t1\n"))).getSQLState());
    CopyIn given = copying.copyIn("COPY walk_copied FROM STDIN");
    byte[] line = "9001\tx\t1\n".getBytes();
    given.writeToCopy(line, 0, line.length);
    given.cancelCopy();
    same("0", one(c, "SELECT count(*) FROM walk_copied WHERE id = 9001"));
    same("1", one(c, "SELECT 1"));
  }

  static void listened(Connection c) throws Exception {
    run(c, "LISTEN walking");
    try (Connection other = connect("")) {
      run(other, "NOTIFY walking, 'there'", "SELECT pg_notify('walking', 'é' || repeat('x', 7000))");
    }
    run(c, "NOTIFY walking");
    List<String> heard = new ArrayList<>();
    for (int tried = 0; tried < 100 && heard.size() < 3; tried++) {
      PGNotification[] found = c.unwrap(PGConnection.class).getNotifications(1000);
      for (PGNotification each : found == null ? new PGNotification[0] : found) {
        heard.add(each.getName() + " " + each.getParameter().length() + " " + (each.getPID() == c.unwrap(PGConnection.class).getBackendPID()));
      }
    }
    Collections.sort(heard);
    same(List.of("walking 0 true", "walking 5 false", "walking 7001 false"), heard);
    run(c, "UNLISTEN *");
  }

  static void largeObjects(Connection c) throws Exception {
    c.setAutoCommit(false);
    LargeObjectManager objects = c.unwrap(PGConnection.class).getLargeObjectAPI();
    long number = objects.createLO(LargeObjectManager.READ | LargeObjectManager.WRITE);
    byte[] bytes = new byte[300_000];
    new Random(2).nextBytes(bytes);
    try (LargeObject object = objects.open(number, LargeObjectManager.WRITE)) {
      object.write(bytes);
    }
    c.commit();
    try (LargeObject object = objects.open(number, LargeObjectManager.READ | LargeObjectManager.WRITE)) {
      same(300_000L, object.size64());
      object.seek64(1000, LargeObject.SEEK_SET);
      same(true, Arrays.equals(Arrays.copyOfRange(bytes, 1000, 2000), object.read(1000)));
      same(2000L, object.tell64());
      object.truncate64(10);
      same(10L, object.size64());
    }
    byte[] streamed = objects.open(number).getInputStream().readAllBytes();
    same(true, Arrays.equals(Arrays.copyOf(bytes, 10), streamed));
    objects.delete(number);
    c.commit();
    same("42704", thrown(SQLException.class, () -> objects.open(number)).getSQLState());
    c.rollback();
    c.setAutoCommit(true);
    run(c, "CREATE TEMP TABLE walk_files (file oid)");
    c.setAutoCommit(false);
    try (PreparedStatement s = c.prepareStatement("INSERT INTO walk_files VALUES (?)")) {
      s.setBlob(1, new ByteArrayInputStream(bytes), bytes.length);
      s.executeUpdate();
    }
    ResultSet row = c.createStatement().executeQuery("SELECT file FROM walk_files");
    row.next();
    same(300_000L, row.getBlob(1).length());
    c.rollback();
    c.setAutoCommit(true);
  }

  static void cancelled(Connection c) throws Exception {
    for (int round = 0; round < 3; round++) {
      try (Statement s = c.createStatement(); Connection other = connect("")) {
        Future<SQLException> failed = Executors.newSingleThreadExecutor().submit(() ->
            thrown(SQLException.class, () -> s.execute("SELECT pg_sleep(200)")));
        int pid = c.unwrap(PGConnection.class).getBackendPID();
        String runs = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(200)%' AND pid = " + pid;
        for (int tried = 0; tried < 600 && one(other, runs).equals("0"); tried++) Thread.sleep(100);
        s.cancel();
        same("57014", failed.get().getSQLState());
      }
      same("1", one(c, "SELECT 1"));
    }
  }

  static void overdue(Connection c) throws Exception {
    try (PreparedStatement s = c.prepareStatement("SELECT pg_sleep(?)")) {
      s.setQueryTimeout(1);
      for (int n = 0; n < 3; n++) {
        s.setInt(1, 200);
        same("57014", thrown(SQLException.class, s::executeQuery).getSQLState());
        same("1", one(c, "SELECT 1"));
      }
    }
  }

  /** A cancel request that comes as its statement ends must not meet the next one, which has no limit. */
  static void nearlyOverdue(Connection c) throws Exception {
    try (Statement hurried = c.createStatement(); Statement unhurried = c.createStatement()) {
      hurried.unwrap(org.postgresql.jdbc.PgStatement.class).setQueryTimeoutMs(1);
      for (int n = 0; n < 300; n++) {
        try {
          hurried.executeQuery("SELECT pg_sleep(0.001)");
        } catch (SQLException expected) {
          same("57014", expected.getSQLState());
        }
        unhurried.executeQuery("SELECT pg_sleep(0.002)");
      }
    }
  }

  static void cancelledBatch(Connection c) throws Exception {
    c.setAutoCommit(false);
    try (PreparedStatement s = c.prepareStatement("INSERT INTO walk_copied SELECT ?, 'slow', 1 FROM pg_sleep(1)")) {
      s.setQueryTimeout(2);
      for (int n = 0; n < 100; n++) {
        s.setInt(1, 50_000 + n);
        s.addBatch();
      }
      same("57014", thrown(BatchUpdateException.class, s::executeBatch).getSQLState());
    }
    c.rollback();
    c.setAutoCommit(true);
    same("0", one(c, "SELECT count(*) FROM walk_copied WHERE id >= 50000"));
  }

  static void state(Connection c) throws Exception {
    same(true, c.isValid(100));
    same(REACHED.get("PGDATABASE"), c.getCatalog());
    same("public", c.getSchema());
    c.setSchema("pg_catalog");
    same("pg_catalog", c.getSchema());
    c.setSchema("public");
    c.setClientInfo("ApplicationName", "renamed");
    same("renamed", c.getClientInfo("ApplicationName"));
    same("t", one(c, "SELECT current_setting('application_name') LIKE '%renamed'"));
    same(one(c, "SELECT pg_backend_pid()"), "" + c.unwrap(PGConnection.class).getBackendPID());
    run(c, "SET TIME ZONE 'Asia/Tokyo'");
    same("Asia/Tokyo", c.unwrap(PGConnection.class).getParameterStatus("TimeZone"));
    run(c, "RESET TIME ZONE");
    run(c, "SET statement_timeout = '100ms'");
    same("57014", thrown(SQLException.class, () -> one(c, "SELECT pg_sleep(200)")).getSQLState());
    run(c, "RESET statement_timeout");
    same(Connection.TRANSACTION_READ_COMMITTED, c.getTransactionIsolation());
    same("'a''b'", c.createStatement().enquoteLiteral("a'b"));
    same("\"a b\"", c.unwrap(PGConnection.class).escapeIdentifier("a b"));
  }

  static void aborted() throws Exception {
    Connection c = connect("");
    Future<SQLException> failed = Executors.newSingleThreadExecutor().submit(() ->
        thrown(SQLException.class, () -> one(c, "SELECT pg_sleep(200)")));
    Thread.sleep(500);
    c.abort(Executors.newSingleThreadExecutor());
    failed.get();
    same(true, c.isClosed());
  }

  record Number(int of) implements Xid {
    public int getFormatId() {
      return 42;
    }

    public byte[] getGlobalTransactionId() {
      return ("walk-" + of).getBytes();
    }

    public byte[] getBranchQualifier() {
      return new byte[] {1, 2, (byte) of};
    }
  }

  static XAConnection xa() throws SQLException {
    PGXADataSource source = new PGXADataSource();
    settle(source);
    return source.getXAConnection();
  }

  static void twoPhases() throws Exception {
    XAConnection held = xa();
    XAResource phases = held.getXAResource();
    Connection c = held.getConnection();
    run(c, "DROP TABLE IF EXISTS walk_xa", "CREATE TABLE walk_xa (n int PRIMARY KEY)");
    for (int n = 1; n <= 4; n++) {
      Number number = new Number(n);
      phases.start(number, XAResource.TMNOFLAGS);
      run(c, "INSERT INTO walk_xa VALUES (" + n + ")");
      phases.end(number, XAResource.TMSUCCESS);
      if (n == 4) {
        phases.commit(number, true); // in one phase
        continue;
      }
      same(XAResource.XA_OK, phases.prepare(number));
      if (n == 1) phases.commit(number, false);
      if (n == 2) phases.rollback(number);
    }
    same(2L, Long.parseLong(one(c, "SELECT count(*) FROM walk_xa")));
    held.close();
    XAConnection later = xa();
    List<Xid> found = List.of(later.getXAResource().recover(XAResource.TMSTARTRSCAN));
    same(1, found.size());
    same("walk-3", new String(found.get(0).getGlobalTransactionId()));
    later.getXAResource().commit(found.get(0), false);
    same(XAException.XAER_NOTA, thrown(XAException.class, () -> later.getXAResource().commit(new Number(9), false)).errorCode);
    same("1,3,4", one(later.getConnection(), "SELECT string_agg(n::text, ',' ORDER BY n) FROM walk_xa"));
    later.close();
  }

  static void interleaved() throws Exception {
    XAConnection one = xa(), other = xa();
    Number first = new Number(11), second = new Number(12);
    one.getXAResource().start(first, XAResource.TMNOFLAGS);
    other.getXAResource().start(second, XAResource.TMNOFLAGS);
    run(one.getConnection(), "INSERT INTO walk_xa VALUES (11)");
    run(other.getConnection(), "INSERT INTO walk_xa VALUES (12)");
    one.getXAResource().end(first, XAResource.TMSUCCESS);
    other.getXAResource().end(second, XAResource.TMSUCCESS);
    one.getXAResource().prepare(first);
    other.getXAResource().prepare(second);
    one.getXAResource().commit(second, false); // by the other connection
    other.getXAResource().rollback(first);
    same("12", one(one.getConnection(), "SELECT max(n) FROM walk_xa"));
    one.close();
    other.close();
  }

  // ── what the driver tells of a database ─────────────────────────────────────────────────────────────────────────────

  static class Described {
    interface Asked {
      ResultSet of(DatabaseMetaData told) throws SQLException;
    }

    static void tell(Connection c) throws Exception {
      run(c, "DROP SCHEMA IF EXISTS walk_shop CASCADE", "CREATE SCHEMA walk_shop");
      run(c, "CREATE TABLE walk_shop.customer (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name varchar(40) NOT NULL DEFAULT 'x', mail text UNIQUE)",
          "COMMENT ON TABLE walk_shop.customer IS 'who buys'", "COMMENT ON COLUMN walk_shop.customer.mail IS 'where to'",
          "CREATE TABLE walk_shop.\"Order\" (a int, b int, customer bigint REFERENCES walk_shop.customer ON DELETE CASCADE, total numeric(8, 3), at timestamptz(3), tags text[], twice int GENERATED ALWAYS AS (a * 2) STORED, PRIMARY KEY (a, b)) ",
          "CREATE INDEX order_lower ON walk_shop.\"Order\" (total DESC, lower(tags[1])) WHERE total > 0",
          "CREATE VIEW walk_shop.buyers AS SELECT name, count(*) AS n FROM walk_shop.customer GROUP BY name",
          "CREATE MATERIALIZED VIEW walk_shop.kept AS SELECT 1 AS one", "CREATE SEQUENCE walk_shop.numbers",
          "CREATE TYPE walk_shop.pair AS (x int, y text)", "CREATE DOMAIN walk_shop.positive AS int CHECK (VALUE > 0)",
          "CREATE TABLE walk_shop.parts (id int, at date) PARTITION BY RANGE (at)",
          "CREATE TABLE walk_shop.part_one PARTITION OF walk_shop.parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
          "CREATE FUNCTION walk_shop.sum_of(a int, OUT b int, INOUT c text) LANGUAGE sql AS 'SELECT a, c'",
          "CREATE PROCEDURE walk_shop.make(n int) LANGUAGE sql AS 'SELECT 1'",
          "GRANT SELECT, UPDATE (name) ON walk_shop.customer TO PUBLIC");
      String shop = "walk_shop", all = "%";
      rows("catalogs", c, told -> told.getCatalogs());
      rows("schemas", c, told -> told.getSchemas());
      rows("kinds of tables", c, told -> told.getTableTypes());
      rows("types", c, told -> told.getTypeInfo());
      rows("tables", c, told -> told.getTables(null, shop, all, null));
      rows("views", c, told -> told.getTables(null, shop, all, new String[] {"VIEW", "MATERIALIZED VIEW"}));
      rows("columns", c, told -> told.getColumns(null, shop, all, all));
      rows("primary keys", c, told -> told.getPrimaryKeys(null, shop, "Order"));
      rows("imported keys", c, told -> told.getImportedKeys(null, shop, "Order"));
      rows("exported keys", c, told -> told.getExportedKeys(null, shop, "customer"));
      rows("cross reference", c, told -> told.getCrossReference(null, shop, "customer", null, shop, "Order"));
      rows("indexes", c, told -> told.getIndexInfo(null, shop, "Order", false, true));
      rows("best row", c, told -> told.getBestRowIdentifier(null, shop, "Order", DatabaseMetaData.bestRowSession, true));
      rows("version columns", c, told -> told.getVersionColumns(null, shop, "Order"));
      rows("functions", c, told -> told.getFunctions(null, shop, all));
      rows("functions' columns", c, told -> told.getFunctionColumns(null, shop, all, all));
      rows("procedures", c, told -> told.getProcedures(null, shop, all));
      rows("procedures' columns", c, told -> told.getProcedureColumns(null, shop, all, all));
      rows("user types", c, told -> told.getUDTs(null, shop, all, null));
      rows("tables' privileges", c, told -> told.getTablePrivileges(null, shop, all));
      rows("columns' privileges", c, told -> told.getColumnPrivileges(null, shop, "customer", all));
      rows("client info", c, told -> told.getClientInfoProperties());
      DatabaseMetaData told = c.getMetaData();
      TOLD.append(told.getDatabaseProductVersion()).append(' ').append(told.getUserName()).append(' ')
          .append(told.getSQLKeywords()).append(' ').append(told.getMaxColumnNameLength()).append('\n');
      run(c, "DROP SCHEMA walk_shop CASCADE");
    }

    static void rows(String what, Connection c, Asked asked) throws Exception {
      TOLD.append("# ").append(what).append('\n');
      try (ResultSet row = asked.of(c.getMetaData())) {
        int columns = row.getMetaData().getColumnCount();
        while (row.next()) {
          for (int n = 1; n <= columns; n++) {
            String label = row.getMetaData().getColumnLabel(n);
            if (!label.equalsIgnoreCase("specific_name")) TOLD.append(label).append('=').append(row.getString(n)).append(' '); // it has an OID
          }
          TOLD.append('\n');
        }
      }
    }
  }

  // ── tests ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  static void test(String way, String name, Connection connection, Step step) {
    alone(way + ": " + name, () -> {
      try {
        step.take(connection);
      } finally {
        if (!connection.isClosed() && !connection.getAutoCommit()) {
          connection.rollback();
          connection.setAutoCommit(true);
        }
      }
    });
  }

  static void alone(String name, Act act) {
    ExecutorService thread = Executors.newSingleThreadExecutor();
    try {
      thread.submit(() -> {
        act.go();
        return null;
      }).get(SECONDS, TimeUnit.SECONDS);
      note(name, null);
    } catch (ExecutionException failed) {
      note(name, failed.getCause());
    } catch (InterruptedException | TimeoutException failed) {
      note(name, failed);
    } finally {
      thread.shutdownNow();
    }
  }

  static void note(String name, Throwable failed) {
    String said = failed == null ? "" : (failed + " at " + where(failed)).replaceAll("\\s+", " ");
    RESULTS.append(name).append('\t').append(failed == null ? "passed" : "failed").append('\t').append(said).append('\n');
  }

  static String where(Throwable failed) {
    return Arrays.stream(failed.getStackTrace()).filter(one -> one.getClassName().startsWith("Walk")
        && !List.of("same", "thrown", "run", "one").contains(one.getMethodName())).findFirst().map(Object::toString).orElse("?");
  }

  static void same(Object expected, Object found) {
    if (!Objects.equals(expected, found)) throw new AssertionError("expected " + cut(expected) + ", found " + cut(found));
  }

  static String cut(Object said) {
    String text = String.valueOf(said);
    return text.length() > 500 ? text.substring(0, 500) + "…" : text;
  }

  static <T extends Throwable> T thrown(Class<T> kind, Act act) throws Exception {
    try {
      act.go();
    } catch (Exception failed) {
      if (kind.isInstance(failed)) return kind.cast(failed);
      throw failed;
    }
    throw new AssertionError("nothing failed");
  }

  static void run(Connection c, String... texts) throws SQLException {
    try (Statement s = c.createStatement()) {
      for (String text : texts) s.execute(text);
    }
  }

  static String one(Connection c, String text) throws SQLException {
    try (Statement s = c.createStatement(); ResultSet row = s.executeQuery(text)) {
      return row.next() ? row.getString(1) : null;
    }
  }

  static PGobject other(String type, String value) throws SQLException {
    PGobject made = new PGobject();
    made.setType(type);
    made.setValue(value);
    return made;
  }
}
