from __future__ import annotations

import subprocess
from pathlib import Path

from tests.corpora.batches import decoded, of_script, of_tests
from tests.corpora.public import Corpus, fetched, scripts


def test_a_script_is_cut_at_go_outside_of_comments_and_quotes() -> None:
    script = "SELECT 1\nGO\nSELECT '\nGO\n' /* /* */\nGO\n*/\n  go 5 -- again\nSELECT [GO]\n;\nGO\n-- nothing\nGO\n"
    assert [batch.split("\n")[0] or batch.split("\n")[1] for batch in of_script(script)] == [
        "SELECT 1",
        "SELECT '",
        "SELECT [GO]",
    ]


def test_commands_and_variables_of_sqlcmd_are_taken_out() -> None:
    assert [batch.strip() for batch in of_script(":setvar Name shop\nUSE $(Name)\n!! dir\n")] == ["USE xName"]


def test_sql_is_taken_out_of_raw_strings() -> None:
    code = 'AssertSql(\n"""\n@p=\'5\'\n\nSELECT 1\n""",\n//\n"""\nnot SQL\n""");'
    assert [batch.strip() for batch in of_tests(code)] == ["SELECT 1"]


def test_every_encoding_of_scripts_is_read() -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        assert decoded("SELECT 'é'".encode(encoding)) == "SELECT 'é'"


def test_scripts_are_read_from_a_repository(tmp_path: Path) -> None:
    place = tmp_path / "owner+name"
    place.mkdir()
    (place / "a.sql").write_text("SELECT 1")
    (place / "b.txt").write_text("no")
    who = ["-c", "user.name=t", "-c", "user.email=t@t"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", "-C", str(place), *command], check=True, capture_output=True)
    assert fetched(Corpus("owner/name"), tmp_path) == place
    assert list(scripts(place)) == [("a.sql", b"SELECT 1")]
