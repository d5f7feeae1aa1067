"""`blastwall sessions`: what an auditor sees, and what a recorded statement cannot do to the auditor's terminal."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from blastwall.cli import audit, sessions
from blastwall.cli.recorded_text import block
from blastwall.config.model import Recordings
from blastwall.model.effects import Action, Effect, Object
from blastwall.model.events import (
    HoldEnded,
    HoldStarted,
    LoginAdmitted,
    LoginAsked,
    SessionClosed,
    SessionOpened,
    StatementAsked,
    StatementFinished,
    StatementInjected,
    StatementRefused,
    StatementRuled,
)
from blastwall.model.ruling import Decision, Ruling
from blastwall.model.statement import Stage
from blastwall.recording.encryption import Keyring
from blastwall.recording.keys import load_or_create_key
from blastwall.recording.recorder import Recorder
from blastwall.visible import visible

HOSTILE = "select '\x1b]0;owned\x07\x1b[2J\x9b31m\u202e' -- [bold red]x[/]\n#9 allow by everything\rforged"


def command() -> typer.Typer:
    app = typer.Typer()
    sessions.register(app)
    audit.register(app)
    return app


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command(), [str(each) for each in arguments])


async def record(folder: Path) -> None:
    recorder = Recorder(
        Recordings(to=folder / "recordings", checkpoint=timedelta(hours=1)),
        "n1",
        load_or_create_key(folder / "key"),
        lambda: 1_700_000_000.0,
    )
    await recorder.start()
    held = recorder.open("abc-held")
    target = Effect(Action.DELETE, Object(("shop", "public", "orders"), "table"))
    held.write(
        [
            SessionOpened(1_700_000_000.0, "abc-held", "pg-prod", "postgres", "", "10.0.0.1"),
            LoginAsked(1_700_000_000.1, "ci", "shop", "psql\x1b[1m"),
            LoginAdmitted(
                1_700_000_000.2, "agent", "shop-ci", "github", "repo:shop", ("ci",), {}, "token", "app", ("p1",), "v1"
            ),
            StatementAsked(
                1_700_000_001.0,
                1,
                Stage.EXECUTE,
                "delete from orders",
                ("7", None),
                (target,),
                "DELETE",
                "",
                ("@id int", ""),
            ),
            StatementRuled(1_700_000_001.1, 1, Ruling(Decision.HOLD, policies=("ci-deletes",))),
            HoldStarted(1_700_000_001.1, 1, 1_700_000_301.0, ("dba:1",)),
            HoldEnded(1_700_000_301.0, 1, "timeout"),
            StatementInjected(1_700_000_301.0, 1, "rollback", "the denial inside a transaction"),
            StatementRefused(1_700_000_301.0, 1, "nobody approved it"),
            StatementAsked(1_700_000_302.0, 2, Stage.EXECUTE, HOSTILE, (), (), "SELECT", ""),
            StatementRuled(1_700_000_302.0, 2, Ruling(Decision.ALLOW, policies=("ci-reads",))),
            StatementFinished(1_700_000_302.5, 2, 3, None, 99, 0.5, None, {"email": 3}),
            SessionClosed(1_700_000_303.0, "client left"),
        ],
        lambda failed: None,
    )
    held.close()
    recorder.open("xyz-empty").close()
    await recorder.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    asyncio.run(record(folder))
    return folder / "recordings"


def harmless(text: str) -> bool:
    return all(char == "\n" or char == "\t" or (char.isprintable()) for char in text)


def test_list_piped_is_parted_by_tabs(folder: Path) -> None:
    result = run("sessions", "list", "--recordings", folder, "--effect", "delete", "--object", "orders")
    assert result.exit_code == 0
    titles, row = result.output.splitlines()
    assert titles.split("\t")[:2] == ["session", "started (UTC)"]
    assert row.split("\t") == [
        "abc-held", "2023-11-14 22:13:20", "5 min 03 s", "shop-ci", "pg-prod", "2", "1", "1", "client left",
    ]  # fmt: skip


def test_list_as_json(folder: Path) -> None:
    (found,) = json.loads(run("sessions", "list", "--recordings", folder, "--text", "ORDERS", "--json").output)
    assert found["session"] == "abc-held"
    assert found["effects"] == [{"action": "delete", "object": "shop/public/orders"}]
    assert found["masked"] == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["list", "--effect", "erase"], "no action"),
        (["list", "--since", "yesterday"], "is no time"),
        (["list", "--limit", "0"], "limit"),
    ],
)
def test_wrong_usage_ends_with_2(folder: Path, arguments: list[str], words: str) -> None:
    result = run("sessions", *arguments, "--recordings", folder)
    assert result.exit_code == 2
    assert words in result.output


def test_missing_configuration_and_recordings(tmp_path: Path) -> None:
    result = run("sessions", "list", "-c", tmp_path / "none.yaml")
    assert result.exit_code == 2
    assert "--recordings" in result.output
    assert run("sessions", "list", "--recordings", tmp_path).exit_code == 2


def test_show_tells_the_whole_story(folder: Path) -> None:
    result = run("sessions", "show", "abc", "--recordings", folder)
    assert result.exit_code == 0
    for words in (
        "agent shop-ci (github: repo:shop, groups ci)",
        "#1 22:13:21  DELETE: delete shop.public.orders",
        "│ delete from orders",
        "values: @id int = '7', NULL",
        "hold by ci-deletes",
        "held until 2023-11-14 22:18:21 for dba:1",
        "hold ended: timeout",
        "the gateway sent, the denial inside a transaction:",
        "told: nobody approved it",
        "allow by ci-reads",
        "masked 3 by email",
        "client left",
    ):
        assert words in result.output


def test_show_unknown_session_fails(folder: Path) -> None:
    result = run("sessions", "show", "nope", "--recordings", folder)
    assert result.exit_code == 1
    assert "no session 'nope'" in result.output


@pytest.mark.parametrize(
    "arguments", [["show", "abc"], ["replay", "abc", "--transcript"], ["show", "abc", "--json"], ["list"]]
)
def test_recorded_text_cannot_act_on_the_terminal(folder: Path, arguments: list[str]) -> None:
    result = run("sessions", *arguments, "--recordings", folder)
    assert result.exit_code == 0
    assert harmless(result.output)


def test_recorded_text_can_neither_forge_a_line_nor_use_markup(folder: Path) -> None:
    output = run("sessions", "show", "abc", "--recordings", folder).output
    assert "  │ #9 allow by everything\\rforged" in output.splitlines()
    assert "[bold red]x[/]" in output
    assert "\\x1b]0;owned\\x07" in output


def test_json_is_exact(folder: Path) -> None:
    shown = json.loads(run("sessions", "show", "abc", "--recordings", folder, "--json").output)
    texts = [event["text"] for event in shown["events"] if event["event"] == "statement_asked"]
    assert texts == ["delete from orders", HOSTILE]


def test_replay_goes_in_time_with_capped_pauses(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    result = run("sessions", "replay", "abc", "--recordings", folder, "--max-pause", "1.5")
    assert result.exit_code == 0
    assert max(slept) == 1.5, "five minutes of waiting are cut"
    assert any(0.05 < each < 0.15 for each in slept)
    slept.clear()
    transcript = run("sessions", "replay", "abc", "--recordings", folder, "--transcript")
    assert slept == []
    assert transcript.output == result.output


@pytest.mark.parametrize(
    ("speed", "pauses"), [("2", [0.05, 0.4, 2.0]), ("0.5", [0.2, 1.6, 2.0]), ("1", [0.1, 0.8, 2.0]), ("max", [])]
)
def test_replay_goes_as_fast_as_one_likes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, speed: str, pauses: list[float]
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    result = run("sessions", "replay", "abc", "--recordings", folder, "--speed", speed)
    assert result.exit_code == 0
    for pause in pauses:
        assert any(abs(each - pause) < 0.001 for each in slept), slept
    assert bool(slept) == bool(pauses)


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "nan", ""])
def test_speed_that_is_none_is_wrong_usage(folder: Path, speed: str) -> None:
    result = run("sessions", "replay", "abc", "--recordings", folder, "--speed", speed)
    assert result.exit_code == 2
    assert "is no speed" in result.output


def test_cut_pause_is_told_on_a_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    piped = run("sessions", "replay", "abc", "--recordings", folder)
    monkeypatch.setattr("blastwall.cli.printing.console._force_terminal", True)
    assert "… 4 min 59 s" in run("sessions", "replay", "abc", "--recordings", folder).output
    assert "…" not in run("sessions", "replay", "abc", "--recordings", folder, "--speed", "max").output
    assert "… 4 min" not in piped.output, "a pipe gets the events alone"


async def record_encrypted(folder: Path, key: bytes) -> None:
    recorder = Recorder(
        Recordings(to=folder / "recordings"), "n1", load_or_create_key(folder / "key"), keyring=Keyring([key])
    )
    await recorder.start()
    record = recorder.open("locked")
    record.write([SessionOpened(1_700_000_000.0, "locked", "pg-prod", "postgres", "", "10.0.0.1")], lambda failed: None)
    record.close()
    await recorder.stop()


@pytest.mark.parametrize("command", [["list"], ["show", "locked"], ["replay", "locked"], ["list", "--text", "x"]])
def test_encrypted_recordings_open_with_their_key_alone(tmp_path: Path, command: list[str]) -> None:
    key, other = tmp_path / "k", tmp_path / "other"
    key.write_text(bytes(range(32)).hex() + "\n")
    other.write_text(bytes(range(1, 33)).hex())
    asyncio.run(record_encrypted(tmp_path, bytes(range(32))))
    place = ("--recordings", tmp_path / "recordings")
    for unlock in ((), ("--unlock", other)):
        result = run("sessions", *command, *place, *unlock)
        assert result.exit_code != 0
        assert "encrypted with the key" in result.output
        assert "--unlock" in result.output
    assert run("sessions", *command, *place, "--unlock", other, "--unlock", key).exit_code == 0
    missing = run("sessions", *command, *place, "--unlock", tmp_path / "none")
    assert (missing.exit_code, "cannot be read" in missing.output) == (2, True)


def test_verify_needs_no_key_and_says_what_it_did_not_read(tmp_path: Path) -> None:
    key = tmp_path / "k"
    key.write_text(bytes(range(32)).hex())
    asyncio.run(record_encrypted(tmp_path, bytes(range(32))))
    without = run("audit", "verify", "--recordings", tmp_path / "recordings")
    assert without.exit_code == 0
    assert "what they say was not read" in " ".join(without.output.split())
    with_ = run("audit", "verify", "--recordings", tmp_path / "recordings", "--unlock", key)
    assert with_.exit_code == 0
    assert "was decrypted" in with_.output


@given(st.text())
def test_visible_is_printable_and_on_one_line(text: str) -> None:
    assert visible(text).isprintable()
    assert all(line.startswith("  │ ") and line.isprintable() for line in block(text))
