from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from blastwall.cli.printing import console, fail, print_json, warn


def test_fail_prints_to_standard_error_and_ends_with_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as end:
        fail("no such session: [bold]x[/]", 2)
    assert end.value.exit_code == 2
    assert capsys.readouterr() == ("", "error: no such session: [bold]x[/]\n")


def test_fail_ends_with_1_where_nothing_else_is_said() -> None:
    with pytest.raises(typer.Exit) as end:
        fail("no")
    assert end.value.exit_code == 1


def test_warnings_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    warn("mind [this]")
    assert capsys.readouterr() == ("", "warning: mind [this]\n")


def test_long_lines_are_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        fail("x" * 300)
    console.print("y" * 300)
    out, err = capsys.readouterr()
    assert out == "y" * 300 + "\n"
    assert err == f"error: {'x' * 300}\n"


def test_json_is_json_whatever_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"path": Path("/x"), "text": "[red]é", "none": None})
    assert json.loads(capsys.readouterr().out) == {"path": "/x", "text": "[red]é", "none": None}


def test_piped_output_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    console.print("[bold red]x[/]")
    assert capsys.readouterr().out == "x\n"
