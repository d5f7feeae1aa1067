"""An option that would do nothing is refused, before anything else is done, with the reason."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from blastwall.cli.main import build

NOWHERE = "https://127.0.0.1:1"


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (f"contain agent ci --reason why --server {NOWHERE} -c b.yaml", "--config would do nothing beside --server"),
        (f"sessions kill s1 --reason why --server {NOWHERE} -c b.yaml", "--config would do nothing beside --server"),
        ("contain pass p1 --reason why --ca ca.pem --token-file t", "--token-file and --ca would do nothing without"),
        ("sessions list --recordings r --config b.yaml", "--config would do nothing beside --recordings"),
        ("audit verify --recordings r -c b.yaml", "--config would do nothing beside --recordings"),
        ("sessions replay s1 --json --speed 2", "--speed would do nothing beside --json"),
        ("sessions replay s1 --transcript --speed 2 --max-pause 1", "--speed and --max-pause would do nothing beside"),
        ("check --strict", "--strict would do nothing without --dial"),
        ("demo --script --json", "--json would do nothing beside --script"),
        ("connect shop --json -- psql", "--json would do nothing beside -- COMMAND"),
        ("connect shop --keep-tokens", "--keep-tokens would do nothing without -- COMMAND"),
        (f"connect shop --server {NOWHERE} --token-file t --token-from az", "nothing beside --token-from az"),
        (f"identity --server {NOWHERE} --token-file t --token-from az", "nothing beside --token-from az"),
        (f"token shop --server {NOWHERE} --token-file - --token-from az", "nothing beside --token-from az"),
        (
            "token shop --token-env MINE --token-file t --token-from az",
            "--token-file and --token-from would do nothing",
        ),
        ("token shop --resource other", "--resource would do nothing beside RESOURCE"),
        (f"logout --all --server {NOWHERE}", "--server would do nothing beside --all"),
    ],
)
def test_what_would_do_nothing_is_refused(command: str, refusal: str) -> None:
    ended = CliRunner().invoke(build(), command.split())
    assert refusal in ended.stderr
    assert (ended.exit_code, ended.stdout) == (2, "")
