from __future__ import annotations

from pathlib import Path

import pytest

from blastwall.app.reload import NEEDS_RESTART, NeedsRestart, refuse_restarts
from blastwall.config.control import Control
from blastwall.config.gateway_tokens import GatewayTokenSettings
from blastwall.config.hold import HoldSettings
from blastwall.config.load import load
from blastwall.config.model import Configuration


def changed(file: Path, text: str) -> tuple[Configuration, Configuration]:
    old = load(file)
    file.write_text(file.read_text() + text)
    return old, load(file)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("state", "state: sqlite:///other.db\n"),
        ("node", "node: b\n"),
        ("recordings", "recordings: {durability: power}\n"),
        ("listen", "listen: '::1'\n"),
        ("hold.key", "hold: {key: {env: HOLD_KEY}}\n"),
        ("gateway_tokens.tenant", "gateway_tokens: {tenant: 11111111-2222-3333-4444-555555555555}\n"),
        ("control.port", "control: {port: 9443}\n"),
        ("control.listen", "control: {listen: '::1'}\n"),
    ],
)
def test_what_needs_a_restart_is_refused_by_name(file: Path, key: str, text: str) -> None:
    with pytest.raises(NeedsRestart, match=f"restart the gateway to change `{key}`"):
        refuse_restarts(*changed(file, text))


def test_every_key_that_needs_a_restart_exists(file: Path) -> None:
    for key in NEEDS_RESTART:
        section, _, inner = key.partition(".")
        assert section in Configuration.model_fields
        fields = {
            "control": Control.model_fields,
            "gateway_tokens": GatewayTokenSettings.model_fields,
            "hold": HoldSettings.model_fields,
        }
        assert not inner or inner in fields[section]


@pytest.mark.parametrize(
    "text",
    [
        "hold: {timeout: 1s}\n",
        "log: {level: debug}\n",
        "packs: []\n",
        "limits: {idle: 1h}\n",
        "control: {public: 'https://gw'}\n",
        "",
    ],
)
def test_the_rest_may_change(file: Path, text: str) -> None:
    refuse_restarts(*changed(file, text))


def test_going_over_to_a_certificate_of_ones_own_needs_a_restart(file: Path) -> None:
    old, new = load(file), load(file)
    tls = {"certificate": Path("a"), "key": Path("b")}
    with pytest.raises(NeedsRestart, match="development one"):
        refuse_restarts(old, new.model_copy(update={"tls": tls}))
