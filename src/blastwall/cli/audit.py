"""`blastwall audit verify`: prove that recordings are untouched, or name what was done to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blastwall.cli.printing import FAILED, MISUSED, fail, print_json, say
from blastwall.cli.sessions import ConfigOption, JsonOption, RecordingsOption, UnlockOption, open_shelf, operator

if TYPE_CHECKING:
    from blastwall.recording.report import Finding, NodeReport, Report

commands = typer.Typer(no_args_is_help=True, help="Prove that recordings are untouched.")


def register(app: typer.Typer) -> None:
    """Add `audit` to the root."""
    app.add_typer(commands, name="audit")


@commands.callback()
def _group() -> None:
    """Prove that recordings are untouched."""


@commands.command()
def verify(
    context: typer.Context,
    *,
    config: ConfigOption = Path("blastwall.yaml"),
    recordings: RecordingsOption = None,
    key: Annotated[
        list[Path] | None, typer.Option(help="A node's public key (.pub) that you kept elsewhere; several for several.")
    ] = None,
    anchors: Annotated[
        list[Path] | None, typer.Option(help="A folder of anchored checkpoints; default: the configured ones.")
    ] = None,
    unlock: UnlockOption = None,
    json: JsonOption = False,
) -> None:
    """Verify all recordings. Exit code 0: untouched, as far as keys and anchors can tell; 1: tampered with."""
    from blastwall.control.recordings import Recordings
    from blastwall.recording.keys import KeyUnusable
    from blastwall.recording.reader import NoRecordings

    shelf = open_shelf(context, config, recordings, unlock, locked=True)
    try:
        report = Recordings(shelf).prove(operator(), key or (), anchors or ())
    except (KeyUnusable, NoRecordings) as error:
        fail(str(error), MISUSED)
    except OSError as error:
        fail(f"{error.filename} cannot be read: {error.strerror}", MISUSED)
    if json:
        print_json(_json(report))
    else:
        _print(report)
    if not report.good:
        raise typer.Exit(FAILED)


def _json(report: Report) -> object:
    from dataclasses import asdict

    return {"good": report.good, **asdict(report)}


def _print(report: Report) -> None:

    for node in report.nodes:
        _print_node(node)
    for finding in report.findings:
        _print_finding(finding)
    if report.good:
        say("Untouched, as far as the key and the anchors above can tell.", "bold green")
    else:
        say("TAMPERED: these recordings are not as they were written.", "bold red")


def _print_node(node: NodeReport) -> None:

    say(f"Node {node.node}", "bold")
    counts = f"{node.sessions} sessions, {node.records} records, {node.checkpoints} checkpoints"
    say(f"  holds     {counts}, {node.entries} chain entries")
    _print_key(node)
    _print_anchored(node)
    for torn in node.torn:
        whose = f"session {torn.session} record {torn.number}" if torn.session is not None else "an unknown record"
        say(f"  torn      {torn.file} at byte {torn.offset}: {torn.left} bytes of {whose}, never finished: "
                    "the gateway was killed while it wrote", "yellow")  # fmt: skip
    for note in node.notes:
        say(f"  note      {note}")
    for finding in node.findings:
        _print_finding(finding)


def _print_key(node: NodeReport) -> None:

    if node.local:
        key = (
            f"  key       {node.key[:16] or 'none'}, found beside the recordings: who replaced both would not be seen. "
        )
        say(key + "Give your own copy with --key", "yellow")
    else:
        say(f"  key       {node.key[:16] or 'none fits'}, brought by you")


def _print_anchored(node: NodeReport) -> None:
    from blastwall.cli.recorded_text import moment

    if node.anchored is None or node.anchored_at is None:
        say(
            "  anchored  nothing: who holds the gateway and its key could have rewritten all. Give --anchors",
            "yellow",
        )
        return
    say(f"  anchored  up to checkpoint {node.anchored} of {moment(node.anchored_at)} UTC")
    if node.unanchored:
        total = sum(node.unanchored.values())
        say(f"  after it  {total} records of {len(node.unanchored)} sessions are not anchored yet:", "yellow")
        for session, count in node.unanchored.items():
            say(f"            {session}: {count} records")


def _print_finding(finding: Finding) -> None:

    place = finding.file + (f" at byte {finding.offset}" if finding.offset is not None else "")
    whose = f", session {finding.session}" if finding.session is not None else ""
    which = f", record {finding.number}" if finding.number is not None else ""
    say(f"  {finding.kind.upper():<9} {place}{whose}{which}: {finding.detail}", "bold red")
