"""The shortcut for plain addresses says what the style says, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.masking.plain import partial_address
from blastwall.masking.styles import partial, whole

LOCAL = st.text("abzAZ019.-_+@", min_size=1, max_size=8)
DOMAIN = st.text("abzAZ09.-@", min_size=1, max_size=12)


@given(local=LOCAL, domain=DOMAIN)
def test_it_gives_what_the_style_gives(local: str, domain: str) -> None:
    value = f"{local}@{domain}"
    shown = partial_address(value.encode())
    assert shown is None or shown.decode() == whole(partial(value), value)


@given(value=st.binary(max_size=30))
def test_any_bytes_give_what_the_style_gives(value: bytes) -> None:
    shown = partial_address(value)
    assert shown is None or shown.decode() == partial(value.decode())


@pytest.mark.parametrize("value", ["ada@example.org", "person17@example.org", "a.b@mail.example.co"])
def test_ordinary_addresses_take_it(value: str) -> None:
    shown = partial_address(value.encode())
    assert shown is not None
    assert shown.decode() == partial(value)
