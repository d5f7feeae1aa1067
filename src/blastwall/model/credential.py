"""A credential: what Blastwall shows to the resource, and nobody else."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credential:
    """A login name and its secret (a password or an access token). The secret never shows in `repr` or `str`.

    `token` says that it is an access token, which whoever hears it can use: it goes to a verified resource alone.
    """

    user: str
    secret: bytes = field(repr=False)
    token: bool = False
