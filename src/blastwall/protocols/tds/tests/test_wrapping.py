"""TLS's handshake inside PRELOGIN packets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.protocols.tds.packets import Kind, framed
from blastwall.protocols.tds.wrapping import PreloginWrapping
from blastwall.wire.reader import Malformed


@given(handshake=st.binary(min_size=1, max_size=10_000), cut=st.integers(1, 5000), bare=st.binary(max_size=50))
def test_what_is_wrapped_is_unwrapped_however_it_arrives(handshake: bytes, cut: int, bare: bytes) -> None:
    wrapping = PreloginWrapping()
    wire, found = wrapping.wrap(handshake), b""
    for at in range(0, len(wire), cut):
        carried = wrapping.unwrap(wire[at : at + cut])
        while carried is not None:
            found += carried
            carried = wrapping.unwrap(b"")
    assert found == handshake
    assert wrapping.unwrap(bare[:7]) is None
    assert wrapping.rest() == bare[:7]


def test_a_certificate_chain_is_split_over_packets_of_the_first_size() -> None:
    wire = PreloginWrapping().wrap(bytes(5000))
    assert wire[:4] == bytes((Kind.PRELOGIN, 0, 0x10, 0))
    assert wire[4096:4100] == bytes((Kind.PRELOGIN, 1)) + (5000 - 4088 + 8).to_bytes(2, "big")


@pytest.mark.parametrize("data", [b"\x16\x03\x01\0\x05hello", framed(Kind.LOGIN7, b"login", 4096), b"SELECT 1"])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        PreloginWrapping().unwrap(data)
