from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sql.postgres.shop import STATE, column, effects, lineage, one

from blastwall.sql.postgres import NameState, before, settled

PUBLIC = ("$user", "public")
SECRET = ("secret",)


def after(state: NameState, text: str, in_transaction: bool = False) -> NameState:
    return settled(state, one(text, state), in_transaction)


def test_a_settled_set_leaves_one_path() -> None:
    state = after(STATE, "set search_path to secret")
    assert state.search_paths == (SECRET,)
    assert effects("delete from orders", state) == ["delete secret.orders"]
    assert after(state, "reset search_path").search_paths == (PUBLIC,)


def test_an_unsettled_set_leaves_both() -> None:
    state = before(STATE, one("set search_path to secret"))
    assert effects("delete from orders", state) == ["delete public.orders", "delete secret.orders"]


def test_a_rollback_brings_the_path_back() -> None:
    state = after(STATE, "begin", in_transaction=True)
    state = after(state, "set search_path to secret", in_transaction=True)
    assert state.search_paths == (SECRET,)
    assert PUBLIC in after(state, "rollback to savepoint a", in_transaction=True).search_paths
    assert after(state, "rollback").search_paths == (PUBLIC,)


def test_set_local_ends_with_its_transaction() -> None:
    state = after(after(STATE, "begin", in_transaction=True), "set local search_path to secret", in_transaction=True)
    assert after(state, "commit").search_paths == (PUBLIC,)
    assert after(STATE, "set local search_path to secret").search_paths == (PUBLIC,)


def test_set_config_may_never_have_run() -> None:
    state = after(STATE, "select case when false then set_config('search_path', 'secret', true) end")
    assert set(state.search_paths) == {PUBLIC, SECRET}


def test_too_many_candidates_are_unknown() -> None:
    state = STATE
    for name in "abcde":
        state = before(state, one(f"set search_path to {name}", state))
    assert state.search_paths == ()
    assert "unclassified shop" in effects("select * from orders", state)


def test_a_temporary_name_means_both() -> None:
    state = after(STATE, "create temp table orders (id int)")
    assert effects("delete from orders", state) == ["delete pg_temp.orders", "delete public.orders"]


@pytest.mark.parametrize(
    "text",
    [
        "drop table secret.orders",
        "alter table secret.orders rename to gone",
        "alter table secret.orders set schema public",
        "drop schema secret cascade",
        "alter schema secret rename to gone",
        "revoke usage on schema secret from ci",
        "do $$ begin drop table secret.orders; end $$",
        "drop owned by ci",
    ],
)
def test_a_name_that_may_be_gone_means_what_stands_behind_it_too(text: str) -> None:
    state = replace(STATE, search_paths=(("secret", "public"),))
    assert effects("delete from orders", state) == ["delete secret.orders"]
    found = effects("delete from orders", before(state, one(text, state)))
    assert sorted(found) == ["delete public.orders", "delete secret.orders"]


@pytest.mark.parametrize(
    "text", ["create table secret.orders (id int)", "create index on customers (id)", "update customers set name = ''"]
)
def test_a_name_that_stays_is_not_lost(text: str) -> None:
    assert one(text).lost == frozenset()


@pytest.mark.parametrize(
    "altering",
    [
        "alter table orders drop column note",
        "alter table orders rename column note to z",
        "alter table orders rename to z",
        "drop table orders",
        "drop schema public cascade",
        "do $$ begin alter table orders drop column note; end $$",
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "select (select note from orders limit 1) from (select email as note from customers) c",
        "select (select max(note) from orders) from (select email as note from customers) c",
        "select (select note from orders, v limit 1) from (select email as note from customers) c",
        "select (select note from (select * from orders) o limit 1) from (select email as note from customers) c",
        "with o as (table orders) select (select note from o limit 1) from (select email as note from customers) c",
        "prepare p as select (select note from orders limit 1) from (select email as note from customers) c; execute p",
    ],
)
def test_a_column_that_may_be_gone_means_one_of_the_query_around_too(altering: str, text: str) -> None:
    state = before(STATE, one(altering))
    for statement in text.split("; "):
        read = one(statement, state)
        state = before(state, read)
    assert read.outputs is not None
    (shown,) = read.outputs
    assert shown.sources is None or column("customers.email") in shown.sources
    copied = one(f"create table stolen as {text.removeprefix('prepare p as ').split(';')[0]}", state).copies
    assert copied is None or column("customers.email") in copied


def test_what_a_star_shows_of_an_altered_table_is_unknown() -> None:
    state = before(STATE, one("alter table orders drop column note, add z int"))
    assert lineage("select *, (select email from customers limit 1) from orders", state) is None
    assert lineage("select o.*, (select email from customers limit 1) from orders o", state) is None
    copied = one("copy orders to stdout", state).copy
    assert copied is not None
    assert copied.columns is None


def test_what_an_altered_table_certainly_means_is_known() -> None:
    state = before(STATE, one("alter table customers add z int"))
    assert lineage("select id, c.name from customers c", state) == ["customers.id", "customers.name"]
    assert one("update customers set z = 1 where id = 5", state).filters == frozenset({column("customers.id")})


def test_execute_means_what_was_prepared_under_todays_names() -> None:
    state = after(STATE, "prepare p as delete from orders")
    assert effects("execute p", state) == ["delete public.orders"]
    assert effects("execute p", after(state, "set search_path to secret")) == ["delete secret.orders"]
    assert effects("execute p", after(state, "deallocate p")) == ["unclassified shop"]
    assert effects("execute p", after(state, "discard all")) == ["unclassified shop"]


def test_fetch_means_what_was_declared() -> None:
    state = after(STATE, "declare c cursor for select ssn from customers", in_transaction=True)
    assert effects("fetch c", state) == ["read public.customers"]
    assert effects("fetch c", after(state, "close c", in_transaction=True)) == ["unclassified shop"]


def test_the_users_own_schema_follows_set_role() -> None:
    state = after(STATE, "set role secret")
    assert effects("delete from orders", state) == ["delete public.orders", "delete secret.orders"]


def test_a_column_that_hides_one_of_the_query_around_is_told() -> None:
    assert one("select (select id from orders limit 1) from customers").hides
    assert not one("select (select note from orders where customer_id = c.id limit 1), id from customers c").hides
