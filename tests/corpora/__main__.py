"""`make corpora`: says which share of real T-SQL the parser refuses. ARGS="--from DIR": repositories that are there."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path

from tests.corpora.batches import decoded, of_script, of_tests
from tests.corpora.public import CORPORA, Corpus, fetched, scripts

from blastwall.sql.tsql import nodes
from blastwall.sql.tsql.limits import Limits
from blastwall.sql.tsql.parse import parse
from blastwall.sql.tsql.unparsed import UnparsedError
from blastwall.testing.servers import CHECKOUT

_PLACE = re.compile(r"^line \d+, column \d+: ")
_LIMITS = Limits(text=1 << 24, statements=100_000)


class Tally:
    """What was read and refused of one corpus."""

    def __init__(self) -> None:
        self.batches = self.statements = self.refused = 0
        self.reasons: Counter[str] = Counter()

    def add(self, batch: str, path: str) -> None:
        """Parse one batch and count it."""
        self.batches += 1
        try:
            tree = parse(batch, limits=_LIMITS)
        except UnparsedError as error:
            self.refused += 1
            near = " ".join(batch[max(0, error.at - 60) : error.at + 30].split())
            self.reasons[f"{_PLACE.sub('', error.reason)} | {path[-50:]} | … {near} …"] += 1
        else:
            self.statements += sum(isinstance(node, nodes.Statement) for node in nodes.walk(tree))

    def line(self, name: str) -> str:
        """Return a row of the table."""
        share = 100 * self.refused / max(self.batches, 1)
        return f"| {name} | {self.batches:,} | {self.statements:,} | {self.refused:,} | {share:.2f} % |"


def measure(corpus: Corpus, folder: Path) -> Tally:
    """Parse every batch of a corpus."""
    tally = Tally()
    wanted, unwanted = re.compile(corpus.files), re.compile(corpus.without or "(?!)")
    for path, data in scripts(fetched(corpus, folder)):
        if wanted.search(path) and not unwanted.search(path):
            text = decoded(data)
            for batch in of_tests(text) if corpus.tests else of_script(text):
                tally.add(batch, path)
    return tally


def main() -> int:
    """Measure the corpora named, or all; print a table, and each refusal with `--refusals`."""
    arguments = ArgumentParser(description=__doc__)
    arguments.add_argument("names", nargs="*", help="parts of repositories' names")
    arguments.add_argument("--from", dest="folder", type=Path, default=CHECKOUT / ".servers" / "corpora")
    arguments.add_argument("--refusals", action="store_true", help="print each refusal")
    given = arguments.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    total = Tally()
    sys.stdout.write(
        "| corpus | batches | statements read | batches refused | share |\n| --- | --- | --- | --- | --- |\n"
    )
    for corpus in CORPORA:
        if given.names and not any(name in corpus.repository for name in given.names):
            continue
        tally = measure(corpus, given.folder)
        total.batches += tally.batches
        total.statements += tally.statements
        total.refused += tally.refused
        sys.stdout.write(tally.line(corpus.repository) + "\n")
        if given.refusals:
            sys.stdout.writelines(f"    {count} {reason}\n" for reason, count in tally.reasons.most_common())
    sys.stdout.write(total.line("all") + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
