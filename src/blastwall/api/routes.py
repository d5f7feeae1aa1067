"""Every route, and the use-case that it is a face of: that use-case's classification is the route's.

`ROUTES` follow other standards than the API's own (RFC 6749, Prometheus); `ENDPOINTS` are `/api/v1`: an area adds its
table here, and nothing else (see `api/frame.py`). Beside them there are only the OpenAPI document and the page's files.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import Response

from blastwall.api import (
    about,
    approvals,
    connecting,
    containment,
    entra,
    events,
    grants,
    oauth,
    overview,
    policies,
    sessions,
    signing_in,
    watching,
)
from blastwall.api.frame import Endpoint, access_by
from blastwall.control.access import Access
from blastwall.control.control import Control
from blastwall.control.devices import Devices
from blastwall.control.passing import Passing
from blastwall.control.signing_in import SigningIn
from blastwall.control.status import Status
from blastwall.control.token_giving import TokenGiving

Handler = Callable[[Control, Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One route. `use_case` is the method of a `UseCases` class that its handler calls."""

    method: str
    path: str
    handler: Handler
    use_case: object

    @property
    def access(self) -> Access:
        """Who may call it.

        Raises:
            TypeError: its use-case was never classified.
        """
        return access_by(self.use_case, f"{self.method} {self.path}")


ROUTES = (
    Route("POST", "/token", oauth.exchange, Passing.exchange),
    Route("POST", "/revoke", oauth.revoke, Passing.revoke),
    Route("GET", "/auth/login", signing_in.login, SigningIn.begin),
    Route("GET", "/auth/callback", signing_in.callback, SigningIn.finish),
    Route("POST", "/auth/device", signing_in.device, Devices.ask),
    Route("POST", "/auth/device/token", signing_in.device_token, Devices.redeem),
    Route("GET", "/healthz", watching.healthz, Status.alive),
    Route("GET", "/readyz", watching.readyz, Status.ready),
    Route("GET", "/metrics", watching.metrics, Status.metrics),
    Route("GET", "/common/discovery/instance", entra.instances, TokenGiving.authority),
    Route("GET", "/{tenant}/v2.0/.well-known/openid-configuration", entra.configuration_v2, TokenGiving.authority),
    Route("GET", "/{tenant}/.well-known/openid-configuration", entra.configuration, TokenGiving.authority),
    Route("GET", "/{tenant}/discovery/v2.0/keys", entra.keys, TokenGiving.keys),
    Route("GET", "/{tenant}/discovery/keys", entra.keys, TokenGiving.keys),
    Route("POST", "/{tenant}/oauth2/v2.0/token", entra.token_v2, TokenGiving.give),
    Route("POST", "/{tenant}/oauth2/token", entra.token, TokenGiving.give),
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *about.ENDPOINTS,
    *approvals.ENDPOINTS,
    *connecting.ENDPOINTS,
    *containment.ENDPOINTS,
    *events.ENDPOINTS,
    *grants.ENDPOINTS,
    *overview.ENDPOINTS,
    *policies.ENDPOINTS,
    *sessions.ENDPOINTS,
    *signing_in.ENDPOINTS,
)
