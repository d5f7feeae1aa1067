"""The process as its users run it: signals, exit codes, log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.preloaded import OWN_PYTHON
from typer.testing import CliRunner

from blastwall.cli.main import build
from blastwall.testing.gateway import Gateway

CONFIGURATION = {
    "issuers": [{"name": "github", "issuer": "https://token.example", "audience": "b", "jwks": "file:keys.json"}],
    "agents": [{"name": "ci", "issuer": "github", "match": {"repository_id": "123"}, "groups": ["ci"]}],
    "resources": [
        {
            "name": "shop",
            "kind": "postgres",
            "upstream": {"host": "127.0.0.1", "port": 1, "database": "shop"},
            "credential": {"user": "app", "password": {"env": "SHOP_PASSWORD"}},
        }
    ],
}


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    (tmp_path / "keys.json").write_text('{"keys": []}')
    return Gateway(CONFIGURATION, folder=tmp_path, environment={"SHOP_PASSWORD": "hunter2", **OWN_PYTHON})


def events(gateway: Gateway) -> list[str]:
    return [json.loads(line)["event"] for line in gateway.log.splitlines()]


def test_reload_by_sighup_and_end_by_sigterm(gateway: Gateway) -> None:
    with gateway:
        gateway.reload()
        gateway.write({**gateway.configuration, "polices": []})
        gateway.reload()
        assert gateway.terminate() == 0
    told = [
        event for event in events(gateway) if event in {"ready", "reloaded", "reload_refused", "draining", "stopped"}
    ]
    assert told == ["ready", "reloaded", "reload_refused", "draining", "stopped"]
    assert "unknown key; did you mean 'policies'?" in gateway.log
    assert "hunter2" not in gateway.log


def test_a_second_gateway_cannot_start_and_says_why_and_the_first_ends_by_sigint(gateway: Gateway) -> None:
    with gateway:
        command = [sys.executable, "-m", "blastwall", "serve", "-c", str(gateway.file)]
        environment = {**os.environ, "SHOP_PASSWORD": "x"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert json.loads(done.stderr.splitlines()[-1])["event"] == "not_started"
        assert "another gateway writes recordings" in done.stderr
        os.kill(gateway.pid, signal.SIGINT)
        process = gateway._process
        assert process is not None
        assert process.wait(60) == 0
    assert events(gateway)[-1] == "stopped"


@pytest.fixture
def hangup_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangup_as_before")
def test_a_configuration_that_cannot_be_used_ends_with_2(gateway: Gateway) -> None:
    gateway.write({**gateway.configuration, "polices": []})
    result = CliRunner().invoke(build(), ["serve", "-c", str(gateway.file)])
    assert result.exit_code == 2
    assert "unknown key; did you mean 'policies'?" in result.stderr
