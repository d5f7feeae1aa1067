"""PostgreSQL's own regression scripts: nothing happens on the real server that the classifier did not see."""

from __future__ import annotations

from tests.classification.script import Script
from tests.classification.world import QUICK, run_scripts


def test_nothing_happens_that_was_not_seen() -> None:
    tally = run_scripts(QUICK)
    assert [f"{script}: {text}: {missed}" for script, text, missed in tally.missed] == []
    assert sum(counts.total() for counts in tally.counts.values()) > 500


def test_a_script_is_cut_as_psql_cuts_it() -> None:
    script = Script(
        "\\set f :d '/x'\nselect ';' /* ; /* ; */ */, $$;$$ -- ;\n;\ncopy t from stdin;\n1;2\n\\.\ncopy t from :'f';"
        "copy none from stdin; -- fails\nselect 1;",
        {"d": "/a"},
    )
    assert [(text, script.data() if text == "copy t from stdin" else "") for text in script] == [
        ("select ';'  , $$;$$", ""),
        ("copy t from stdin", "1;2\n"),
        ("copy t from '/a/x'", ""),
        ("copy none from stdin", ""),
        ("select 1", ""),
    ]


def test_the_body_of_a_function_holds_semicolons() -> None:
    script = "create function f() returns int begin atomic select case when true then 1 end; select 2; end; select 3;"
    assert list(Script(script, {}))[1] == "select 3"
