"""Who is asking: verifies tokens and passes, and finds the one configured agent or user that they stand for."""

from blastwall.identity.gateway_claims import Targets
from blastwall.identity.gateway_tokens import IssuedToken, Minting
from blastwall.identity.identity import Claimant, OidcIdentity
from blastwall.identity.matching import UnusableMatch
from blastwall.identity.own_keys import OwnKeys
from blastwall.identity.passes import IssuedPass
from blastwall.identity.refusals import Unavailable

__all__ = [
    "Claimant",
    "IssuedPass",
    "IssuedToken",
    "Minting",
    "OidcIdentity",
    "OwnKeys",
    "Targets",
    "Unavailable",
    "UnusableMatch",
]
