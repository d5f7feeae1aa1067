"""What drivers and servers really said to each other, as `record.py` noted it: one file a driver."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

HERE = Path(__file__).parent
NAMES = sorted(file.stem for file in HERE.glob("*.yaml"))
CLIENT_SAID, SERVER_SAID = ">", "<"
GREETING = 4
"""Steps of a login: both protocols take two messages of the client's, each answered."""

_ATTENTION = b"\x06\x01\x00\x08\x00\x00"
Steps = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Conversation:
    """The steps in order: who said it, and what. `protocol` is postgres or tds."""

    protocol: str
    steps: Steps

    def said(self, who: str, start: int = 0) -> bytes:
        """All that one of the two said, joined."""
        return b"".join(data for one, data in self.steps[start:] if one == who)


@cache
def recorded(name: str) -> Conversation:
    """Read a conversation.

    Attentions are left out with their answers: these clients send them where nothing runs any more, and the gateway
    answers such a one itself.
    """
    held = yaml.safe_load((HERE / f"{name}.yaml").read_text())
    steps = [(step[0], base64.b64decode(step[2:])) for step in held["steps"]]
    idle = {at + n for at, (_, data) in enumerate(steps) if data.startswith(_ATTENTION) for n in (0, 1)}
    return Conversation(held["protocol"], [step for at, step in enumerate(steps) if at not in idle])
