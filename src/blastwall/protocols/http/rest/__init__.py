"""`http`: any API over HTTP that takes a bearer, basic or header credential."""

from __future__ import annotations

from blastwall.protocols.http.rest.flavour import RestFlavour

FLAVOUR = RestFlavour()
