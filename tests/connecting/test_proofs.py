"""Tokens are asked for when they are needed and ahead of their end, once for all who wait."""

from __future__ import annotations

import asyncio

import jwt
import pytest

from blastwall.connecting.proofs import NoProof, Proof, Proofs, proof_of


class Issuer:
    """Gives numbered tokens of `lifetime` seconds; `broken` makes it fail. `now` is the time."""

    def __init__(self, lifetime: float = 300) -> None:
        self.now = 1000.0
        self.lifetime = lifetime
        self.asked = 0
        self.broken = False

    async def fetch(self) -> Proof:
        self.asked += 1
        await asyncio.sleep(0)
        if self.broken:
            raise NoProof("the issuer is down")
        return Proof(f"t{self.asked}", self.now + self.lifetime)

    def proofs(self) -> Proofs:
        return Proofs(self.fetch, lambda: self.now)


async def test_one_token_serves_until_a_minute_before_its_end() -> None:
    issuer = Issuer()
    proofs = issuer.proofs()
    assert await proofs.current() == "t1"
    issuer.now += 239
    assert await proofs.current() == "t1"
    issuer.now += 2
    assert await proofs.current() == "t2"


async def test_many_connections_at_once_ask_once() -> None:
    issuer = Issuer()
    proofs = issuer.proofs()
    assert set(await asyncio.gather(*(proofs.current() for _ in range(50)))) == {"t1"}
    assert issuer.asked == 1


async def test_while_no_new_one_can_be_had_the_old_one_does_until_its_end() -> None:
    issuer = Issuer()
    proofs = issuer.proofs()
    await proofs.current()
    issuer.broken = True
    issuer.now += 299
    assert await proofs.current() == "t1"
    issuer.now += 2
    with pytest.raises(NoProof, match="the issuer is down"):
        await proofs.current()


async def test_a_token_that_is_over_by_our_clock_is_the_gateways_to_judge() -> None:
    issuer = Issuer(lifetime=-1)
    proofs = issuer.proofs()
    assert await proofs.current() == "t1"
    assert await proofs.current() == "t2"


def test_when_a_token_ends() -> None:
    assert proof_of(jwt.encode({"exp": 5000}, "k" * 32, "HS256"), 1000.0).ends == 5000
    for opaque in ("bwp_abc", "a.b.c", jwt.encode({}, "k" * 32, "HS256"), "..", "a.e30.c"):
        assert proof_of(opaque, 1000.0).ends == 1300
    assert "secret-part" not in repr(Proof("secret-part", 1.0))
