"""The documents say what the code does: generated pages are fresh, links lead somewhere, everything is described."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from blastwall.cli import reference as cli_reference
from blastwall.config import reference as config_reference
from blastwall.config.load import load

ROOT = Path(__file__).parents[1]


def test_pages_are_fresh_and_links_lead_somewhere() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "check_docs.py"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_every_key_is_described() -> None:
    text = config_reference.reference()
    assert [line for line in text.splitlines() if line.startswith("| `") and line.endswith("|  |")] == []


def test_every_command_and_option_is_described() -> None:
    undescribed = [" ".join(words) for words, command in cli_reference.commands() if not command.help]
    undescribed += [
        f"{' '.join(words)} {parameter.opts[0]}"
        for words, command in cli_reference.commands()
        for parameter in command.params
        if parameter.param_type_name == "option" and not getattr(parameter, "help", None)
    ]
    assert undescribed == []


def test_the_documents_index_names_every_document() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    documents = [path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md"]
    assert [name for name in documents if f"({name})" not in index] == []


def test_the_example_configuration_can_be_used() -> None:
    load(ROOT / "examples" / "blastwall.yaml")
