"""What a reload may change, and what needs a restart."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter

from blastwall.config.model import Configuration

NEEDS_RESTART: Mapping[str, str] = {
    "state": "the state database is opened once",
    "node": "the recordings' chain carries the node's name",
    "recordings": "the recordings' chain is written by one process from start to end",
    "workers": "the processes are started once",
    "listen": "every listener is bound to it",
    "hold.key": "what waits for approval is sealed with it",
    "gateway_tokens.tenant": "tokens that were given name it",
    "control.port": "its listener is bound at the start",
    "control.listen": "its listener is bound at the start",
}
"""Keys that a reload refuses to change, each with the reason."""


class NeedsRestart(Exception):
    """The new configuration changes what a running gateway cannot change; the text names the keys."""


def refuse_restarts(old: Configuration, new: Configuration) -> None:
    """Let a reload go on.

    Raises:
        NeedsRestart: a key is changed that needs a restart.
    """
    changed = [key for key in NEEDS_RESTART if attrgetter(key)(old) != attrgetter(key)(new)]
    if changed:
        reasons = "; ".join(f"`{key}` ({NEEDS_RESTART[key]})" for key in changed)
        raise NeedsRestart(f"restart the gateway to change {reasons}")
    if (old.tls is None) != (new.tls is None):
        raise NeedsRestart("restart the gateway to change between a certificate of your own and the development one")
