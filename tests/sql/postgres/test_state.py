from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sql.postgres.shop import STATE, effects, one

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
    "text", ["drop table customers", "alter table customers rename to gone", "create table secret.orders (id int)"]
)
def test_a_name_that_stands_alone_or_stays_is_not_lost(text: str) -> None:
    assert one(text).lost == frozenset()


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
