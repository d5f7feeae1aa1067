"""The architecture's bans, each with its reason. A failure is mended by moving code, not by an exception here."""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from blastwall.protocols.discover import discover
from blastwall.protocols.kind import ClientAddress

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "blastwall"

ADDRESS = ClientAddress("localhost", 1, "", "", "")

NEUTRAL = (
    "gate",
    "relay",
    "policy",
    "recording",
    "control",
    "containment",
    "budgets",
    "approvals",
    "api",
    "cli",
    "connecting",
    "notifying",
)
"""Folders that serve every protocol alike."""

NAMING_EXCEPTIONS = frozenset({"cli/demo.py"})
"""The demo tells one protocol's story."""

SPOKEN = frozenset({"http"})
"""A kind whose name is also what the gateway itself speaks: at the control port, to issuers and to webhooks."""

UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK|NotImplementedError)\b")

PURE = ("model", "wire", "sql", "masking", "protocols")
IMPURE = {
    "asyncio": "a codec never waits",
    "socket": "the relay owns the only sockets",
    "ssl": "the relay owns TLS",
    "time": "a codec has no clock",
    "datetime": "a codec has no clock",
    "random": "entropy is injected, so that a conversation can be replayed",
    "secrets": "entropy is injected, so that a conversation can be replayed",
    "logging": "a codec has no logger",
    "structlog": "a codec has no logger",
    "cedarpy": "a codec knows no policy",
    "os": "a codec knows no files and no environment",
}


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((SOURCE / folder).rglob("*.py")):
            if "tests" not in path.relative_to(SOURCE).parts:
                yield path


def neutral() -> Iterator[Path]:
    return (path for path in modules(*NEUTRAL) if str(path.relative_to(SOURCE)) not in NAMING_EXCEPTIONS)


def names_in_code(path: Path) -> Iterator[tuple[int, str]]:
    """Every name and string of the code; comments and documentation may explain by example."""
    with tokenize.open(path) as source:
        tree = ast.parse(source.read())
    documented = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield node.lineno, node.value
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or ""


def test_imports_point_down_and_protocols_stay_pure() -> None:
    """The layers of `.importlinter`: a lower folder that imports a higher one cannot be tested, or replaced, alone."""
    assert lint_imports(str(ROOT / ".importlinter")) == 0, "run `lint-imports` for the chain"


def names_a_kind(path: Path, words: set[str]) -> Iterator[int]:
    """Where code asks whether a kind is one of these words, or imports from its folder."""
    with tokenize.open(path) as source:
        tree = ast.parse(source.read())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and set((node.module or "").split(".")[2:]) & words:
            if (node.module or "").startswith("blastwall."):
                yield node.lineno
        elif isinstance(node, ast.Compare | ast.Match | ast.Subscript | ast.Call):
            parts = [*ast.walk(node)]
            asked = {part.attr for part in parts if isinstance(part, ast.Attribute)}
            asked |= {part.id for part in parts if isinstance(part, ast.Name)}
            said = {part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)}
            if said & words and any(name.lower().endswith("kind") for name in asked):
                yield node.lineno


@pytest.mark.parametrize("path", [*neutral()], ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_protocols_name_outside_its_folder(path: Path) -> None:
    """A protocol is one folder: a name elsewhere means that the next one must edit that place too."""
    words = {word for kind, protocol in discover().items() for word in (kind, protocol.command(ADDRESS)[0])}
    found = [(line, name) for line, name in names_in_code(path) if any(w in name.lower() for w in words - SPOKEN)]
    found += [(line, "its kind") for line in names_a_kind(path, words & SPOKEN)]
    assert not found


def test_asking_for_a_kind_by_a_name_that_the_gateway_speaks_is_found(tmp_path: Path) -> None:
    asks = (
        'x = resource.kind == "http"',
        'x = "http" in (a.kind, b)',
        "match x.kind:\n    case 'http':\n        pass",
        "from blastwall.protocols.http.kind import HttpKind",
        'x = discovered_kind("http")',
    )
    for number, text in enumerate((*asks, 'x = url.scheme == "http"', "from http import HTTPStatus")):
        path = tmp_path / f"asks{number}.py"
        path.write_text(text)
        assert bool([*names_a_kind(path, {"http"})]) is (text in asks), text


@pytest.mark.parametrize("path", [*modules(*PURE)], ids=lambda path: str(path.relative_to(SOURCE)))
def test_what_reads_hostile_bytes_does_nothing_else(path: Path) -> None:
    """Codecs touch no socket, clock, logger or policy: what they do is a function of the bytes."""
    tree = ast.parse(path.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    banned = {name: why for name, why in IMPURE.items() if any(one.split(".")[0] == name for one in imported)}
    assert not banned


def test_nothing_registers_itself_at_import() -> None:
    """Protocols are found by their folder: an import order that decides what exists cannot be read from the code."""
    for path in modules("protocols"):
        tree = ast.parse(path.read_text())
        calls = [n for n in tree.body if isinstance(n, ast.Expr) and isinstance(n.value, ast.Call)]
        assert not calls, path


def test_only_app_constructs_across_the_ports() -> None:
    """`app` is the only place that joins an implementation to a port, so that there is one place to read."""
    ports = ("identity", "vault", "approvals", "recording", "containment", "budgets", "policy")
    for folder in ("gate", "relay"):
        for path in modules(folder):
            text = path.read_text()
            assert not [port for port in ports if f"from blastwall.{port}" in text], path


def test_the_package_has_no_unfinished_marks() -> None:
    for path in modules("."):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert not UNFINISHED.search(line), f"{path}:{number}"
