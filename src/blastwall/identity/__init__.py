"""Who is asking: verifies tokens and passes, and finds the one configured agent or user that they stand for."""

from blastwall.identity.identity import Claimant, OidcIdentity
from blastwall.identity.matching import UnusableMatch
from blastwall.identity.passes import IssuedPass
from blastwall.identity.refusals import Unavailable

__all__ = ["Claimant", "IssuedPass", "OidcIdentity", "Unavailable", "UnusableMatch"]
