"""Public repositories that hold real T-SQL; they are fetched when it is measured, and nothing of them is kept here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Corpus:
    """`files` are taken and `without` are left out, both by regular expressions of git on their paths.

    What is left out is not T-SQL, or is meant to be filled in or refused. `tests`: SQL stands in C#'s raw strings.
    """

    repository: str
    files: str = r"\.sql$"
    without: str = ""
    tests: bool = False


CORPORA = (
    Corpus("BrentOzarULTD/SQL-Server-First-Responder-Kit"),
    Corpus("olahallengren/sql-server-maintenance-solution"),
    Corpus("amachanic/sp_whoisactive"),
    Corpus("erikdarlingdata/DarlingData", without="template_"),
    Corpus("microsoft/tigertoolbox"),
    Corpus("dataplat/dbatools"),
    Corpus("tSQLt-org/tSQLt", without="Experiments|[Ss]nippets|template|GrantBuild"),
    Corpus(
        "microsoft/sql-server-samples", without="ssms-templates|polybase|data-warehouse|[Cc]reate-Application-Login"
    ),
    Corpus("dotnet/efcore", files=r"EFCore.SqlServer.*\.cs$", tests=True),
    Corpus("HangfireIO/Hangfire"),
    Corpus("quartznet/quartznet", files=r"(?i)sql_?server.*\.sql$"),
    Corpus("lerocha/chinook-database", files=r"SqlServer.*\.sql$"),
    Corpus("antlr/grammars-v4", files=r"sql/tsql/examples/.*\.sql$"),
    Corpus("sqlfluff/sqlfluff", files=r"dialects/tsql/.*\.sql$"),
    Corpus("babelfish-for-postgresql/babelfish_extensions", r"test/JDBC/input/.*\.sql$", "ErrorMapping|errorHandling"),
)


def fetched(corpus: Corpus, folder: Path) -> Path:
    """Return the repository's git directory below `folder`, cloning its newest commit if it is not there."""
    name = corpus.repository.replace("/", "+")
    for place in (folder / name / "repo", folder / name):
        if place.exists():
            return place
    place = folder / name
    address = f"https://github.com/{corpus.repository}"
    subprocess.run(["git", "clone", "--quiet", "--bare", "--depth", "1", address, str(place)], check=True)
    return place


def scripts(place: Path) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of the newest commit's files of SQL and C#, but for those that the snapshot has not."""
    listing = subprocess.run(["git", "-C", str(place), "ls-tree", "-r", "-z", "HEAD"], check=True, capture_output=True)
    with subprocess.Popen(
        ["git", "-C", str(place), "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        if process.stdin is None or process.stdout is None:
            return
        for line in listing.stdout.split(b"\0"):
            entry, _, path = line.partition(b"\t")
            if not path.endswith((b".sql", b".cs")):
                continue
            process.stdin.write(entry.split()[2] + b"\n")
            process.stdin.flush()
            header = process.stdout.readline().split()
            if header[-1] == b"missing":
                continue
            size = int(header[2])
            yield path.decode(), process.stdout.read(size)
            process.stdout.read(1)
        process.stdin.close()
