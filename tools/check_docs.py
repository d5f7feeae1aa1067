"""Check the documentation: generated pages are up to date, links lead somewhere, changelog fragments have a kind.

With `--write` the generated pages are written instead of compared.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from blastwall.cli import reference as cli_reference
from blastwall.config import reference as configuration_reference

ROOT = Path(__file__).parents[1]
GENERATED: dict[str, Callable[[], str]] = {
    "docs/configuration.md": configuration_reference.reference,
    "docs/cli.md": cli_reference.reference,
}
KINDS = ("added", "changed", "fixed", "removed", "security")

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


def stale() -> Iterator[str]:
    """Name each generated page that differs from what would be generated now."""
    for name, generate in GENERATED.items():
        page = ROOT / name
        if not page.exists() or page.read_text() != generate():
            yield f"{name}: not what its source says now; run `make docs`"


def write() -> None:
    """Write the generated pages."""
    for name, generate in GENERATED.items():
        (ROOT / name).write_text(generate())


def broken_links() -> Iterator[str]:
    """Name each relative link that leads to no file, or to no heading in it."""
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")):
        for link in _LINK.findall(_CODE.sub("", page.read_text())):
            if "://" in link or link.startswith("mailto:"):
                continue
            target, _, heading = link.partition("#")
            file = (page.parent / target).resolve() if target else page
            if not file.exists():
                yield f"{page.relative_to(ROOT)}: the link {link} leads to no file"
            elif heading and file.suffix == ".md" and heading not in set(_headings(file)):
                yield f"{page.relative_to(ROOT)}: the link {link} leads to no heading"


def _headings(page: Path) -> Iterator[str]:
    """Return the anchors of a page, as GitHub makes them from its headings."""
    for line in re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL).splitlines():
        if line.startswith("#"):
            text = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            yield text.replace(" ", "-")


def odd_fragments() -> Iterator[str]:
    """Name each changelog fragment whose name says no kind."""
    for fragment in (ROOT / "changelog.d").glob("*.md"):
        if fragment.stem.rpartition(".")[2] not in KINDS and fragment.name != "README.md":
            yield f"changelog.d/{fragment.name}: name it NUMBER-WORDS.KIND.md; kinds: {', '.join(KINDS)}"


def main() -> int:
    """Check, or write; return the exit code."""
    if sys.argv[1:] == ["--write"]:
        write()
    problems = [*stale(), *broken_links(), *odd_fragments()]
    sys.stderr.writelines(f"docs: {problem}\n" for problem in problems)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
