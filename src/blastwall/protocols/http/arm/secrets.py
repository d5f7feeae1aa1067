"""Which properties and query parameters hold secrets, by their names: what no recording may hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from blastwall.model.statement import Literal

_HOLDS = re.compile(
    r"pass(word|wd|phrase|code)|^pwd$|secret|connectionstring|(access|account|admin|api|auth|client|encryption|function|host|"
    r"instrumentation|master|primary|private|query|secondary|service|shared|shared.?access|storage|subscription|symmetric|"
    r"system|workspace).?keys?\d?$|^keys?\d?$|^key(data|value)$|token|sas(token|key|uri|url)?$|credential|customdata|"
    r"userdata|protectedsetting|secure(value|string|object)|pfx|certificatedata|signature|kubeconfig|appsettings|^protectedparameters$"
)  # fmt: skip
_NAMES_ONE = re.compile(r"(name|id|ids|type|policy|policies|enabled|version|expiry|expiration|source|vault|lifetime)$")
"""Endings by which a property speaks of a secret and holds none: `secretName`, `keyVaultId`, `tokenExpiration`."""

_IN_QUERY = re.compile(r"(?:^|(?<=[&;]))([^=&;]*)=([^&;]*)")
_PROBE = re.compile(r"sig|code|token|key|secret|password|sas|credential", re.IGNORECASE)
_QUERY_HOLDS = re.compile(r"sig|code|token|.*(key|secret|password|sas|credential)", re.IGNORECASE)


@lru_cache(maxsize=2048)
def holds_secret(name: str) -> bool:
    """Whether a property of this lower-case name holds a secret."""
    return bool(_HOLDS.search(name)) and not _NAMES_ONE.search(name)


def may_be_secret(query: str) -> bool:
    """Whether a query may hold a secret: a quick look, which most pass."""
    return _PROBE.search(query) is not None


def in_query(query: str, start: int) -> Iterator[Literal]:
    """Yield the values of a query, which starts at `start` of the statement's text, that are secrets."""
    for found in _IN_QUERY.finditer(query):
        if _QUERY_HOLDS.fullmatch(found[1].replace("%24", "$").lstrip("$")) and found[2]:
            yield Literal(start + found.start(2), start + found.end(2), secret=True)
