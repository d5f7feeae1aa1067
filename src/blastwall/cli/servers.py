"""Which gateway a command speaks to over the network, and how that gateway is verified."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from blastwall.cli.logins import Login, read_logins
from blastwall.cli.printing import MISUSED, fail

if TYPE_CHECKING:
    import ssl

ServerOption = Annotated[
    str | None,
    typer.Option(
        envvar="BLASTWALL_SERVER",
        show_envvar=False,
        help="The gateway's control port, https://HOST:PORT; default: `BLASTWALL_SERVER`, or where you last logged in.",
    ),
]
CaOption = Annotated[
    Path | None,
    typer.Option(
        envvar="BLASTWALL_CA",
        show_envvar=False,
        help="PEM file of the CA of the gateway's certificate; default: `BLASTWALL_CA`, what you logged in with, or "
        "the system's.",
    ),
]
_LOOPBACK = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Server:
    """A gateway's control port. `url` ends without a slash; `login` is what was kept of a login there."""

    url: str
    host: str
    port: int
    secure: bool
    ca: Path | None = None
    login: Login | None = field(default=None, repr=False)

    def trust(self) -> ssl.SSLContext:
        """Return what verifies the gateway's certificate and name."""
        return trust(self.ca)


def find_server(server: str | None, ca: Path | None) -> Server:
    """Return the gateway that was named, or where the last login was; end the command where there is neither."""
    kept = read_logins()
    url = server or kept.last
    if not url:
        fail(
            "which gateway? Give --server https://HOST:PORT or set BLASTWALL_SERVER; `blastwall login` keeps it",
            MISUSED,
        )
    found = server_at(url, "--server", ca)
    login = kept.at(found.url)
    if ca is None and login is not None and login.ca is not None:
        return Server(found.url, found.host, found.port, found.secure, Path(login.ca), login)
    return Server(found.url, found.host, found.port, found.secure, ca, login)


def server_at(url: str, option: str, ca: Path | None = None) -> Server:
    """Read a gateway's URL, given by `option`; end the command where what is sent there could be overheard."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        fail(f"{option}: this is no URL; write https://HOST:PORT", MISUSED)
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        fail(f"{option}: a URL must not carry user, password or parameters; write https://HOST:PORT", MISUSED)
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK)):
        fail(f"{option}: write https://HOST:PORT (http only to 127.0.0.1), so that the token stays secret", MISUSED)
    if parts.path.strip("/"):
        fail(f"{option}: write https://HOST:PORT, without a path", MISUSED)
    secure = parts.scheme == "https"
    port = port or (443 if secure else 80)
    shown = f"[{host}]" if ":" in host else host
    return Server(f"{parts.scheme}://{shown}:{port}", host, port, secure, ca)


def trust(ca: Path | None) -> ssl.SSLContext:
    """Return a TLS context that verifies by `ca`, or by the system's CAs."""
    import ssl

    try:
        return ssl.create_default_context(cafile=None if ca is None else str(ca))
    except ssl.SSLError:
        fail(f"--ca: {ca} holds no PEM certificates", MISUSED)
    except OSError as error:
        fail(f"--ca: {ca} cannot be read: {error.strerror}", MISUSED)


def variable(name: str) -> str:
    """Return an environment variable's value, empty where it is not set."""
    return os.environ.get(name, "").strip()
