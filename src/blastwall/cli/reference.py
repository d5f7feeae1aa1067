"""The command line's reference, written from the commands: `make docs` puts it into docs/cli.md."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

from typer.main import get_command

from blastwall.cli.main import build

_INTRO = """\
# Command line

<!-- Written by `make docs` from the commands' own help. Change it there. -->

`blastwall --install-completion` completes commands, options and the names of resources, agents and users in your shell
(bash, zsh, fish, PowerShell); `--show-completion` prints what it would install.

Every command that prints has `--json`. `-c` (`--config`) names the configuration; left out, it is `blastwall.yaml`.

| exit code | meaning |
| --- | --- |
| 0 | what was asked for was done |
| 1 | it failed |
| 2 | the command or the configuration is wrong |
"""


class Parameter(Protocol):
    """What is read of an option or argument; typer's own click and the public one both have it."""

    opts: list[str]
    secondary_opts: list[str]
    required: bool
    default: object
    nargs: int
    param_type_name: str


class Command(Protocol):
    """What is read of a command."""

    help: str | None
    hidden: bool
    params: Sequence[Parameter]


def reference() -> str:
    """Return the whole reference as Markdown."""
    return "\n".join([_INTRO, *(_section(command, words) for words, command in commands())])


def commands() -> Iterator[tuple[tuple[str, ...], Command]]:
    """Yield every command that is not hidden, with the words that call it."""
    yield from _below(cast("Command", get_command(build())), ("blastwall",))


def _below(command: Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Command]]:
    inner = cast("Mapping[str, Command] | None", getattr(command, "commands", None))
    if inner is None:
        yield words, command
        return
    for name, each in inner.items():
        if not each.hidden:
            yield from _below(each, (*words, name))


def _section(command: Command, words: tuple[str, ...]) -> str:
    arguments = [_argument(each) for each in command.params if each.param_type_name == "argument"]
    usage = " ".join([*words, "[OPTIONS]", *arguments])
    lines = [f"## `{' '.join(words)}`", "", *_paragraphs(command.help or ""), f"    {usage}", "", *_table(command)]
    return "\n".join(lines)


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.replace("\b", "").strip().split("\n\n"):
        yield paragraph.strip()
        yield ""


def _argument(argument: Parameter) -> str:
    name = argument.opts[0].upper()
    name += "..." if argument.nargs != 1 else ""
    return name if argument.required else f"[{name}]"


def _table(command: Command) -> Iterator[str]:
    rows = [_row(each) for each in command.params if not getattr(each, "hidden", False)]
    if rows:
        yield "| option | default | what it does |"
        yield "| --- | --- | --- |"
        yield from rows
        yield ""


def _row(parameter: Parameter) -> str:
    flags = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        flags = f"`{_argument(parameter)}`"
    help_text = str(getattr(parameter, "help", "") or "")
    return f"| {flags} | {_default(parameter)} | {help_text.replace('|', chr(92) + '|')} |"


def _default(parameter: Parameter) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    return f"`{value}`" if isinstance(value, str | int | float | Path) and not isinstance(value, bool) and value else ""


if __name__ == "__main__":
    sys.stdout.write(reference())
