"""Keeping processes apart binds them, their children and their threads, and lets all go again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.apart import apart, can_be_apart

pytestmark = pytest.mark.skipif(not can_be_apart(), reason="one processor, or a system that binds nothing to any")

_PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=sys.stdin)
print(child.pid, flush=True)
child.wait()
"""


@pytest.fixture
def parent() -> Iterator[tuple[int, int]]:
    """Yield the ids of a process and of its child; both end when their input does."""
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())


@pytest.fixture
def other() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid


def test_share_no_processor(parent: tuple[int, int], other: int) -> None:
    every = os.sched_getaffinity(0)
    with apart(other, parent[0]):
        between, clients = os.sched_getaffinity(other), os.sched_getaffinity(0)
        assert between
        assert clients
        assert not between & clients
        assert between | clients == every
        assert [os.sched_getaffinity(one) for one in parent] == [clients, clients]
    assert [os.sched_getaffinity(one) for one in (0, other, *parent)] == [every] * 4


def test_leaves_half_idle_where_nothing_stands_between(parent: tuple[int, int]) -> None:
    every = os.sched_getaffinity(0)
    with apart(None, parent[0]):
        assert os.sched_getaffinity(0) < every
    assert os.sched_getaffinity(0) == every


def test_lets_all_go_after_a_failure_and_bears_one_that_ended(parent: tuple[int, int], other: int) -> None:
    every = os.sched_getaffinity(0)
    with pytest.raises(FileNotFoundError), apart(other, parent[0]):
        Path("/nowhere").read_text()
    assert os.sched_getaffinity(0) == every
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with apart(gone.pid, parent[0]):
        assert os.sched_getaffinity(0) < every
