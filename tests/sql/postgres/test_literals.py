from __future__ import annotations

import pytest
from tests.sql.postgres.shop import column, one

SSN = column("customers.ssn")


def found(text: str) -> list[tuple[str, str, bool]]:
    literals = one(text).literals
    return [(text[one.start : one.end], one.column.column if one.column else "", one.secret) for one in literals]


@pytest.mark.parametrize(
    "literal",
    ["'a'", "'é日本'", "E'a\\'b'", "'a''b'", "$$a$$", "$é$ ' $é$", "'a'\n 'b'", "12", "1.5e-3", "0xff", "- 7", "B'01'"],
)
def test_a_literal_is_found_whole(literal: str) -> None:
    text = f"select 'ü', 1 from customers where ssn = {literal} and true"
    assert found(text)[2][0] == literal


def test_a_literal_knows_its_column() -> None:
    assert found("insert into customers(id, ssn) values (1, 'x')") == [("1", "id", False), ("'x'", "ssn", False)]
    assert found("update customers set ssn = 'x' where email in ('a', 'b')") == [
        ("'x'", "ssn", False),
        ("'a'", "email", False),
        ("'b'", "email", False),
    ]


def test_a_parameter_knows_its_column() -> None:
    statement = one("insert into customers(ssn) values ($1) on conflict (id) do update set email = $2")
    assert statement.parameters == {1: SSN, 2: column("customers.email")}
    assert one("select 1 from customers where lower(ssn) = $1::text").parameters == {1: SSN}


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("alter role a password 'hunter2'", "'hunter2'"),
        ("create user é with password 'hunter2'", "'hunter2'"),
        ("create user mapping for a server s options (user 'u', password 'hunter2')", "'hunter2'"),
        ("create subscription s connection 'password=hunter2' publication p", "'password=hunter2'"),
        ("select dblink_connect('password=hunter2')", "'password=hunter2'"),
        ("select pgp_sym_decrypt(email, 'hunter2') from customers", "'hunter2'"),
        ("set app.password = 'hunter2'", "'hunter2'"),
        ("do $$ begin alter role a password 'hunter2'; end $$", "$$ begin alter role a password 'hunter2'; end $$"),
        ("alter role a passwrd 'hunter2'", "'hunter2'"),
        ("alter role a password 'hunter2", "'hunter2"),
    ],
)
def test_a_password_is_a_secret(text: str, secret: str) -> None:
    assert (secret, "", True) in found(text)


def test_a_key_given_as_a_parameter_is_a_secret() -> None:
    assert one("select pgp_sym_encrypt($1, $2)").secret_parameters == {1, 2}
