"""Options that do nothing beside another, or without one: a command that has such a one is refused, and says why.

What counts is what stands on the command line: a variable that is set for every command is no wish of this one.
"""

from __future__ import annotations

import typer

from blastwall.cli.printing import MISUSED, fail


def is_given(context: typer.Context, parameter: str) -> bool:
    """Whether the command line has an option or argument, by its parameter's name."""
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def refuse_beside(context: typer.Context, parameter: str, *idle: str, why: str) -> None:
    """End the command where some of `idle` are given beside `parameter`: there they would do nothing."""
    if is_given(context, parameter):
        _refuse(context, idle, f"beside {_shown(context, parameter)}", why)


def refuse_without(context: typer.Context, parameter: str, *idle: str, why: str) -> None:
    """End the command where some of `idle` are given without `parameter`: there they would do nothing."""
    if not is_given(context, parameter):
        _refuse(context, idle, f"without {_shown(context, parameter)}", why)


def _refuse(context: typer.Context, idle: tuple[str, ...], where: str, why: str) -> None:
    names = [_shown(context, each) for each in idle if is_given(context, each)]
    if names:
        fail(f"{' and '.join(names)} would do nothing {where}: {why}", MISUSED)


def _shown(context: typer.Context, parameter: str) -> str:
    """An option as it is written in full; an argument as the usage has it."""
    (found,) = [each for each in context.command.params if each.name == parameter]
    options = [each for each in found.opts if each.startswith("--")]
    return options[0] if options else str(found.metavar)
