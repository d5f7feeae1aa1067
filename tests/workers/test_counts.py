from __future__ import annotations

import os
import signal

from blastwall.workers import Board, Counts, LocalCounts


def taken(counts: Counts, most: int, tries: int) -> int:
    """Try to take places as the relay does; return how many were got."""
    got = 0
    for _ in range(tries):
        if counts.add("places", +1) <= most:
            got += 1
        else:
            counts.add("places", -1)
    return got


def test_the_count_of_one_process_is_its_own() -> None:
    counts = LocalCounts()
    assert [counts.add("a", 1), counts.add("a", 1), counts.add("b", 1), counts.add("a", -1)] == [1, 2, 1, 1]
    assert counts.total("a") == 1
    assert counts.total("nobody") == 0


def test_members_see_the_total_and_change_their_own_part() -> None:
    board = Board(3)
    first, second, third = (board.of(number) for number in (1, 2, 3))
    assert first.add("sessions of agent ci", +2) == 2
    assert second.add("sessions of agent ci", +1) == 3
    assert third.total("sessions of agent ci") == 3
    assert third.total("sessions of agent other") == 0
    assert first.add("sessions of agent ci", -1) == 2


def test_what_a_dead_member_counted_is_forgotten_and_the_rest_stays() -> None:
    board = Board(2)
    board.of(1).add("x", 5)
    board.of(2).add("x", 7)
    board.clear(2)
    assert board.of(1).total("x") == 5
    assert board.of(2).add("x", 1) == 6


def test_a_full_table_refuses_what_is_limited_and_keeps_the_other_counts() -> None:
    counts = Board(1).of(1)
    for number in range(1 << 14):
        assert counts.add(f"name {number}", +1) == 1
    assert counts.add("one too many", +1) > 1 << 60
    assert counts.total("name 7") == 1


def test_processes_that_race_never_take_more_places_than_there_are() -> None:
    """Killed in the middle as well: nothing that a process holds can keep the others waiting."""
    board, processes, most, tries = Board(3), 3, 50, 3000
    pids = []
    for number in range(1, processes + 1):
        pid = os.fork()
        if pid == 0:
            got = taken(board.of(number), most, tries)
            os._exit(min(got, 255))
        pids.append(pid)
    total = sum(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids)
    assert total <= most
    assert board.of(1).total("places") == total


def test_a_killed_process_holds_no_lock() -> None:
    board = Board(2)
    pid = os.fork()
    if pid == 0:
        while True:
            taken(board.of(2), 5, 1000)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    board.clear(2)
    assert taken(board.of(1), 5, 10) == 5
