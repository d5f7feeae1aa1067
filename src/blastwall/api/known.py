"""Who a request is from: what it shows, handed to `control`."""

from __future__ import annotations

from fastapi import Request

from blastwall.api.requests import bearer_of, source_of
from blastwall.control.access import Access, Remote
from blastwall.control.control import Control


async def caller(control: Control, request: Request, access: Access) -> Remote:
    """Return the caller, known where they show a token; what is public asks nobody, so no proof is wrong there.

    Raises:
        Refusal: what they show does not hold.
        TooManyFailures: their address has failed too often.
    """
    if access is Access.PUBLIC:
        return Remote(source_of(request))
    return await control.callers.remote(source_of(request), bearer_of(request))
