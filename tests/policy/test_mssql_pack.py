"""What the default pack for Azure SQL forbids, beneath a permit of everything, from the batch's text on."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import pytest
from tests.sql.tsql.shop import read

from blastwall.gate.ports import Subject
from blastwall.model.resource import Address, Resource
from blastwall.model.ruling import Approval, Decision, Ruling
from blastwall.model.statement import Statement
from blastwall.policy.known import APPROVERS, Known, PackSource
from blastwall.policy.load import load
from blastwall.policy.policy_set import PolicySet

RESOURCE = Resource("sql-prod", "mssql", Address("sql.example", 1433), ("shop",))
EVERYTHING = '@id("all") permit (principal, action, resource in Resource::"sql-prod");'


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> PolicySet:
    path = tmp_path_factory.mktemp("policies") / "p.cedar"
    path.write_text(EVERYTHING, encoding="utf-8")
    text = files("blastwall.protocols").joinpath("tds", "pack.cedar").read_text()
    known = Known(frozenset({"ci"}), {"sql-prod": RESOURCE}, frozenset(), frozenset())
    return load([path], [PackSource("mssql", text)], known)


@pytest.fixture
def sql_server(subject: Subject) -> Subject:
    return replace(subject, resource=RESOURCE)


def asked(text: str) -> Statement:
    found = read(text)
    return Statement(text, found.effects, found.operation, "shop", filtered=found.filtered)


def ruled(policies: PolicySet, subject: Subject, text: str) -> Ruling:
    return policies.rule(subject, asked(text))


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("exec sealed", "mssql-unclassified"),
        ("declare @s nvarchar(99) select @s = note from orders exec (@s)", "mssql-unclassified"),
        ("select * from other.dbo.t", "mssql-unclassified"),
        ("select password_hash from sys.sql_logins", "mssql-reveal"),
        ("open symmetric key k decryption by password = 'x'", "mssql-reveal"),
        ("select decryptbypassphrase('x', note) from orders", "mssql-reveal"),
        ("exec xp_cmdshell 'dir'", "mssql-host"),
        ("exec xp_dirtree 'c:\\'", "mssql-host"),
        ("exec sp_OACreate 'x', 1", "mssql-host"),
        ("exec sp_execute_external_script N'Python', N'1'", "mssql-host"),
        ("bulk insert orders from 'c:\\x'", "mssql-host"),
        ("select * from openrowset(bulk 'c:\\x', single_clob) x", "mssql-host"),
        ("backup database shop to disk = 'x'", "mssql-host"),
        ("backup database shop to url = 'https://x.example/y'", "mssql-export"),
        ("select * from openrowset('a', 'b', 'select 1')", "mssql-other-servers"),
        ("select * from opendatasource('a', 'b').c.d.e", "mssql-other-servers"),
        ("select * from openquery(far, 'select 1')", "mssql-other-servers"),
        ("select * from far.shop.dbo.orders", "mssql-other-servers"),
        ("select * from far", "mssql-other-servers"),
        ("exec ('select 1') at far", "mssql-other-servers"),
        ("exec sp_addlinkedserver 'far'", "mssql-other-servers"),
        ("create external data source x with (location = 'https://x.example')", "mssql-other-servers"),
        ("create database scoped credential c with identity = 'x', secret = 'y'", "mssql-other-servers"),
        ("exec sp_invoke_external_rest_endpoint @url = N'https://x.example'", "mssql-other-servers"),
        ("exec msdb.dbo.sp_send_dbmail @recipients = 'x@example.com'", "mssql-other-servers"),
        ("create assembly a from 0x4d", "mssql-languages"),
        ("exec sp_configure 'clr enabled', 1", "mssql-settings"),
    ],
)
def test_forbidden(policies: PolicySet, sql_server: Subject, text: str, policy: str) -> None:
    ruling = ruled(policies, sql_server, text)
    assert (ruling.decision, policy in ruling.policies) == (Decision.DENY, True)


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("drop table orders", "mssql-drop"),
        ("truncate table orders", "mssql-drop"),
        ("if 1 = 1 delete orders", "mssql-unfiltered-writes"),
        ("exec round_and_round", "mssql-unfiltered-writes"),
        ("update orders set note = '' where 1 = 1", "mssql-unfiltered-writes"),
        ("grant select on orders to ana", "mssql-entitle"),
        ("alter role db_owner add member ana", "mssql-entitle"),
        ("exec sp_addrolemember 'db_owner', 'ana'", "mssql-entitle"),
        ("disable trigger all on orders", "mssql-entitle"),
        ("alter security policy p with (state = off)", "mssql-entitle"),
        ("execute as user = 'ana'", "mssql-impersonation"),
        ("exec ('select 1') as user = 'ana'", "mssql-impersonation"),
        ("kill 55", "mssql-admin"),
        ("exec sp_rename 'orders', 'x'", "mssql-admin"),
        ("alter schema hr transfer dbo.customers", "mssql-admin"),
        ("alter database shop set read_only", "mssql-admin"),
        ("select * from sys.query_store_query_text", "mssql-admin"),
        ("exec sp_start_job 'nightly'", "mssql-admin"),
        ("exec as_owner", "mssql-definer"),
    ],
)
def test_forbidden_unless_approved(policies: PolicySet, sql_server: Subject, text: str, policy: str) -> None:
    ruling = ruled(policies, sql_server, text)
    assert (ruling.decision, ruling.obligations.approvals) == (Decision.HOLD, (Approval(APPROVERS, 1),))
    assert policy in ruling.policies


@pytest.mark.parametrize(
    "text",
    [
        "select * from orders",
        "begin transaction",
        "insert orders (note) values ('x')",
        "update orders set note = 'x' where id = 1",
        "delete order_lines where order_id = 1",
        "create table t (a int)",
        "create procedure p as select 1 as a",
        "select next value for order_numbers",
        "exec get_customer 1, null",
        "exec sp_executesql N'select * from orders where id = @id', N'@id int', @id = 1",
        "exec ('select * from orders')",
        "select * from sys.tables",
        "create table #t (a int); delete #t; drop table #t",
    ],
)
def test_left_to_permits(policies: PolicySet, sql_server: Subject, text: str) -> None:
    assert ruled(policies, sql_server, text).decision is Decision.ALLOW


def test_what_a_masked_column_decides_is_held_whatever_it_does(policies: PolicySet, sql_server: Subject) -> None:
    one = asked("select id from customers where ssn like '1%'")
    assert policies.rule(sql_server, one).decision is Decision.ALLOW
    ruling = policies.rule(sql_server, replace(one, filters_masked=True))
    assert (ruling.decision, "mssql-masked-filters" in ruling.policies) == (Decision.HOLD, True)


def test_the_pack_speaks_of_its_own_kind_only(policies: PolicySet, sql_server: Subject) -> None:
    other = replace(sql_server, resource=replace(RESOURCE, kind="redis"))
    assert ruled(policies, other, "drop table orders").decision is Decision.ALLOW
