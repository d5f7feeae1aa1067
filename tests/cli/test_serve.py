"""The process as its users run it: signals, exit codes, log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

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
    return Gateway(CONFIGURATION, folder=tmp_path, environment={"SHOP_PASSWORD": "hunter2"})


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


def test_end_by_sigint(gateway: Gateway) -> None:
    with gateway:
        os.kill(gateway.pid, signal.SIGINT)
        deadline = time.monotonic() + 20
        while gateway.ready() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert gateway.terminate() == 0


def run(gateway: Gateway, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "blastwall", "serve", "-c", str(gateway.file)],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_a_configuration_that_cannot_be_used_ends_with_2(gateway: Gateway) -> None:
    gateway.write({**gateway.configuration, "polices": []})
    done = run(gateway, SHOP_PASSWORD="x")
    assert done.returncode == 2
    assert "unknown key; did you mean 'policies'?" in done.stderr


def test_a_start_that_fails_ends_with_1_and_says_why(gateway: Gateway) -> None:
    with gateway:
        done = run(gateway, SHOP_PASSWORD="x")
    assert done.returncode == 1
    assert json.loads(done.stderr.splitlines()[-1])["event"] == "not_started"
    assert "another gateway writes recordings" in done.stderr
