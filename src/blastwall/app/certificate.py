"""The certificate that the gateway shows to clients and at its control port: yours, or a development one."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import structlog

from blastwall.app.development_tls import development_tls
from blastwall.app.places import state_folder
from blastwall.config.model import Configuration
from blastwall.relay import ServerTls

_log = structlog.get_logger("blastwall.app")


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is shown: to clients by `listeners`, at the control port by `control`."""

    listeners: ServerTls
    control: ssl.SSLContext

    def renew(self, configuration: Configuration) -> None:
        """Show what the configuration names now to new connections.

        Raises:
            OSError, ssl.SSLError: it cannot be read; what is shown stays.
        """
        certificate, key = _files(configuration)
        self.listeners.renew(certificate, key)
        self.control.load_cert_chain(certificate, key)


def certificate_of(configuration: Configuration) -> Certificate:
    """Load the configured certificate; without one, make or take the development one, and say so.

    Raises:
        OSError, ssl.SSLError: it cannot be read or made.
    """
    certificate, key = _files(configuration)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return Certificate(ServerTls(certificate, key), context)


def _files(configuration: Configuration) -> tuple[Path, Path]:
    if configuration.tls is not None:
        return configuration.tls.certificate, configuration.tls.key
    listen = (configuration.listen, configuration.control.listen or configuration.listen)
    hosts = [host for resource in configuration.resources for host in resource.hosts]
    made = development_tls(state_folder(configuration), listen, hosts)
    _log.warning(
        "development_certificate",
        authority=str(made.authority),
        remedy="name a certificate of your own in `tls`; until then clients verify the gateway by this authority",
    )
    return made.certificate, made.key
