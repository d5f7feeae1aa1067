# ruff: noqa: E501 - a batch and its answer read better in one line
from __future__ import annotations

import pytest
from tests.sql.tsql.shop import CATALOG, STATE, read, sources

from blastwall.model.statement import Column
from blastwall.sql.tsql.classify import call
from blastwall.sql.tsql.state import NameState, before, reset, settled
from blastwall.sql.tsql.statement import RETURN_STATUS, Argument


def column(name: str, table: str = "customers", schema: str = "dbo") -> Column:
    return Column("shop", schema, table, name)


EMAIL, SSN = column("email"), column("ssn")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select email from customers", [["email! < customers.email"]]),
        ("select EMAIL from Customers", [["EMAIL! < customers.email"]]),
        ("select c.email as mail from customers c", [["mail! < customers.email"]]),
        ("select mail = email from customers", [["mail! < customers.email"]]),
        ("select upper(email) from customers", [[" < customers.email"]]),
        ("select concat(name, '') + email x from customers", [["x < customers.email, customers.name"]]),
        ("select cast(email as varchar(9)) from customers", [[" < customers.email"]]),
        ("select count(email), count(*) from customers", [[" < ", " < "]]),
        ("select max(email) from customers", [[" < customers.email"]]),
        ("select iif(1 = 1, email, '') from customers", [[" < customers.email"]]),
        ("select case when email like 'a%' then 1 end from customers", [[" < customers.email"]]),
        ("select $identity from customers", [[" < ?"]]),
        ("select identitycol from customers", [[" < ?"]]),
        ("select label from customers", [["label < customers.email, customers.label, customers.name"]]),
        ("select (select email from customers where id = 1)", [["! < customers.email"]]),
        ("select mail from customer_mail", [["mail < customer_mail.mail, customers.email"]]),
        ("select * from clients where 1 = 0", [["id! < customers.id", "name! < customers.name",
         "email! < customers.email", "ssn! < customers.ssn", "salary! < customers.salary",
         "label < customers.email, customers.label, customers.name"]]),
        ("select email from customers union all select note from orders", [["email < customers.email, orders.note"]]),
        ("with c as (select ssn x from customers) select x from c", [["x! < customers.ssn"]]),
        ("with c (y) as (select ssn from customers) select * from c", [["y! < customers.ssn"]]),
        ("with r as (select name, 1 as n from customers union all select email, n + 1 from r join customers on 1 = 1) select name from r", [["name < customers.email, customers.name"]]),
        ("select x.e from (select email as e from customers) x", [["e! < customers.email"]]),
        ("select v.a from customers cross apply (values (email), (ssn)) v(a)", [["a < customers.email, customers.ssn"]]),
        ("select email from customers for json path", [["JSON_F52E2B61-18A1-11d1-B105-00805F49916B < customers.email"]]),
        ("select email from customers for xml auto", [["XML_F52E2B61-18A1-11d1-B105-00805F49916B < customers.email"]]),
        ("select (select email from customers for json auto) as j", [["j < customers.email"]]),
        ("select value from customers cross apply string_split(email, ',')", [["value < customers.email"]]),
        ("select [key], value from customers cross apply openjson(email)",
         [["key < customers.email", "value < customers.email"]]),
        ("select j.a from customers cross apply openjson(email) with (a int) j", [["a < customers.email"]]),
        ("select p.[1] from (select id, email from customers) s pivot (max(email) for id in ([1])) p",
         [["1 < customers.email"]]),
        ("select v, k from (select email, ssn from customers) s unpivot (v for k in (email, ssn)) u",
         [["v < customers.email, customers.ssn", "k < "]]),
        ("select lag(email) over (order by id) from customers", [[" < customers.email"]]),
        ("select string_agg(email, ',') within group (order by id) from customers", [[" < customers.email, customers.id"]]),
        ("select dbo.mail_of(1)", [[" < customers.email"]]),
        ("select dbo.twice(salary) from customers", [[" < customers.salary"]]),
        ("select mail from dbo.mails()", [["mail < customers.email"]]),
        ("select note from dbo.orders_of(1)", [["note < orders.note"]]),
        ("select price from prices for system_time all", [["price < prices.price, prices_old.price"]]),
        ("select price from history.prices_old", [["price < prices.price, prices_old.price"]]),
        ("declare @e nvarchar(9); select @e = email from customers; select @e as e", [["e < customers.email"]]),
        ("declare @e nvarchar(9); set @e = (select ssn from customers where id = 1); select @e + 'x'",
         [[" < customers.ssn"]]),
        ("declare @a int, @b int; while 1 = 1 begin select @b; select @b = @a; select @a = salary from customers end",
         [[" < customers.salary"]]),
        ("select email into #t from customers; select * from #t", [["email! < customers.email"]]),
        ("create table #t (a nvarchar(9)); insert #t select ssn from customers; select a from #t",
         [["a < customers.ssn"]]),
        ("create table #t (a int, b nvarchar(9)); insert #t (b) select ssn from customers; select a, b from #t",
         [["a < ", "b < customers.ssn"]]),
        ("declare @t table (a nvarchar(9)); insert @t values ((select top 1 email from customers)); select a from @t",
         [["a < customers.email"]]),
        ("create table #t (a nvarchar(9)); update #t set a = c.email from customers c; select a from #t",
         [["a < customers.email"]]),
        ("create table #t (a nvarchar(9)); update orders set note = '' output (select top 1 ssn from customers) into #t; select a from #t", [["a < customers.ssn"]]),
        ("update orders set note = '' output deleted.note, inserted.total", [["note! < orders.note", "total! < orders.total"]]),
        ("delete customers output deleted.email", [["email! < customers.email"]]),
        ("declare c cursor for select email from customers; open c; fetch next from c", [["email! < customers.email"]]),
        ("declare @x nvarchar(9); declare c cursor for select email from customers; fetch c into @x; select @x",
         [[" < customers.email"]]),
        ("declare @m nvarchar(9); exec get_customer 1, @m output; select @m",
         [["id! < orders.id", "note! < orders.note"], [" < customers.email"]]),
        ("declare @m nvarchar(9); exec get_customer @id = 1, @mail = @m output; select @m",
         [["id! < orders.id", "note! < orders.note"], [" < customers.email"]]),
        ("declare @m nvarchar(9); select @m = ssn from customers; exec echo @m", [["said < customers.ssn"]]),
        ("create table #caught (m nvarchar(9)); exec fills; select m from #caught", [["m < customers.email"]]),
        ("create table #t (a int, b nvarchar(9)); insert #t exec hr.pays; select a, b from #t",
         [["a < staff.name", "b < staff.name, staff.pay"]]),
        ("declare @o nvarchar(9); exec sp_executesql N'select @p = email from customers', N'@p nvarchar(9) output', @o output; select @o", [[" < customers.email"]]),
        ("declare @s nvarchar(9); select @s = ssn from customers; exec sp_executesql N'select @p', N'@p nvarchar(9)', @s",
         [[" < customers.ssn"]]),
        ("begin try select cast(email as int) from customers end try begin catch select error_message() end catch",
         [[" < customers.email"], [" < customers.email"]]),
        ("declare @t id_list; insert @t select email from customers; select a from @t", [["a < customers.email"]]),
        ("declare @t dbo.id_list; update orders set note = '' output (select top 1 ssn from customers) into @t; select a from @t", [["a < customers.ssn"]]),
        ("declare @t id_list; insert @t select email from customers; select * from @t; select note as a from orders",
         [None, ["a! < orders.note"]]),
        ("create table #t (a nvarchar(9)); insert #t ([\uff41]) select email from customers; select a from #t",
         [["a < customers.email"]]),
        ("create table #t (a nvarchar(9)); insert [#t ] select email from customers; select a from #t",
         [["a < customers.email"]]),
        ("declare @\xe9 nvarchar(9), @e int; select @e = email from customers; select @\xe9", [[" < customers.email"]]),
        ("declare @e nvarchar(9); select @e; select @\xe9 = ssn from customers", [[" < customers.ssn"]]),
        ("create table #t (a nvarchar(9), q as upper(a)); insert #t (a) select email from customers; select q from #t", [["q < ?"]]),
        ("create table #t (a nvarchar(9)); insert #t select ssn from customers; alter table #t add q as a; select q from #t",
         [["q < ?"]]),
        ("create table #t (a nvarchar(max)); update #t set a.write((select top 1 email from customers), 0, 1); select a from #t",
         [["a < customers.email"]]),
        ("declare @x xml; select @x.value('sql:column(\"c.email\")', 'nvarchar(9)') from customers c", [[" < ?"]]),
        ("declare @x xml; with xmlnamespaces ('urn:schemas-microsoft-com:xml-sql' as s) select @x.query('s:variable(\"@e\")')",
         [[" < ?"]]),
        ("select col_name(1, ascii(email)), object_id('x'), user_name() from customers",
         [[" < customers.email", " < ", " < "]]),
        ("select email from customers for xml auto, type", [[" < customers.email"]]),
        ("exec hr.pays with result sets ((z nvarchar(9), y int))", [[" < staff.name", " < staff.pay"]]),
        ("exec ('select email from customers') with result sets ((z nvarchar(9)))", [[" < customers.email"]]),
        ("exec sp_executesql N'select email from customers' with result sets ((z nvarchar(9)))", [[" < customers.email"]]),
        ("select o.identitycol from orders o", [[" < orders.customer_id, orders.id, orders.note, orders.total"]]),
        ("select 1 where exists (select * from customers)", [[" < "]]),
        ("select nobody from customers", [["nobody < ?"]]),
        ("select * from nowhere", [None]),
    ],
)  # fmt: skip
def test_what_is_shown_is_traced(text: str, expected: list[list[str] | None]) -> None:
    assert sources(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select id from customers where email = 'a'", {"customers.email"}),
        ("select id from customers order by email", {"customers.email"}),
        ("select email as e from customers order by e", {"customers.email"}),
        ("select email from customers order by 1", {"customers.email"}),
        ("select distinct email from customers", {"customers.email"}),
        ("select count(*) from customers group by email", {"customers.email"}),
        ("select count(email) from customers", {"customers.email"}),
        ("select id from orders o join customers c on c.email = o.note", {"customers.email", "orders.note"}),
        ("if exists (select 1 from customers where email = 'x') print 1", {"customers.email"}),
        ("declare @e nvarchar(9); select @e = email from customers; if @e = 'x' print 1", {"customers.email"}),
        ("select 1 / salary from customers", {"customers.salary"}),
        ("select cast(email as int) from customers", {"customers.email"}),
        ("select upper(name) + email from customers", set()),
        ("select email from customers", set()),
        ("select case when email = 'a' then 1 else 0 end from customers", set()),
        ("select mail from customer_mail", set()),
        ("select id from open_orders", {"orders.total"}),
        ("insert customers (email) values ('x')", {"customers.email"}),
        ("insert orders (customer_id) values (1)", {"customers.id"}),
        ("exec get_customer 1, null", {"customers.id", "orders.customer_id"}),
        ("select row_number() over (order by email) from customers", {"customers.email"}),
        ("declare @e nvarchar(9); select @e = email from customers; waitfor delay @e", {"customers.email"}),
        ("create unique index u on customers (email)", {"customers.email"}),
        ("select case when email like 'a%' then name else 0 end from customers", {"customers.email", "customers.name"}),
        ("select case when email like 'a%' then 'x' else 1 end from customers", {"customers.email"}),
        ("select case email when 1 then 'x' else 'y' end from customers", {"customers.email"}),
        ("select iif(email like 'a%', name, 0) from customers", {"customers.email", "customers.name"}),
        ("select coalesce(email, 1) from customers", {"customers.email"}),
        ("select isnull(email, '') + left(name, 3) from customers", set()),
        ("select left(email, len(email) - 5) from customers", {"customers.email"}),
        (
            "select case when email like 'a%' then 'x' else '1' end from customers union all select 1",
            {"customers.email"},
        ),
        ("select email from customers union all select note from orders", set()),
        ("select * from (values ((select top 1 email from customers)), (1)) v(a)", {"customers.email"}),
        (
            "declare @i int; select @i = case when email like 'a%' then 'x' else '1' end from customers",
            {"customers.email"},
        ),
        ("declare @i int; select @i = salary from customers", set()),
        ("declare @e nvarchar(9); select @e = upper(email) from customers", set()),
        ("declare @i int; declare c cursor for select email from customers; fetch c into @i", {"customers.email"}),
        ("create table #t (a int); insert #t select email from customers", {"customers.email"}),
        ("create table #t (a nvarchar(3)); insert #t select email from customers", {"customers.email"}),
        ("create table #t (a nvarchar(100)); insert #t select email from customers", set()),
        ("create table #t (a nvarchar(max)); insert #t select upper(email) from customers", set()),
        ("create table #t (a nvarchar(100) primary key); insert #t select email from customers", {"customers.email"}),
        (
            "create table #t (a nvarchar(100), check (a like 'x%')); insert #t select email from customers",
            {"customers.email"},
        ),
        ("select email into #t from customers; create unique index u on #t (email)", {"customers.email"}),
        ("select email into #t from customers; alter table #t add primary key (email)", {"customers.email"}),
        ("declare @t table (a int unique); insert @t select salary from customers", {"customers.salary"}),
        ("alter table customers add constraint c check (email like 'a%')", {"customers.email"}),
        ("alter table customers add constraint u unique (email)", {"customers.email"}),
        ("alter table customers alter column email int", {"customers.email"}),
        ("declare @n int; select @n = salary from customers; set rowcount @n", {"customers.salary"}),
        ("declare @n int; select @n = salary from customers; raiserror ('x', @n, 1)", {"customers.salary"}),
        ("declare @n int; select @n = salary from customers; kill @n", {"customers.salary"}),
        ("declare @e nvarchar(9); select @e = email from customers; exec purge @e", {"customers.email", "orders.id"}),
        (
            "declare @e nvarchar(9); select @e = email from customers; exec sp_executesql N'print 1', N'@i int', @e",
            {"customers.email"},
        ),
        ("declare @e nvarchar(9); select @e = email from customers; return @e", {"customers.email"}),
        ("select dbo.mail_of(1)", {"customers.id"}),
    ],
)
def test_what_decides_is_known(text: str, expected: set[str]) -> None:
    found = read(text).filters
    assert found is not None
    assert {f"{one.table}.{one.column}" for one in found} == expected


@pytest.mark.parametrize(
    "text",
    ["select * from sys.query_store_query_text where query_sql_text like '%x%'", "exec sealed", "dbcc show_statistics ('customers', 'email')",
     "select id from nowhere where x = 1", "exec sp_who2"],
)  # fmt: skip
def test_what_may_decide_by_anything_says_so(text: str) -> None:
    found = read(text).filters
    assert found is None or any(one.column == "*" for one in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("insert audit_log (what) select email from customers", {EMAIL}),
        ("select email into stolen from customers", {EMAIL}),
        ("select email into ##stolen from customers", {EMAIL}),
        ("select email into #mine from customers", set()),
        ("update orders set note = c.email from customers c", {EMAIL}),
        ("update customers set email = email + 'x'", set()),
        ("update customers set email = ssn", {SSN}),
        ("merge orders t using customers s on t.id = s.id when matched then update set note = s.email;", {EMAIL}),
        ("declare @e nvarchar(9); select @e = email from customers; insert audit_log (what) values (@e)", {EMAIL}),
        ("declare @e varbinary(9); select @e = cast(email as varbinary) from customers; set context_info @e", {EMAIL}),
        ("declare @e nvarchar(9); select @e = email from customers; exec sp_set_session_context 'k', @e", {EMAIL}),
        ("insert elsewhere.shop.dbo.t (a) select ssn from customers", {SSN}),
        ("insert audit_log (what) exec ('select email from customers')", {EMAIL}),
        ("delete customers output deleted.email into audit_log (what)", {EMAIL}),
        ("delete guarded", {column("note", "guarded")}),
    ],
)
def test_what_is_stored_elsewhere_is_known(text: str, expected: set[Column]) -> None:
    assert read(text).copies == frozenset(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("declare @e nvarchar(9); select @e = email from customers; print @e", {EMAIL}),
        ("declare @e nvarchar(9); select @e = email from customers; raiserror (@e, 16, 1)", {EMAIL}),
        ("declare @e nvarchar(9); select @e = email from customers; raiserror ('%s', 16, 1, @e)", {EMAIL}),
        ("declare @e nvarchar(9); select @e = email from customers; throw 50000, @e, 1", {EMAIL}),
        ("declare @e nvarchar(9); select @e = email from customers; exec echo @e", {EMAIL}),
        ("print 'x'", set()),
    ],
)
def test_what_messages_may_say_is_known(text: str, expected: set[Column]) -> None:
    assert read(text).messages == frozenset(expected)


def test_what_goes_out_by_parameters_is_known() -> None:
    found = read("select @m = email from customers where id = @id", parameters={"@m": "nvarchar(9)", "@id": "int"})
    assert found.returns == {"@m": frozenset({EMAIL}), "@id": frozenset()}
    assert found.parameters == {"@id": column("id")}


def test_a_return_value_is_traced() -> None:
    found = read("declare @s int; select @s = salary from customers; return @s")
    assert found.returns[RETURN_STATUS] == frozenset({column("salary")})


@pytest.mark.parametrize(
    ("text", "literal", "expected"),
    [
        ("select id from customers where email = 'a@b.c'", "'a@b.c'", "email"),
        ("insert customers (name, email) values (N'x', N'a@b.c')", "N'a@b.c'", "email"),
        ("update customers set ssn = '123' where id = 4", "'123'", "ssn"),
        ("declare @e nvarchar(9) = 'a@b.c'; select id from customers where email = @e", "'a@b.c'", "email"),
        ("exec ('select id from customers where email = ''a@b.c''')", "''a@b.c''", "email"),
        ("exec sp_executesql N'select 1 from customers where email = @e', N'@e nvarchar(9)', @e = 'a@b.c'", "'a@b.c'", "email"),
        ("exec get_customer 7, null", "7", "id"),
        ("select id from customers where upper(email) in ('A', 'B')", "'B'", "email"),
    ],
)  # fmt: skip
def test_a_literal_has_the_column_that_it_meets(text: str, literal: str, expected: str) -> None:
    (found,) = [one for one in read(text).literals if text[one.start : one.end] == literal]
    assert found.column is not None
    assert found.column.column == expected


@pytest.mark.parametrize(
    "text",
    [
        "create login thief with password = 'hush'",
        "alter login sa with password = N'hush' old_password = 'x'",
        "create credential c with identity = 'x', secret = 'hush'",
        "create master key encryption by password = 'hush'",
        "open symmetric key k decryption by password = 'hush'",
        "exec sp_addlogin 'thief', 'hush'",
        "exec sp_addlinkedsrvlogin 'a', 'false', null, 'sa', 'hush'",
        "select encryptbypassphrase('hush', note) from orders",
        "select * from openrowset('SQLNCLI', 'Server=x;Password=hush', 'select 1')",
        "select * from opendatasource('SQLNCLI', 'hush').a.b.c",
        "exec ('create login thief with password = ''hush''')",
        "declare @p nvarchar(9) = 'hush'; exec sp_password null, @p, 'sa'",
        "exec sp_setapprole 'app', 'hush'",
        "backup certificate c to file = 'x' with private key (encryption by password = 'hush')",
        "exec xp_cmdshell 'net use x hush'",
        "create login thief with 'hush'",
        "create login thief 'hush'",
        "exec sp_addlogin thief, hush",
        "exec ('create login thief with password = ' + char(39) + 'hush' + char(39))",
        "exec ('create login thief with password = ''hush''' + char(32))",
        "exec ('exec (''create login thief with password = ''''hush'''''')')",
        "exec sp_executesql N'exec sp_executesql N''create login thief with password = ''''hush''''''",
        "declare @s nvarchar(99) = N'create login thief '; set @s = @s + N'with password = ''hush'''; exec (@s)",
        "exec sp_addlinkedserver @provstr = 'PWD=hush', @server = 'far'",
        "exec sp_addlogin @passwd = 'hush', @loginame = 'thief'",
        "exec sp_invoke_external_rest_endpoint @headers = 'hush', @url = 'https://u:hush@x.example/?sig=hush'",
        "bulk insert orders from 'https://u:hush@x.example/a?sig=hush'",
        "backup database shop to url = 'https://x.example/a?sig=hush'",
    ],
)
def test_no_recording_holds_a_secret(text: str) -> None:
    found = read(text)
    shown = list(text)
    for one in found.literals:
        if one.secret:
            shown[one.start : one.end] = " " * (one.end - one.start)
    assert "hush" not in "".join(shown)
    assert "hush" not in str(found.effects)
    assert "hush" not in found.doubt


def test_a_procedure_called_by_name_is_followed() -> None:
    found = call(["dbo", "get_customer"], [Argument("@id", "7"), Argument("", None, output=True)], CATALOG, STATE)
    assert [effect.action for effect in found.effects] == ["execute", "read", "read"]
    assert found.parameters["@id"] == column("id")
    assert found.returns["@2"] == frozenset({EMAIL})
    assert found.operation == "EXEC"


def test_a_text_given_to_a_procedure_by_name_is_read() -> None:
    found = call(["sp_executesql"], [Argument("", "delete from orders")], CATALOG, STATE)
    assert "delete" in [effect.action for effect in found.effects]


def test_a_temporary_table_keeps_its_sources_in_later_batches() -> None:
    state = settled(STATE, read("select email into #t from customers"))
    (result,) = read("select * from #t", state).results or ()
    assert [one.sources for one in result.columns or ()] == [frozenset({EMAIL})]
    state = settled(state, read("insert #t select ssn from customers", state))
    (result,) = read("select * from #t", state).results or ()
    assert [one.sources for one in result.columns or ()] == [frozenset({EMAIL, SSN})]
    assert read("select * from #t", reset(state)).results == read("select * from #t").results


def test_a_temporary_table_of_another_shape_is_not_trusted() -> None:
    state = before(STATE, read("create table #t (a int)"))
    state = before(state, read("select email, ssn into #t from customers", state))
    (result,) = read("select * from #t", state).results or ()
    assert result.columns is None


def test_code_that_cannot_be_read_may_fill_a_temporary_table_with_anything() -> None:
    state = settled(STATE, read("create table #t (a nvarchar(9)); exec sealed"))
    (result,) = read("select a from #t", state).results or ()
    assert [one.sources for one in result.columns or ()] == [None]


def test_a_temporary_table_that_everybody_sees_is_not_followed() -> None:
    found = read("select email into ##t from customers; select * from ##t")
    assert found.copies == frozenset({EMAIL})
    assert [one.columns for one in found.results or ()] == [None]


def test_options_of_an_earlier_batch_count_until_they_are_reset() -> None:
    state = before(STATE, read("set nocount on"))
    assert state.may_be("nocount", "on", "off")
    assert state.may_be("nocount", "off", "off")
    assert read("set showplan_xml on", STATE).results is None
    assert read("select 1", settled(STATE, read("set showplan_xml on"))).results is None
    assert reset(state) == NameState("dbo")


def test_a_name_that_the_session_redefined_is_unclear_until_the_catalog_is_read_again() -> None:
    state = settled(STATE, read("alter view customer_mail as select id, ssn as mail from customers"))
    assert "this session may have changed" in read("select mail from customer_mail", state).doubt
    assert not read("select id from orders", state).doubt


def test_who_the_session_is_decides_what_unqualified_names_mean() -> None:
    state = settled(STATE, read("execute as user = 'ana'"))
    assert "default schema" in read("select * from orders", state).doubt
    assert not read("select * from dbo.orders", state).doubt


def test_the_default_schema_comes_first() -> None:
    state = NameState("hr")
    assert [effect.object.path for effect in read("select pay from staff", state).effects] == [("shop", "hr", "staff")]
    assert [effect.object.path for effect in read("select id from orders", state).effects] == [
        ("shop", "dbo", "orders")
    ]


def test_a_temporary_table_whose_drop_may_be_left_out_or_undone_is_not_forgotten() -> None:
    """Else a CREATE that fails, or is rolled back, would make it harmless."""
    secret = settled(STATE, read("select email as id into #t from customers"))
    dropped = "drop table #t"
    for state in (
        settled(secret, read(f"if 1 = 0 {dropped}", secret)),
        settled(secret, read(f"begin tran; {dropped}; create table #t (id nvarchar(9)); rollback", secret)),
        settled(secret, read(dropped, secret), lasting=False),
        before(secret, read(dropped, secret)),
    ):
        after = before(state, read("create table #t (id nvarchar(9))", state))
        (result,) = read("select id from #t", after).results or ()
        assert [one.sources for one in result.columns or ()] == [frozenset({EMAIL})]
    gone = settled(secret, read(dropped, secret))
    after = settled(gone, read("create table #t (id nvarchar(9))", gone))
    (result,) = read("select id from #t", after).results or ()
    assert [one.sources for one in result.columns or ()] == [frozenset()]


def test_a_cursor_that_may_be_that_of_before_shows_nobody_knows_what() -> None:
    state = settled(STATE, read("declare c cursor global for select email as id from customers; open c"))
    state = settled(state, read("if 1 = 0 declare c cursor global for select id from customers", state))
    (result,) = read("fetch next from c", state).results or ()
    assert result.columns is None


@pytest.mark.parametrize("text", ["exec sp_cursoroption 180150003, 2, 'c'", "exec sp_unprepare 1"])
def test_cursors_and_handles_are_not_renamed_or_ended_behind_the_session_s_back(text: str) -> None:
    assert read(text).doubt


def test_a_reset_settles_nothing_that_was_defined_anew() -> None:
    """It may keep the transaction, and with it a definition that the catalog does not know."""
    state = reset(settled(STATE, read("alter view customer_mail as select id, ssn as mail from customers")))
    assert "this session may have changed" in read("select mail from customer_mail", state).doubt


@pytest.mark.parametrize(
    "text",
    [
        "declare @n int; select @n = ascii(email) from customers; throw @n, N'x', 1",
        "declare @n int; select @n = ascii(email) from customers; throw 50000, N'x', @n",
        "declare @n int; select @n = ascii(email) from customers; raiserror('x', 1, @n)",
        "declare @n sysname; select @n = email from customers; save transaction @n",
        "declare @p varbinary(16), @e nvarchar(9); select @e = email from customers; writetext orders.note @p @e",
        "update orders set note.write((select email from customers), 0, 1)",
        "create table dbo.n (a nvarchar(9) default (dbo.mail_of(1)))",
    ],
)
def test_what_outlives_a_request_counts_as_a_copy(text: str) -> None:
    assert read(text).copies == frozenset({EMAIL})


@pytest.mark.parametrize("name", ["[#\uff54]", "[#t\u200b]", "[#\u212a]"])
def test_no_temporary_table_may_have_a_name_that_the_server_may_take_for_another(name: str) -> None:
    assert "another temporary table" in read(f"create table #t (a int); insert {name} select 1").changes.forbidden
    assert not read("create table #h\xf6he (a int)").changes.forbidden


def test_a_condition_in_xquery_that_reads_a_column_around_it_decides() -> None:
    found = read("declare @x xml; select 1 from customers c where @x.exist('/a[sql:column(\"c.email\") = 1]') = 1")
    assert found.filters is None or Column("shop", "dbo", "customers", "*") in found.filters
    moved = read("update orders set note.modify('replace value of (/a)[1] with sql:variable(\"@e\")')")
    assert moved.copies is None
