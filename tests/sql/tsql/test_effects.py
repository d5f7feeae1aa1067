from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.sql.tsql.shop import effects, effects_of, read

from blastwall.model.effects import Action
from blastwall.sql.tsql.limits import Limits
from blastwall.sql.tsql.state import NameState

HERE = Path(__file__).parent
BYPASSES = yaml.safe_load((HERE / "bypasses.yaml").read_text())
ORDINARY = yaml.safe_load((HERE / "ordinary.yaml").read_text())
HARMLESS = [text.strip() for text in (HERE / "harmless.sql").read_text().split("\nGO\n") if text.strip()]


@pytest.mark.parametrize("case", BYPASSES, ids=lambda case: case["text"][:60])
def test_an_attack_shows_every_effect(case: dict[str, object]) -> None:
    found = read(str(case["text"]))
    assert effects_of(found) == case["effects"]
    assert bool(found.changes.forbidden) is case.get("forbidden", False)


def test_the_corpus_only_grows() -> None:
    assert len(BYPASSES) >= 370


@pytest.mark.parametrize("case", BYPASSES, ids=lambda case: case["text"][:60])
def test_what_is_unclassified_says_why(case: dict[str, object]) -> None:
    found = read(str(case["text"]))
    assert bool(found.doubt) is any(effect.action is Action.UNCLASSIFIED for effect in found.effects)


@pytest.mark.parametrize("case", ORDINARY, ids=lambda case: case["text"][:60])
def test_what_applications_send_is_read_whole(case: dict[str, object]) -> None:
    found = read(str(case["text"]))
    assert effects_of(found) == case["effects"]
    assert not found.doubt
    assert found.results is not None


@pytest.mark.parametrize("text", HARMLESS, ids=lambda text: text.splitlines()[-1][:60])
def test_what_drivers_and_tools_send_harms_nothing(text: str) -> None:
    found = read(text)
    assert set(effects_of(found)) <= {"connect shop"}
    assert not found.doubt


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("delete from orders where id = 1", True),
        ("delete orders where id = 1 and 1 = 1", True),
        ("delete orders where id in (select id from customers)", True),
        ("delete o from orders o join customers c on o.customer_id = c.id", True),
        ("update orders set note = '' where not id = 1", True),
        ("update t set note = '' from orders as t where t.id between 1 and 5", True),
        ("merge orders t using customers s on t.id = s.id when matched then delete;", True),
        ("delete orders", False),
        ("delete orders where 1 = 1", False),
        ("delete orders where id = id", False),
        ("delete orders where id = 1 or 1 = 1", False),
        ("delete orders where id is not null", False),
        ("delete orders where not id is null", False),
        ("delete orders where note like '%'", False),
        ("delete orders where exists (select 1)", False),
        ("delete o from orders o left join customers c on c.id = 1", False),
        ("delete o from orders o, customers c where c.id = 1", False),
        ("merge orders t using customers s on 1 = 1 when matched then delete;", False),
        ("merge orders t using customers s on t.id = s.id when not matched by source then delete;", False),
        ("delete orders where id = 1; delete customers", False),
        ("if 1 = 1 delete orders where id = 1", True),
        ("with gone as (select top (5) * from orders where id < 9 order by id) delete from gone", True),
        ("with gone as (select top (5) * from orders order by id) delete from gone", False),
    ],
)
def test_filtered_needs_a_column_of_the_target(text: str, expected: object) -> None:
    assert read(text).filtered is expected


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("select 1", "SELECT"),
        ("declare @x int = 1; select @x", "SELECT"),
        ("set nocount on; delete orders", "DELETE"),
        ("select 1; delete orders", "BATCH"),
        ("select 1 as a into x", "SELECT INTO"),
        ("drop table x", "DROP TABLE"),
        ("exec purge", "EXEC"),
        ("begin tran", "BEGIN TRANSACTION"),
        ("create or alter procedure p as select 1", "CREATE OR ALTER PROCEDURE"),
        ("revoke select on orders from ana", "REVOKE"),
        ("", "EMPTY"),
        ("-- nothing", "EMPTY"),
        ("(", "UNPARSED"),
    ],
)
def test_the_operation_is_the_verb_that_matters(text: str, operation: str) -> None:
    assert read(text).operation == operation


@pytest.mark.parametrize(
    ("text", "modifies", "counted"),
    [
        ("select 1", 0, True),
        ("delete orders where id = 1", 1, True),
        ("delete orders where id = 1; update orders set note = ''", 2, True),
        ("set nocount on; delete orders where id = 1", 1, False),
        ("exec purge", 1, True),
        ("exec quiet_purge", 1, False),
        ("exec ('delete orders')", 1, True),
        ("exec sealed", 0, False),
        ("declare @s nvarchar(9) select @s = note from orders exec (@s)", 0, False),
        ("truncate table orders", 0, True),
    ],
)
def test_what_changes_rows_is_counted_or_said_not_to_be(text: str, modifies: int, *, counted: bool) -> None:
    found = read(text)
    assert (found.modifies, found.counted) == (modifies, counted)


def test_nocount_of_an_earlier_batch_leaves_nothing_counted() -> None:
    state = NameState(settings={"nocount": frozenset({"on", "off"})})
    assert not read("delete orders where id = 1", state).counted


def test_code_of_anothers_that_cannot_be_read_is_unclassified_on_itself() -> None:
    found = read("exec sealed")
    (one,) = [effect for effect in found.effects if effect.action is Action.UNCLASSIFIED]
    assert one.object.path == ("shop", "dbo", "sealed")


def test_a_text_over_the_limit_is_not_read() -> None:
    long = "select '" + "x" * Limits().text + "'"
    assert effects(long) == ["unclassified shop"]


@pytest.mark.parametrize(
    "text",
    [
        "select " + "(" * 5000 + "1" + ")" * 5000,
        "select " + " + ".join(["dbo.mail_of(1)"] * 3_000),
        "declare @a int " + " ".join(f"select @a{at} = @a{at + 1} from customers" for at in range(800)),
        "select 1 where " + " or ".join(["exists (select 1 from customer_mail)"] * 2_000),
        "with a as (select 1 x), " + ", ".join(f"b{at} as (select * from b{at - 1}, b{at - 1})" for at in range(1, 40))
        + " select * from b39",
        "exec ('" * 40 + "delete orders" + "')" * 40,
    ],
    ids=["brackets", "calls", "variables", "views", "common tables", "texts"],
)  # fmt: skip
def test_hostile_texts_end_and_are_never_harmless(text: str) -> None:
    found = read(text)
    assert set(effects_of(found)) != {"connect shop"}
