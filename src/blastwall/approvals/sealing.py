"""Seals: keyed hashes over what people are shown, and over what they decided.

The gateway that releases a statement checks the seals of the decisions against the statement that it holds in memory.
So whoever can write the state's rows, but has no gateway's key, can make a statement wait or be refused; they cannot
have it approved, nor have another text shown to the person who approves it.
"""

from __future__ import annotations

from dataclasses import fields, replace

from blastwall.store.approvals import StoredDecision, StoredRequest
from blastwall.store.sealing import agrees, sealed

_SHOWN = tuple(each.name for each in fields(StoredRequest))
_SHOWN = _SHOWN[: _SHOWN.index("seal")]
_SAID = tuple(each.name for each in fields(StoredDecision) if each.name != "seal")


class Seals:
    """Makes and checks seals with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def request(self, request: StoredRequest) -> StoredRequest:
        """Return a request with its seal."""
        return replace(request, seal=self._of_request(request))

    def decision(self, decision: StoredDecision, binding: str) -> StoredDecision:
        """Return a decision with its seal; it is worth something for the statement of this binding alone."""
        return replace(decision, seal=self._of_decision(decision, binding))

    def shown(self, request: StoredRequest) -> bool:
        """Whether a request is as a gateway wrote it."""
        return agrees(request.seal, self._of_request(request))

    def said(self, decision: StoredDecision, binding: str) -> bool:
        """Whether a decision is as a gateway wrote it, and of the statement of this binding."""
        return agrees(decision.seal, self._of_decision(decision, binding))

    def _of_request(self, request: StoredRequest) -> str:
        return sealed(self._key, ["request", *(getattr(request, name) for name in _SHOWN)])

    def _of_decision(self, decision: StoredDecision, binding: str) -> str:
        return sealed(self._key, ["decision", binding, *(getattr(decision, name) for name in _SAID)])
