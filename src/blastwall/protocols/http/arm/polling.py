"""The addresses by which Azure tells how far a long-running operation is.

They stand beside the resources that the operation is about, mostly at the subscription, and name the operation by an
identifier that only who started it was given. Whoever may open a session may ask by it: an agent that may act in one
resource group would otherwise have to read the whole subscription to learn that it is done. What such an address
answers may be the operation's result, and with it a credential, so it is recorded by its size.
"""

from __future__ import annotations

import re

from blastwall.protocols.http.arm.operations import Operation

_POLLED = re.compile(
    r"/subscriptions/[^/]+(?:/operationresults|/resourcegroups/[^/]+/operationresults"
    r"|/providers/[^/]+(?:/locations/[^/]+)?/(?:operation(?:s|results?|status|statuses)|async(?:hronous)?operations?"
    r"|azureasync(?:operations?|operationresults?)|(?:[a-z]+)?(?:operationresults|operationstatuses|azureasyncoperation)))"
    r"/([a-z0-9_.=~;%+-]{16,1024})"
)


def polls(operation: Operation) -> bool:
    """Whether a read asks for the state or the result of an operation that is under way."""
    return _POLLED.fullmatch(operation.target) is not None
