"""The kind `azure-arm`: it has what all kinds that speak HTTP have, and can tell what a resource group holds."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from blastwall.model.credential import Credential
from blastwall.model.effects import Effect
from blastwall.protocols.contract import Opening
from blastwall.protocols.http.arm.impact import NAME, ArmImpact, question_of
from blastwall.protocols.http.kind import HttpKind


class ArmKind(HttpKind):
    """Implements `ProtocolKind`."""

    def companion(self, opening: Opening, credential: Credential, name: str) -> ArmImpact | None:
        return ArmImpact(opening, credential, name) if name == NAME else None

    def estimate(self, database: str, effects: Sequence[Effect]) -> tuple[str, Hashable] | None:
        return question_of(effects)
