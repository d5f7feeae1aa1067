"""When a secret is asked for, and what a login finds: by a clock and a source of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from blastwall.vault import SecretUnavailable
from blastwall.vault.renewal import FetchFailed, Lease, RenewedReader


class Source:
    """Gives, or fails, as its `answer` says; counts how often it was asked."""

    source = "a test's source"

    def __init__(self, answer: Callable[[], Lease]) -> None:
        self.answer = answer
        self.asked = 0
        self.claims: list[str] = []

    async def fetch(self, claims: str = "", /) -> Lease:
        self.asked += 1
        self.claims.append(claims)
        await asyncio.sleep(0)
        return self.answer()


class Clock:
    """A clock that nobody sets; the wall clock beside it was set by `jump` seconds."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.jump = 500_000.0

    def __call__(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.jump


def failing(failure: Exception) -> Callable[[], Lease]:
    def fail() -> Lease:
        raise failure

    return fail


def kept(lifetime: float = 3600.0) -> tuple[Clock, Source, RenewedReader]:
    clock = Clock()
    made = iter(range(100))

    def lease() -> Lease:
        return Lease(f"secret-{next(made)}".encode(), clock.wall() + lifetime / 2, clock.wall() + lifetime)

    source = Source(lease)
    return clock, source, RenewedReader(source, clock.wall, clock)


async def test_a_valid_lease_is_read_without_asking() -> None:
    _, source, reader = kept()
    assert [await reader.read() for _ in range(3)] == [b"secret-0"] * 3
    assert source.asked == 1


@pytest.mark.parametrize("jump", [7200.0, -7200.0])
async def test_a_wall_clock_that_jumps_makes_no_lease_longer_or_shorter(jump: float) -> None:
    clock, source, reader = kept()
    assert await reader.read() == b"secret-0"
    clock.jump += jump
    clock.now += 3599
    assert await reader.read() == b"secret-0"
    clock.now += 1
    assert await reader.read() == b"secret-1"
    assert source.asked == 2


async def test_what_somebody_must_mend_is_told_at_once_and_asked_again_later() -> None:
    clock, source, reader = kept()
    good, source.answer = source.answer, failing(FetchFailed("the tenant is wrong"))
    for _ in range(3):
        with pytest.raises(SecretUnavailable, match="the tenant is wrong"):
            await reader.read()
    assert source.asked == 1
    source.answer = good
    clock.now += 6
    assert await reader.read() == b"secret-0"


async def test_a_lease_that_is_over_when_it_comes_is_none() -> None:
    clock, source, reader = kept()
    source.answer = lambda: Lease(b"old", clock.wall() - 10, clock.wall() - 1)
    with pytest.raises(SecretUnavailable, match="set this machine's clock"):
        await reader.read()


async def test_a_refusal_withdraws_and_an_outage_does_not() -> None:
    _, source, reader = kept()
    reader.start()
    assert await reader.read() == b"secret-0"
    for failure, stays in ((FetchFailed("down", again=0.0), True), (FetchFailed("gone", withdrawn=True), False)):
        source.answer = failing(failure)
        await reader._attempt()
        assert (reader._valid() is not None) is stays
    with pytest.raises(SecretUnavailable, match="gone"):
        await reader.read()
    await reader.close()


async def test_a_fault_of_ours_ends_nothing_and_shows_nothing() -> None:
    clock, source, reader = kept()
    good, source.answer = source.answer, failing(RuntimeError("secret-in-a-traceback"))
    with (
        capture_logs() as logs,
        pytest.raises(SecretUnavailable, match=r"a fault of the gateway's own \(RuntimeError\)"),
    ):
        await reader.read()
    assert "secret-in-a-traceback" not in str(logs)
    source.answer = good
    clock.now += 6
    assert await reader.read() == b"secret-0"


async def test_a_login_that_leaves_does_not_end_the_asking() -> None:
    _, source, reader = kept()
    first = asyncio.create_task(reader.read())
    await asyncio.sleep(0)
    second = asyncio.create_task(reader.read())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == b"secret-0"
    assert source.asked == 1


async def test_closing_leaves_no_task() -> None:
    _, _, reader = kept()
    reader.start()
    await reader.read()
    before = asyncio.all_tasks()
    await reader.close()
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == len(before) - 1


# ── a resource that takes it no more ─────────────────────────────────────────────────────────────────────────────────


async def test_a_refused_secret_is_asked_for_anew_but_not_again_and_again() -> None:
    clock, source, reader = kept()
    assert await reader.read() == b"secret-0"
    assert await reader.renew("") == b"secret-0"
    clock.now += 31
    assert [await reader.renew("") for _ in range(3)] == [b"secret-1"] * 3
    assert await reader.read() == b"secret-1"
    assert source.asked == 2


async def test_claims_are_asked_for_once_and_not_kept_for_later() -> None:
    clock, source, reader = kept()
    await reader.read()
    assert [await reader.renew("{claims}") for _ in range(2)] == [b"secret-1"] * 2
    clock.now += 3600
    assert await reader.read() == b"secret-2"
    assert source.claims == ["", "{claims}", ""]


async def test_many_who_want_the_same_claims_ask_once() -> None:
    _, source, reader = kept()
    await reader.read()
    assert set(await asyncio.gather(*(reader.renew("{claims}") for _ in range(20)))) == {b"secret-1"}
    assert source.asked == 2


async def test_who_wants_claims_does_not_get_what_is_asked_for_without_them() -> None:
    clock, source, reader = kept()
    await reader.read()
    clock.now += 31
    plain, claimed = asyncio.create_task(reader.renew("")), asyncio.create_task(reader.renew("{claims}"))
    assert (await plain, await claimed) == (b"secret-1", b"secret-2")
    assert source.claims == ["", "", "{claims}"]


async def test_a_renewal_that_fails_says_so_stays_so_for_a_while_and_leaves_what_there_was() -> None:
    clock, source, reader = kept()
    assert await reader.read() == b"secret-0"
    source.answer = failing(FetchFailed("the tenant wants another login"))
    for _ in range(3):
        with pytest.raises(SecretUnavailable, match="wants another login"):
            await reader.renew("{claims}")
    assert source.asked == 2
    assert await reader.read() == b"secret-0"
    clock.now += 6
    with pytest.raises(SecretUnavailable, match="wants another login"):
        await reader.renew("{claims}")
    assert source.asked == 3
