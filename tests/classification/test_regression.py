"""PostgreSQL's own regression scripts: nothing happens on the real server that the classifier did not see."""

from __future__ import annotations

from tests.classification.script import pieces
from tests.classification.world import QUICK, run_scripts


def test_nothing_happens_that_was_not_seen() -> None:
    tally = run_scripts(QUICK)
    assert [f"{script}: {text}: {missed}" for script, text, missed in tally.missed] == []
    assert sum(counts.total() for counts in tally.counts.values()) > 500


def test_a_script_is_cut_as_psql_cuts_it() -> None:
    script = (
        "\\set f :d '/x'\nselect ';' /* ; /* ; */ */, $$;$$ -- ;\n;\ncopy t from stdin;\n1;2\n\\.\ncopy t from :'f';"
    )
    assert [(piece.text, piece.data) for piece in pieces(script, {"d": "/a"})] == [
        ("select ';'  , $$;$$", ""),
        ("copy t from stdin", "1;2\n"),
        ("copy t from '/a/x'", ""),
    ]


def test_the_body_of_a_function_holds_semicolons() -> None:
    script = "create function f() returns int begin atomic select case when true then 1 end; select 2; end; select 3;"
    assert [piece.text for piece in pieces(script, {})][1] == "select 3"
