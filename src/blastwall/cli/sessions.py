"""`blastwall sessions list | show | replay`: what was recorded. `audit verify` proves it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blastwall.cli.combining import refuse_beside
from blastwall.cli.printing import MISUSED, console, fail, print_json, print_table, say
from blastwall.visible import visible

if TYPE_CHECKING:
    from blastwall.control.access import Operator
    from blastwall.control.recordings import Shelf
    from blastwall.control.recordings_cards import Card
    from blastwall.recording.reader import Recorded
    from blastwall.recording.summary import Summary

commands = typer.Typer(no_args_is_help=True, help="Recorded sessions: find, show and replay them.")

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration that names the recordings.")]
RecordingsOption = Annotated[
    Path | None,
    typer.Option("--recordings", help="A folder of recordings (an auditor's copy), instead of a configuration."),
]
UnlockOption = Annotated[
    list[Path] | None,
    typer.Option("--unlock", help="A file with a key that the recordings are encrypted with; default: the configured."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add `sessions` to the root."""
    app.add_typer(commands, name="sessions")


def open_shelf(
    context: typer.Context, config: Path, recordings: Path | None, unlock: list[Path] | None, *, locked: bool = False
) -> Shelf:
    """Return where the recordings are, with the keys that decrypt them.

    Ends the command where the configuration cannot be used, or a key cannot be had; with `locked`, a configured key
    that cannot be had is done without.
    """
    import asyncio

    from blastwall.app.recording_keys import keyring_of, recording_keys
    from blastwall.config.load import ConfigurationError, load
    from blastwall.control.recordings import Shelf, shelf_of
    from blastwall.recording.encryption import NO_KEYS
    from blastwall.vault.readers import FileReader, SecretUnavailable

    refuse_beside(context, "recordings", "config", why="give the folder or the configuration that names it")
    try:
        given = asyncio.run(keyring_of(FileReader(path) for path in unlock or ()))
        if recordings is not None:
            return Shelf(recordings, keyring=given)
        configuration = load(config)
        try:
            return shelf_of(configuration, given if unlock else asyncio.run(recording_keys(configuration)))
        except SecretUnavailable:
            if not locked:
                raise
            return shelf_of(configuration, NO_KEYS)
    except ConfigurationError as error:
        fail(f"{error}\nOr give the recordings' folder with --recordings.", MISUSED)
    except SecretUnavailable as error:
        fail(f"{error}\nOr give a file with the key with --unlock.", MISUSED)


def operator() -> Operator:
    """Whoever runs the command: the files' permissions have let them come this far."""
    import getpass

    from blastwall.control.access import Operator

    try:
        return Operator(getpass.getuser())
    except (KeyError, OSError):
        return Operator("unknown")


@commands.command("list")
def list_(
    context: typer.Context,
    *,
    config: ConfigOption = Path("blastwall.yaml"),
    recordings: RecordingsOption = None,
    unlock: UnlockOption = None,
    principal: Annotated[str | None, typer.Option(help="The agent's or user's name.")] = None,
    resource: Annotated[str | None, typer.Option(help="The resource's name.")] = None,
    effect: Annotated[str | None, typer.Option(help="An action that a statement asked for, such as delete.")] = None,
    object: Annotated[  # noqa: A002 - the option's name
        str | None, typer.Option(help="A table or other object: orders, or public.orders.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="Words in a statement, its values or a refusal.")] = None,
    since: Annotated[
        str | None, typer.Option(help="2026-11-23, 2026-11-23T14:05 (UTC), or 2h for two hours ago.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="As for --since.")] = None,
    running: Annotated[bool, typer.Option("--open", help="Only sessions that still run.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the newest first.")] = 50,
    json: JsonOption = False,
) -> None:
    """List recorded sessions, the newest first."""
    from blastwall.control.recordings import Recordings
    from blastwall.recording.reader import NoRecordings, Query

    query = Query(
        principal=principal, resource=resource, effect=_action(effect), object=object, text=text, since=_time(since),
        until=_time(until), open=True if running else None, limit=limit,
    )  # fmt: skip
    try:
        found = Recordings(open_shelf(context, config, recordings, unlock)).find(operator(), query)
    except NoRecordings as error:
        fail(str(error), MISUSED)
    if json:
        print_json([_summary_json(each) for each in found])
    else:
        _print_list(found, limit)


@commands.command()
def show(
    context: typer.Context,
    session: Annotated[str, typer.Argument(help="The session's id, or its first characters.")],
    *,
    config: ConfigOption = Path("blastwall.yaml"),
    recordings: RecordingsOption = None,
    unlock: UnlockOption = None,
    json: JsonOption = False,
) -> None:
    """Show one session: who, where, and each statement with its ruling and outcome."""
    summary, records = _session(open_shelf(context, config, recordings, unlock), session)
    if json:
        print_json({"session": _summary_json(summary), "events": [_record_json(each) for each in records]})
    else:
        _print_session(summary, records)


@commands.command()
def replay(
    context: typer.Context,
    session: Annotated[str, typer.Argument(help="The session's id, or its first characters.")],
    *,
    config: ConfigOption = Path("blastwall.yaml"),
    recordings: RecordingsOption = None,
    unlock: UnlockOption = None,
    speed: Annotated[
        str, typer.Option(help="How fast: 1 as it went, 2 twice as fast, 0.5 half as fast, max without any pause.")
    ] = "1",
    transcript: Annotated[bool, typer.Option("--transcript", help="All at once, with times; as --speed max.")] = False,
    max_pause: Annotated[float, typer.Option(min=0, help="Longest pause between two events, in seconds.")] = 2.0,
    json: JsonOption = False,
) -> None:
    """Replay one session as it went, in time, at any speed; --transcript prints it at once."""
    refuse_beside(context, "json", "speed", "max_pause", why="JSON comes all at once")
    refuse_beside(context, "transcript", "speed", "max_pause", why="a transcript comes all at once")
    factor = _speed("max" if transcript else speed)
    _, records = _session(open_shelf(context, config, recordings, unlock), session)
    if json:
        print_json([_record_json(each) for each in records])
        return
    for record in records:
        _wait(record.after / factor, max_pause, record.after)
        _print_record(record)


def _speed(text: str) -> float:
    """Return the factor by which a replay is faster than its session, infinite for "max"."""
    try:
        factor = math.inf if text == "max" else float(text)
    except ValueError:
        factor = 0.0
    if not factor > 0:
        fail(f"--speed {text!r} is no speed; give a number above 0, such as 2 or 0.5, or max", MISUSED)
    return factor


def _wait(pause: float, longest: float, took: float) -> None:
    """Wait between two events, as the session did; where a pause is cut, a terminal is told what it was."""
    from blastwall.cli.recorded_text import span

    if pause > longest and console.is_terminal:
        say(f"          … {span(took)}", "dim")
    if pause > 0:
        time.sleep(min(pause, longest))


def _session(shelf: Shelf, session: str) -> tuple[Summary, Iterator[Recorded]]:
    from blastwall.control.recordings import Recordings
    from blastwall.recording.reader import NoRecordings

    try:
        return Recordings(shelf).session(operator(), session)
    except NoRecordings as error:
        fail(str(error))


def _action(effect: str | None) -> str | None:
    from blastwall.model.effects import Action

    if effect is not None and effect not in list(Action):
        fail(f"{effect!r} is no action; there are {', '.join(Action)}", MISUSED)
    return effect


def _time(text: str | None) -> float | None:
    from blastwall.control.recordings_query import parse_time

    try:
        return None if text is None else parse_time(text, time.time())
    except ValueError as error:
        fail(str(error), MISUSED)


def _state(summary: Summary) -> str:
    if summary.locked:
        return "encrypted with " + ", ".join(summary.locked)
    state = "open" if summary.open else summary.why or summary.reason or "closed"
    state += ", shortened by retention" if summary.shortened else ""
    return state + (", damaged: run audit verify" if summary.damaged else "")


def _print_list(found: list[Summary], limit: int) -> None:
    from blastwall.cli.recorded_text import moment, span

    if not found and console.is_terminal:
        say("No session matches.")
        return
    titles = ("session", "started (UTC)", "took", "principal", "resource", "statements", "refused", "held", "end")
    rows = [
        (
            each.session, moment(each.started), span(max(0.0, each.ended - each.started)), each.principal or "nobody",
            each.resource, str(each.statements), str(each.refused), str(each.held), _state(each),
        )
        for each in found
    ]  # fmt: skip
    print_table(titles, rows)
    if len(found) == limit and console.is_terminal:
        say(f"The newest {limit}; --limit shows more.", "dim")


def _print_session(summary: Summary, records: Iterator[Recorded]) -> None:
    from blastwall.cli.recorded_events import who
    from blastwall.cli.recorded_text import moment, span
    from blastwall.control.recordings_cards import fold

    folded = fold(records)
    principal = who(folded.admitted) if folded.admitted is not None else summary.principal or "nobody was admitted"
    say(f"Session {summary.session} on node {summary.node}", "bold")
    say(f"  who       {principal}")
    say(f"  resource  {summary.resource} ({summary.kind}), database {summary.database or '-'}")
    say(f"  from      {summary.source}, {summary.application or 'no application name'}, as {summary.user!r}")
    say(f"  time      {moment(summary.started)} UTC, {span(max(0.0, summary.ended - summary.started))}")
    say(f"  end       {_state(summary)}")
    say(f"  counts    {summary.statements} statements, {summary.refused} refused, {summary.held} held, "
        f"{summary.failed} failed, {summary.rows} rows, {summary.masked} cells masked")  # fmt: skip
    if folded.refused is not None:
        say(f"  refused   {folded.refused.reason}", "red")
    for injected in folded.own:
        say(f"  gateway   {injected.text.splitlines()[0]}  ({injected.why})")
    for card in sorted(folded.cards.values(), key=lambda each: each.number):
        say("")
        _print_card(card)
    for problem in folded.problems:
        say(problem, "bold red")


def _print_card(card: Card) -> None:
    from blastwall.cli.recorded_events import asked, finished, lines, ruling, values
    from blastwall.cli.recorded_text import block, moment

    if card.asked is None:
        say(f"#{card.number} (its text is not here)", "bold")
    else:
        say(f"#{card.number} {moment(card.asked.at)[11:]}  {asked(card.asked)}", "bold")
        for line in (*block(card.asked.text), *values(card.asked.parameters, card.asked.declared)):
            say(line)
        if card.asked.doubt:
            say(f"  doubt: {visible(card.asked.doubt)}", "yellow")
    for ruled in card.rulings:
        say(f"  {ruling(ruled.ruling)}", _STYLES[ruled.ruling.decision.value])
    for event in (card.held, card.released, *card.injected, card.limited, card.refused):
        if event is not None:
            for line in lines(event):
                say(f"  {line.removeprefix(f'#{card.number} ')}")
    if card.withdrawn:
        say("  withdrawn by the client", "yellow")
    _print_rows(card)
    if card.finished is not None:
        say(f"  {finished(card.finished)}", "red" if card.finished.error is not None else "")


def _print_rows(card: Card) -> None:
    """Print what is recorded of a result, and how much more there was."""
    from blastwall.cli.recorded_rows import answer

    if not card.rows:
        return
    rows = [row for each in card.rows for row in each.rows]
    for line in answer(card.rows[0].columns, rows):
        say(line)
    if card.finished is not None and card.finished.rows > len(rows):
        say(f"  │ … and {card.finished.rows - len(rows):,} rows that are not recorded", "dim")


_STYLES = {"allow": "green", "hold": "yellow", "deny": "red"}


def _print_record(record: Recorded) -> None:
    from blastwall.cli.recorded_events import lines
    from blastwall.cli.recorded_text import moment

    if record.event is None:
        say(f"record {record.number}: {record.problem}", "bold red")
        return
    first, *rest = lines(record.event)
    say(f"{moment(record.event.at)[11:]}  {first}")
    for line in rest:
        say(f"          {line}")


def _summary_json(summary: Summary) -> object:
    import msgspec

    built = msgspec.to_builtins(summary)
    built["effects"] = [{"action": action, "object": ident} for action, ident in sorted(summary.effects)]
    return built


def _record_json(record: Recorded) -> object:
    import msgspec

    from blastwall.recording.events import name_of

    if record.event is None:
        return {"number": record.number, "problem": record.problem}
    return {"number": record.number, "event": name_of(record.event), **msgspec.to_builtins(record.event)}
