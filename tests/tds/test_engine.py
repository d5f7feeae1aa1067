"""The throw-away TDS server's own engine: what T-SQL gives and refuses there, as SQL Server's documentation has it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from blastwall.testing.tds import TdsServer

SHOP = """
CREATE TABLE customers (
    id int IDENTITY(1,1) NOT NULL CONSTRAINT pk_customers PRIMARY KEY CLUSTERED, name nvarchar(50) NOT NULL,
    email varchar(100) CONSTRAINT uq_email UNIQUE, total money DEFAULT (0), CONSTRAINT ck_total CHECK (total >= 0),
    shouted AS (UPPER(name)));
CREATE TABLE orders (
    id int PRIMARY KEY, customer int CONSTRAINT fk_customer REFERENCES customers(id) ON DELETE CASCADE,
    total decimal(10,2));
INSERT INTO customers (name, email) VALUES (N'Ada', 'ada@example.com'), (N'Alan', 'alan@example.org');
INSERT orders SELECT 1, 1, 10.5 UNION ALL SELECT 2, 2, 3;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[TdsServer]:
    with TdsServer() as server:
        yield server


@pytest.fixture
def shop(server: TdsServer) -> TdsServer:
    server.execute("DROP TABLE IF EXISTS orders, customers; DROP VIEW IF EXISTS addresses")
    server.execute(SHOP)
    return server


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT 7/2, 7.0/2, 'a'+'b', 7 % 4, -7/2", [(3, Decimal("3.5"), "ab", 3, -3)]),
        ("SELECT name FROM customers WHERE name LIKE 'A%' ORDER BY id DESC", [("Alan",), ("Ada",)]),
        ("SELECT name FROM customers WHERE name = 'ADA'", [("Ada",)]),
        ("SELECT shouted FROM customers WHERE id = 1", [("ADA",)]),
        ("SELECT TOP (1) c.name, o.total FROM customers c LEFT JOIN orders o ON o.customer = c.id ORDER BY 1",
         [("Ada", Decimal("10.50"))]),
        ("SELECT customer, SUM(total) s FROM orders GROUP BY customer HAVING COUNT(*) > 0 ORDER BY s",
         [(2, Decimal("3.00")), (1, Decimal("10.50"))]),
        ("WITH c AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM c WHERE a < 3) SELECT a FROM c", [(1,), (2,), (3,)]),
        ("SELECT id FROM orders ORDER BY id OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY", [(2,)]),
        (("SELECT o.id, q.name FROM orders o CROSS APPLY (SELECT name FROM customers c WHERE c.id = o.customer) q "
         "ORDER BY o.id"), [(1, "Ada"), (2, "Alan")]),
        ("SELECT id, ROW_NUMBER() OVER (ORDER BY id DESC) FROM orders ORDER BY id", [(1, 2), (2, 1)]),
        ("SELECT id, name AS [n.x] FROM customers WHERE id = 1 FOR JSON PATH", [('[{"id":1,"n":{"x":"Ada"}}]',)]),
        ("SELECT id FROM customers FOR XML PATH('c')", [("<c><id>1</id></c><c><id>2</id></c>",)]),
        (("SELECT CONVERT(varchar(10), CAST('20200203' AS datetime), 120), "
                "DATEDIFF(month, '2020-01-31', '2020-03-01'), "
         "DATEPART(weekday, '2020-01-05')"), [("2020-02-03", 2, 1)]),
        ("SELECT CAST('abcdef' AS varchar(3)), LEN('ab  '), IIF(1=1,'a','b'), COALESCE(NULL, 3)", [("abc", 2, "a", 3)]),
        ("SELECT 1 SELECT 2 DECLARE @x int = 3 SELECT @x", [(3,)]),
        ("IF EXISTS (SELECT * FROM orders) SELECT 'some' ELSE SELECT 'none'", [("some",)]),
        ("DECLARE @i int = 0 WHILE 1 = 1 BEGIN SET @i += 1 IF @i < 3 CONTINUE BREAK END SELECT @i", [(3,)]),
        ("EXEC sp_executesql N'SELECT @x + 1', N'@x int', @x = 41", [(42,)]),
        ("DECLARE @t TABLE (a int); INSERT @t VALUES (1),(2); SELECT SUM(a) FROM @t", [(3,)]),
        ("SELECT * INTO #t FROM orders; DELETE #t WHERE id = 1; SELECT id FROM #t", [(2,)]),
        ("SELECT name FROM customers WHERE name LIKE '[a-b]l%'", [("Alan",)]),
    ],
)  # fmt: skip
def test_a_batch_gives_what_sql_server_gives(shop: TdsServer, query: str, rows: list[tuple[object, ...]]) -> None:
    assert shop.execute(query) == rows


@pytest.mark.parametrize(
    ("batch", "number", "words"),
    [
        ("SELECT 1 +", 102, "Incorrect syntax"),
        ("SELECT 1 FROM", 102, "Incorrect syntax"),
        ("SELECT 'x", 105, "Unclosed quotation mark"),
        ("SELECT nosuch FROM orders", 207, "Invalid column name 'nosuch'"),
        ("SELECT * FROM nosuch", 208, "Invalid object name 'nosuch'"),
        ("SELECT id FROM orders o JOIN customers c ON c.id = o.customer", 209, "Ambiguous column name 'id'"),
        ("SELECT x.id FROM orders o", 4104, 'The multi-part identifier "x.id"'),
        ("SELECT @x", 137, 'Must declare the scalar variable "@x"'),
        ("SELECT CAST('abc' AS int)", 245, "converting the varchar value 'abc' to data type int"),
        ("SELECT 1/0", 8134, "Divide by zero"),
        ("INSERT customers (name, email) VALUES ('x', 'ada@example.com')", 2627, "UNIQUE KEY constraint 'uq_email'"),
        ("INSERT orders VALUES (1, 1, 1)", 2627, "The duplicate key value is (1)"),
        ("INSERT customers (name) VALUES (NULL)", 515, "column 'name', table 'shop.dbo.customers'"),
        ("INSERT customers (name, total) VALUES ('x', -1)", 547, 'CHECK constraint "ck_total"'),
        ("INSERT orders VALUES (5, 99, 1)", 547, 'FOREIGN KEY constraint "fk_customer"'),
        ("INSERT customers (name) VALUES (REPLICATE('x', 51))", 2628, "column 'name'. Truncated value: 'xxx"),
        ("INSERT customers (id, name) VALUES (7, 'x')", 544, "IDENTITY_INSERT is set to OFF"),
        ("COMMIT", 3902, "no corresponding BEGIN TRANSACTION"),
        ("ROLLBACK", 3903, "no corresponding BEGIN TRANSACTION"),
        ("EXEC nosuch", 2812, "Could not find stored procedure 'nosuch'"),
        ("USE nosuch", 911, "Database 'nosuch' does not exist"),
        ("DROP TABLE nosuch", 3701, "Cannot drop the table 'nosuch'"),
        ("CREATE TABLE orders (id int)", 2714, "There is already an object named 'orders'"),
        ("THROW 51000, 'boom', 1", 51000, "boom"),
        ("RAISERROR('bad %d %s', 16, 1, 5, 'x')", 50000, "bad 5 x"),
    ],
)
def test_an_error_has_its_number_and_text(shop: TdsServer, batch: str, number: int, words: str) -> None:
    with pytest.raises(RuntimeError, match=f"Msg {number}") as raised:
        shop.execute(batch)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    "batch",
    ["SELECT 1 SHUTDOWN", "SELECT * FROM OPENROWSET('x', 'y', 'z')", "KILL 5", "BACKUP DATABASE shop TO DISK = 'x'",
     "SELECT TOP 1 WITH TIES id FROM orders ORDER BY id", "SELECT FORMAT(1, 'N')", "DECLARE c CURSOR FOR SELECT 1",
     "WAITFOR TIME '10:00'", "SELECT (SELECT id FROM orders FOR JSON PATH)"],
)  # fmt: skip
def test_what_it_cannot_do_it_says_and_does_nothing(shop: TdsServer, batch: str) -> None:
    with pytest.raises(RuntimeError, match=r"(Msg 40000: .*not supported by the test server)|(Msg 195)"):
        shop.execute(f"DELETE FROM orders; {batch}")
    assert shop.execute("SELECT COUNT(*) FROM orders") == [(2,)]


def test_an_error_ends_its_statement_and_not_its_transaction(shop: TdsServer) -> None:
    batch = """
        BEGIN TRAN; INSERT orders VALUES (7, 1, 1);
        BEGIN TRY INSERT orders VALUES (7, 1, 1) END TRY BEGIN CATCH DECLARE @n int = ERROR_NUMBER() END CATCH;
        COMMIT; SELECT @n, COUNT(*) FROM orders
    """
    assert shop.execute(batch) == [(2627, 3)]


def test_xact_abort_ends_the_transaction_too(shop: TdsServer) -> None:
    with pytest.raises(RuntimeError, match="Msg 2627"):
        shop.execute(
            "SET XACT_ABORT ON; BEGIN TRAN; DELETE orders WHERE id = 2; INSERT orders VALUES (1, 1, 1); COMMIT"
        )
    assert shop.execute("SELECT COUNT(*) FROM orders") == [(2,)]


def test_a_doomed_transaction_cannot_be_committed(shop: TdsServer) -> None:
    batch = "BEGIN TRAN; BEGIN TRY SELECT CAST('x' AS int) END TRY BEGIN CATCH SELECT XACT_STATE(); COMMIT END CATCH"
    with pytest.raises(RuntimeError, match="Msg 3930"):
        shop.execute(batch)


def test_a_savepoint_takes_back_what_came_after_it(shop: TdsServer) -> None:
    shop.execute("BEGIN TRAN; DELETE orders WHERE id = 1; SAVE TRAN a; DELETE orders; ROLLBACK TRAN a; COMMIT")
    assert shop.execute("SELECT id FROM orders") == [(2,)]


def test_definitions_are_rolled_back_as_well(shop: TdsServer) -> None:
    shop.execute("BEGIN TRAN; CREATE TABLE passing (a int); ALTER TABLE orders ADD note varchar(5); ROLLBACK")
    assert shop.execute("SELECT name FROM sys.columns WHERE object_id = OBJECT_ID('orders')") == [
        ("id",), ("customer",), ("total",),
    ]  # fmt: skip
    assert shop.execute("SELECT OBJECT_ID('passing')") == [(None,)]


def test_changes_tell_their_rows_by_output(shop: TdsServer) -> None:
    rows = shop.execute(
        "UPDATE o SET total += 1 OUTPUT deleted.total, inserted.total FROM orders o "
        "JOIN customers c ON c.id = o.customer WHERE c.name = 'ada'"
    )
    assert rows == [(Decimal("10.50"), Decimal("11.50"))]
    assert shop.execute("INSERT customers (name) OUTPUT inserted.id, inserted.shouted VALUES ('x')") == [(3, "X")]
    assert shop.execute("DELETE TOP (1) FROM orders OUTPUT deleted.id WHERE id = 2") == [(2,)]
    merged = """
        MERGE orders AS d USING (VALUES (1, 5), (9, 6)) AS s(id, total) ON d.id = s.id
        WHEN MATCHED THEN UPDATE SET total = s.total
        WHEN NOT MATCHED THEN INSERT (id, customer, total) VALUES (s.id, 1, s.total) OUTPUT $action, inserted.id;
    """
    assert sorted(shop.execute(merged)) == [("INSERT", 9), ("UPDATE", 1)]


def test_deletes_cascade(shop: TdsServer) -> None:
    shop.execute("DELETE customers WHERE id = 1")
    assert shop.execute("SELECT id FROM orders") == [(2,)]


def test_a_procedure_has_parameters_a_status_and_a_scope(shop: TdsServer) -> None:
    shop.execute(
        "CREATE OR ALTER PROCEDURE p @a int, @b int = 5 OUTPUT AS "
        "BEGIN SET @b = @a * 2; SELECT 1 AS x INTO #p; RETURN 3 END"
    )
    assert shop.execute("DECLARE @r int, @o int; EXEC @r = p 4, @o OUTPUT; SELECT @r, @o, OBJECT_ID('tempdb..#p')") == [
        (3, 8, None)
    ]
    with pytest.raises(RuntimeError, match="Msg 201"):
        shop.execute("EXEC p")


def test_a_trigger_sees_what_was_touched(shop: TdsServer) -> None:
    shop.execute(
        "CREATE TRIGGER tr ON orders AFTER INSERT, DELETE AS BEGIN SET NOCOUNT ON; "
        "INSERT customers (name) SELECT 'new ' + CAST(id AS varchar(5)) FROM inserted; "
        "INSERT customers (name) SELECT 'gone ' + CAST(id AS varchar(5)) FROM deleted END"
    )
    shop.execute("INSERT orders VALUES (8, 1, 1); DELETE orders WHERE id = 2")
    assert shop.execute("SELECT name FROM customers WHERE id > 2 ORDER BY id") == [("new 8",), ("gone 2",)]


def test_the_first_result_is_described_with_its_sources(shop: TdsServer) -> None:
    shop.execute("CREATE VIEW addresses AS SELECT id, email AS address FROM customers")
    described = """
        SELECT name, source_schema, source_table, source_column, system_type_name
        FROM sys.dm_exec_describe_first_result_set(N'SELECT id, address, UPPER(address) u FROM addresses', NULL, 1)
    """
    assert shop.execute(described) == [
        ("id", "dbo", "customers", "id", "int"),
        ("address", "dbo", "customers", "email", "varchar(100)"),
        ("u", None, None, None, "varchar(100)"),
    ]


def test_the_catalog_views_tell_what_was_defined(shop: TdsServer) -> None:
    query = """
        SELECT f.name, p.name, r.name, f.delete_referential_action_desc FROM sys.foreign_keys f
        JOIN sys.objects p ON p.object_id = f.parent_object_id
        JOIN sys.objects r ON r.object_id = f.referenced_object_id
    """
    assert shop.execute(query) == [("fk_customer", "orders", "customers", "CASCADE")]
    assert shop.execute("SELECT definition FROM sys.computed_columns") == [("(UPPER(name))",)]
    assert shop.execute("SELECT COUNT(*) FROM sys.system_columns") > [(100,)]


def test_a_user_without_a_grant_is_refused(shop: TdsServer) -> None:
    shop.execute("CREATE USER reader WITHOUT LOGIN; GRANT SELECT ON orders TO reader")
    as_reader = "EXECUTE AS USER = 'reader'; "
    assert shop.execute(as_reader + "SELECT COUNT(*) FROM orders") == [(2,)]
    for statement in ("SELECT * FROM customers", "DELETE FROM orders"):
        with pytest.raises(RuntimeError, match="Msg 229"):
            shop.execute(as_reader + statement)
