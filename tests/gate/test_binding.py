"""The binding of an approval: what differs anywhere is bound differently."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gate.fakes import SOURCE, a_resource, a_statement, an_agent

from blastwall.gate.binding import bind
from blastwall.gate.ports import Subject
from blastwall.model.statement import Parameter

KEY = b"k" * 32
SUBJECT = Subject(an_agent(), a_resource(), "shop", SOURCE)
VALUES = st.one_of(st.none(), st.text(max_size=4), st.binary(max_size=4))
STATEMENTS = st.tuples(st.text(max_size=6), st.text(max_size=3), st.lists(VALUES, max_size=3))


@given(STATEMENTS, STATEMENTS)
@settings(max_examples=150)
def test_two_questions_share_a_binding_only_if_they_are_one(
    one: tuple[str, str, list[str | bytes | None]], other: tuple[str, str, list[str | bytes | None]]
) -> None:
    def binding(question: tuple[str, str, list[str | bytes | None]]) -> bytes:
        text, database, values = question
        parameters = tuple(Parameter(value) for value in values)
        return bind(KEY, SUBJECT, replace(a_statement(text), database=database, parameters=parameters))

    same = one[:2] == other[:2] and [(type(v), v) for v in one[2]] == [(type(v), v) for v in other[2]]
    assert (binding(one) == binding(other)) == same


def test_who_where_and_the_key_are_bound_too() -> None:
    statement = a_statement()
    bindings = {
        bind(KEY, SUBJECT, statement),
        bind(b"x" * 32, SUBJECT, statement),
        bind(KEY, replace(SUBJECT, principal=an_agent("other")), statement),
        bind(KEY, replace(SUBJECT, resource=a_resource("other")), statement),
    }
    assert len(bindings) == 4
    assert bind(KEY, replace(SUBJECT, source=ip_address("10.9.9.9")), statement) in bindings


def test_a_value_of_another_declared_type_is_bound_otherwise() -> None:
    """`current_date - $1` with 1000 is years ago as an integer, and minutes as an interval."""
    declared = [(), ("integer",), ("interval",)]
    asked = [replace(a_statement(), parameters=(Parameter("1000", None, False, *one),)) for one in declared]
    assert len({bind(KEY, SUBJECT, statement) for statement in asked}) == 3


def test_the_same_text_that_means_another_table_is_bound_otherwise() -> None:
    statement = a_statement()
    (effect,) = statement.effects
    elsewhere = replace(effect, object=replace(effect.object, path=("shop", "secret", "orders")))
    twice = (effect, effect)
    bindings = {
        bind(KEY, SUBJECT, statement),
        bind(KEY, SUBJECT, replace(statement, effects=(elsewhere,))),
        bind(KEY, SUBJECT, replace(statement, effects=twice)),
        bind(KEY, SUBJECT, replace(statement, operation="UPDATE")),
    }
    assert len(bindings) == 4
