"""`make classification`: runs the regression scripts and writes the figures into docs/classification.md."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.classification.report import figures
from tests.classification.world import all_scripts, run_scripts

from blastwall.testing.servers import CHECKOUT

PAGE = CHECKOUT / "docs" / "classification.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def main(names: list[str]) -> int:
    """Run the named scripts, or all; the page is written only where all were run."""
    scripts = names or all_scripts()
    tally = run_scripts(scripts, sys.stderr)
    table = figures(tally)
    sys.stdout.write(table + "\n")
    for script, text, missed in tally.missed:
        sys.stdout.write(f"missed in {script}: {' '.join(text.split())[:200]}: {missed[:4]}\n")
    if not names:
        _write(PAGE, f"{len(scripts)} scripts:\n\n{table}")
    return 1 if tally.missed else 0


def _write(page: Path, table: str) -> None:
    text = page.read_text()
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]
    page.write_text(f"{before}{BEGIN}\n\n{table}\n\n{after}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
