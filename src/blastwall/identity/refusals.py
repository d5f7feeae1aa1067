"""Refusals of this folder, and how a stranger's text is shown in one."""

from __future__ import annotations

from blastwall.gate.ports import Refusal


class Unavailable(Refusal):
    """Nothing is wrong with the proof: the gateway cannot check it now."""


_SHOWN = 200


def shown(text: str) -> str:
    """Return `text` fit for one line of a message: printable ASCII, at most 200 characters."""
    clean = "".join(character if " " <= character <= "~" else "?" for character in text)
    return clean if len(clean) <= _SHOWN else clean[:_SHOWN] + "..."
