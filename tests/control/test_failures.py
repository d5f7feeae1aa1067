from __future__ import annotations

from ipaddress import ip_address

import pytest

from blastwall.control.failures import BURST, SECONDS_EACH, FailureLimit, TooManyFailures

HERE = ip_address("10.0.0.1")


class Clock:
    at = 1000.0

    def __call__(self) -> float:
        return self.at


def fail(limit: FailureLimit, source: str, times: int) -> None:
    for _ in range(times):
        limit.check(ip_address(source))
        limit.failed(ip_address(source))


def test_a_burst_then_one_at_a_time() -> None:
    clock = Clock()
    limit = FailureLimit(clock)
    fail(limit, "10.0.0.1", BURST)
    with pytest.raises(TooManyFailures) as caught:
        limit.check(HERE)
    assert 0 < caught.value.wait <= SECONDS_EACH
    clock.at += caught.value.wait
    fail(limit, "10.0.0.1", 1)
    with pytest.raises(TooManyFailures):
        limit.check(HERE)
    clock.at += BURST * SECONDS_EACH
    fail(limit, "10.0.0.1", BURST)


def test_only_failures_count() -> None:
    limit = FailureLimit(Clock())
    for _ in range(1000):
        limit.check(HERE)


def test_sources_are_apart_but_one_hosts_ipv6_addresses_are_not() -> None:
    limit = FailureLimit(Clock())
    fail(limit, "10.0.0.1", BURST)
    limit.check(ip_address("10.0.0.2"))
    with pytest.raises(TooManyFailures):
        limit.check(ip_address("::ffff:10.0.0.1"))
    limit.check(ip_address("::ffff:10.0.0.2"))
    for number in range(BURST):
        fail(limit, f"2001:db8::{number:x}", 1)
    with pytest.raises(TooManyFailures):
        limit.check(ip_address("2001:db8::ffff"))
    limit.check(ip_address("2001:db8:0:1::1"))


def test_the_memory_is_bounded() -> None:
    limit = FailureLimit(Clock())
    for number in range(10_500):
        limit.failed(ip_address(number))
    assert len(limit._clear_at) == 10_000
