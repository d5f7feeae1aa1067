"""Free ports: processes that run tests side by side do not take each other's."""

from __future__ import annotations

import pytest

from blastwall.testing import ports


def test_each_port_is_one_processs_of_those_that_run_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "3")
    taken: list[int] = []
    for worker in ("gw0", "gw1", "gw2"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        ours = [port for port in range(20_000, 20_030) if ports._ours(port)]
        assert len(ours) == 10
        taken += ours
    assert sorted(taken) == list(range(20_000, 20_030))


def test_a_process_alone_takes_any(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)
    assert all(ports._ours(port) for port in range(20_000, 20_030))
