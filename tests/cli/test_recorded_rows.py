"""Recorded answers on an auditor's terminal."""

from __future__ import annotations

import pytest

from blastwall.cli.recorded_events import finished, lines
from blastwall.cli.recorded_rows import answer
from blastwall.model.events import StatementFinished, StatementRows

BODY = ("body",)


def test_a_body_is_no_table_and_nothing_of_it_is_lost() -> None:
    body = '{"value": [{"a":1,"a":12345678901234567890},{"b":[]},{}], "text": "x, {y}: \\" z"}… [900 bytes in all]'
    assert answer(BODY, ((body,),)) == [
        "  │ {",
        '  │   "value": [',
        "  │     {",
        '  │       "a": 1,',
        '  │       "a": 12345678901234567890',
        "  │     },",
        "  │     {",
        '  │       "b": []',
        "  │     },",
        "  │     {}",
        "  │   ],",
        '  │   "text": "x, {y}: \\" z"',
        "  │ }… [900 bytes in all]",
    ]


@pytest.mark.parametrize("body", ["[52 bytes: a credential]", "plain\ttext", "", "<a>{</a>"])
def test_other_bodies_are_shown_as_they_are(body: str) -> None:
    assert answer(BODY, ((body,),)) == [f"  │ {body.expandtabs(4)}"]


def test_long_bodies_are_cut_and_cannot_act_on_the_terminal() -> None:
    shown = answer(BODY, (("[" * 5000,),))
    assert len(shown) == 61
    assert shown[-1].endswith("more lines; --json has them")
    (line,) = answer(BODY, (("\x1b[2J" + "x" * 5000,),))
    assert line.startswith("  │ \\x1b[2J")
    assert len(line) == 400


def test_a_column_of_that_name_is_a_table_where_there_are_rows() -> None:
    assert len(answer(BODY, (("a",), ("b",)))) == 4


def test_how_a_request_ended() -> None:
    event = StatementFinished(1.0, 7, 0, None, 1234, 0.5, None, {"..email": 2}, "404 Not Found")
    assert finished(event) == "404 Not Found, 1234 bytes, 0.500 s, masked 2 by ..email"
    assert lines(StatementRows(1.0, 7, BODY, (("{}",),))) == ["#7 answered with", "  │ {}"]
