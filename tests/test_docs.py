"""The documents say what the code does: references are not stale, links lead somewhere, every command is documented."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blastwall.cli import reference as cli_reference
from blastwall.config import reference as config_reference
from blastwall.config.load import load

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("changelog.d/*.md")])
LINK = re.compile(r"\[[^\]\[]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
KINDS = ("added", "changed", "fixed", "security", "removed")


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.mark.parametrize(
    ("file", "fresh"),
    [("configuration.md", config_reference.reference), ("cli.md", cli_reference.reference)],
    ids=["configuration.md", "cli.md"],
)
def test_references_are_fresh(file: str, fresh: Callable[[], str]) -> None:
    assert (ROOT / "docs" / file).read_text() == fresh(), f"docs/{file} is stale: run `make docs`"


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


@pytest.mark.parametrize("document", DOCUMENTS, ids=names(DOCUMENTS))
def test_links_lead_somewhere(document: Path) -> None:
    assert [link for link in links(document) if not leads_somewhere(document, link)] == []


def links(document: Path) -> Iterator[str]:
    for link in LINK.findall(FENCED.sub("", document.read_text())):
        if not link.startswith(("http://", "https://", "mailto:")):
            yield link


def leads_somewhere(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub gives a document's headings."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_changelog_fragments_are_named_by_kind() -> None:
    fragments = [path.name for path in (ROOT / "changelog.d").glob("*.md") if path.name != "README.md"]
    assert [name for name in fragments if name.split(".")[1:] not in [[kind, "md"] for kind in KINDS]] == []


def test_the_documents_index_names_every_document() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    documents = [path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md"]
    assert [name for name in documents if f"({name})" not in index] == []


def test_the_example_configuration_can_be_used() -> None:
    load(ROOT / "examples" / "blastwall.yaml")
