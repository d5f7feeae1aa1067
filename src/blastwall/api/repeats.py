"""`Idempotency-Key`: a request that is sent again, since its answer was lost, is not done again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Coroutine

from fastapi import Request
from fastapi.responses import Response

from blastwall.api.problems import Unacceptable
from blastwall.api.requests import StrictRequest
from blastwall.control.access import Remote
from blastwall.control.control import Control
from blastwall.control.repeating import Done, KeyReused, StillRunning

HEADER = "Idempotency-Key"
KEY_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Sent again with the same key within 24 hours, it is answered as before and not done again.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
_KEY = re.compile(r"[!-~]{1,255}")


async def once(
    control: Control,
    caller: Remote,
    request: StrictRequest,
    inner: Callable[[Request], Coroutine[object, object, Response]],
) -> Response:
    """Answer a request; one with a key that was answered before, as it was then.

    Raises:
        Unacceptable: the key is no key, was used for another request, or is being worked on.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return await inner(request)
    if _KEY.fullmatch(key) is None:
        raise Unacceptable(422, f"{HEADER} must be 1 to 255 visible ASCII characters")
    fingerprint = hashlib.sha256(request.method.encode() + b" " + request.url.path.encode() + b"\0")
    fingerprint.update(await request.body())
    try:
        done = await control.repeating.begin(caller, key, fingerprint.hexdigest())
    except (KeyReused, StillRunning) as error:
        raise Unacceptable(422 if isinstance(error, KeyReused) else 409, str(error)) from None
    if done is not None:
        return Response(done.body, done.status, media_type="application/json")
    return await _first(control, caller, key, inner(request))


async def _first(control: Control, caller: Remote, key: str, answer: Coroutine[object, object, Response]) -> Response:
    try:
        response = await answer
    except BaseException:
        await control.repeating.forget(caller, key)
        raise
    await control.repeating.finish(caller, key, Done(response.status_code, bytes(response.body)))
    return response
