from __future__ import annotations

import subprocess
import sys
import textwrap
import time

import pytest
from tests.sql.postgres.shop import CATALOG, STATE, effects, one, read
from tests.waiting import promised

from blastwall.sql.postgres import Limits, classify, parse

SHAPES = {
    "sums": "'select 1' + '+1' * n",
    "concatenations": "\"select ''\" + \"||''\" * n",
    "comments between": "'select 1' + '/*(*/+--)' * n",
    "quotes between": '"select 1" + "||$a$)$a$" * n',
    "parentheses": "'select ' + '(' * n + '1' + ')' * n",
    "negations": "'select ' + 'not ' * n + 'true'",
    "between not": "'select 1' + ' between 1 and not 1' * n",
    "casts": "'select 1' + '::int' * n",
    "null tests": "'select 1' + ' isnull' * n",
    "lists": "'select 1' + ' in (1)' * n",
    "zones": "'select now()' + \" at time zone ''\" * n",
    "sub-selects": "'select ' + '(select ' * n + '1' + ')' * n",
    "arrays": "'select ' + 'array[' * n + '1' + ']' * n",
    "cases": "'select ' + 'case when true then ' * n + '1' + ' end' * n",
    "joins": "'select 1 from t' + ' cross join t' * n",
    "unions": "'select 1' + ' union select 1' * n",
    "unions with commas": "'select 1, 2' + ' union select 1, 2' * n",
    "operators": "'select ' + '@ ' * n + '1'",
    "calls": "'select ' + 'f(' * n + '1' + ')' * n",
    "ctes": "'with a as (' * n + 'select 1' + ') select 1' * n",
    "blocks": "'do $$ ' + 'begin ' * n + 'null; ' + 'end; ' * n + '$$'",
    "code": "'do $$ begin x := 1' + '+1' * n + '; end $$'",
    "sql bodies": "\"create function f() returns int language sql as 'select 1\" + '+1' * n + \"'\"",
    "statements": "'select 1;' * n",
    "unclosed": "'select ' + '(' * n",
    "closed": "'select ' + ')' * n",
}


@pytest.mark.timeout(480)
def test_no_shape_of_text_crashes_a_thread_with_a_small_stack() -> None:
    program = f"""
    import threading
    from blastwall.sql.postgres import Catalog, NameState, classify
    shapes = {SHAPES!r}
    def attack():
        for name, shape in shapes.items():
            print(name, flush=True)
            for n in (740, 2900, 30000):
                text = eval(shape)
                if len(text) > 1 << 20:
                    text = eval(shape, {{"n": n * (1 << 20) // len(text) - 1}})
                if len(text) < 3 << 20:
                    assert classify(text, Catalog("d", 1), NameState((("public",),), "u"))
        print("survived")
    threading.stack_size(1 << 20)
    thread = threading.Thread(target=attack)
    thread.start()
    thread.join()
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=420, check=False
    )
    assert (ran.returncode, ran.stdout.splitlines()[-1]) == (0, "survived"), ran.stderr[-500:]


def test_multi_column_assignments_may_not_expand_without_bound() -> None:
    columns = ",".join("a" * 20)
    text = "select 1"
    for _ in range(7):
        text = f"with x as (update t set ({columns}) = ({text}) returning 1) select 1"
    found = one(text)
    assert found.operation == "UNPARSED"
    assert "one by one" in found.doubt


def test_wide_assignments_and_comments_in_them_are_counted() -> None:
    columns = ",".join(["a"] * 3000)
    wide = f"update t set ({columns}) /* = */ = (select {','.join(['1'] * 3000)})"
    assert "one by one" in one(wide).doubt


def test_ordinary_big_statements_pass() -> None:
    rows = ",".join(f"({n}, -{n}, 'a-b-c (x) [y]', {n} + 1)" for n in range(3000))
    assert one(f"insert into orders values {rows}").operation == "INSERT"
    terms = " or ".join(f"(id = {n} and note = 'x')" for n in range(3000))
    assert one(f"select 1 from orders where {terms}").operation == "SELECT"
    assert one("update orders set (note, total) = ('a', 1) where (id, total) = (1, 2)").operation == "UPDATE"


def test_a_text_over_the_limit_is_refused_before_it_is_parsed() -> None:
    found = one("select '" + "x" * (1 << 20) + "'")
    assert (found.operation, found.doubt) == (
        "UNPARSED",
        "the text is longer than 1048576 bytes: send it in smaller statements",
    )


def test_more_sub_selects_than_the_limit_are_conceded() -> None:
    (found,) = classify("select (select 1), (select 2), (select 3)", CATALOG, STATE, limits=Limits(queries=3))
    assert "3 sub-selects" in found.doubt
    assert found.copies is None


def test_nested_recursive_ctes_do_not_explode() -> None:
    text = "select 1 as a"
    for depth in range(30):
        text = (
            f"with recursive t{depth}(a) as (select 1 union select a from t{depth}, ({text}) s) select a from t{depth}"
        )
    assert effects(text) == ["connect shop"]


@pytest.mark.parametrize(
    "text",
    [
        "/*" * 100_000,
        "*/" * 100_000,
        "SELECT 1 " + "+" * 100_000 + " 1",
        "SELECT 1 " + "+-" * 100_000 + " 1",
        "SELECT '/*" + "/*" * 100_000,
        "DO $$ BEGIN x := " + "/*" * 100_000 + " END $$",
        "SELECT " + ",".join(["- 1"] * 10_000),
        "SELECT " + ",".join(["'a'\n'b'"] * 10_000),
        "SELECT 'é'," + ",".join(["'a'"] * 10_000),
        "WITH c0 AS (SELECT * FROM customers)"
        + "".join(f", c{n} AS (SELECT a.*, b.* FROM c{n - 1} a, c{n - 1} b)" for n in range(1, 40))
        + " SELECT 1 FROM c39",
        "WITH c0 AS (SELECT * FROM customers)"
        + "".join(f", c{n} AS (SELECT * FROM c{n - 1} a JOIN c{n - 1} b ON true)" for n in range(1, 40))
        + " SELECT 1 FROM c39",
        "WITH c0 AS (SELECT * FROM customers)"
        + "".join(f", c{n} AS (SELECT * FROM c{n - 1} a, c{n - 1} b)" for n in range(1, 40))
        + " SELECT 1 FROM c39",
        "ALTER ROLE r SET a = " + ",".join(["'é'"] * 10_000),
    ],
    ids=lambda text: text[:20],
)
def test_no_text_takes_quadratic_time(text: str) -> None:
    """Each of these took minutes once, and the gateway's other sessions waited for it."""
    began = time.monotonic()
    assert read(text)
    assert time.monotonic() - began < promised(3)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '" + "=" * 2000 + "'",
        "-" * 2000 + "\nSELECT 1",
        "/" + "*" * 2000 + "/ SELECT 1",
        "SELECT '+" + "-" * 400 + "'",
    ],
)
def test_lines_of_signs_are_read(text: str) -> None:
    assert not one(text).doubt


def test_how_deep_a_tree_nests_is_told_from_its_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.11 bounds what reads the tree by itself; from 3.12 on this does. Strings may hold brackets too."""
    monkeypatch.setattr(parse, "_BOUNDED", False)
    monkeypatch.setattr(parse, "_MOST_LEVELS", 100)
    deep = "1" + "+1" * 60
    assert one(f"select {deep}").doubt == "expressions or sub-selects are nested too deeply"
    assert one(f"select '{'}]' * 3000}', '\\', '\"', {deep}").operation == "UNPARSED"
    assert one("select 1" + "+1" * 20).operation == "SELECT"
    assert one("select '" + "{[" * 3000 + "', '" + '"\\' * 500 + "'").operation == "SELECT"
    assert one("insert into orders values " + ",".join(["('{', '[')"] * 2000)).operation == "INSERT"
