"""A throw-away nginx, which serves a folder or passes requests on: what a gateway over HTTP is compared with."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.closing import Closing
from blastwall.testing.ports import free_port
from blastwall.testing.processes import ServerFailed, until_it_answers
from blastwall.testing.servers import environment, find_program

_START_SECONDS = 60.0
_FILES = """
        location / {{ root {root}; }}
"""
_PROXY = """
        location / {{
            proxy_pass {scheme}://up;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_max_temp_file_size 0;
            {verify}
        }}
"""
_VERIFY = """proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_trusted_certificate {ca};"""
_CONFIGURATION = """
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    default_type application/octet-stream;
    types {{ application/json json; application/x-ndjson ndjson; text/plain txt; }}
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {upstream}
    server {{
        listen 127.0.0.1:{port}{tls};
        {certificate}
        {location}
    }}
}}
"""


class Nginx(Closing):
    """One nginx process without a master, on loopback: of `files`, or in front of another one (`before`)."""

    def __init__(self, *, files: Path | None = None, before: Nginx | None = None, tls: bool = False) -> None:
        """Start it; with `tls` towards clients, and towards the other one where that has it.

        Raises:
            ServerMissing: it is not installed.
            ServerFailed: it does not start.
        """
        program = find_program("nginx", "nginx-light")
        self.port = free_port()
        self.tls = tls
        self.folder = Path(tempfile.mkdtemp(prefix="blastwall-nginx-"))
        location = _FILES.format(root=files) if before is None else self._proxy(before)
        upstream = f"upstream up {{ server 127.0.0.1:{before.port}; keepalive 128; }}" if before else ""
        text = _CONFIGURATION.format(
            port=self.port, tls=" ssl" if tls else "", upstream=upstream, location=location,
            certificate=self._certificate() if tls else "",
        )  # fmt: skip
        (self.folder / "nginx.conf").write_text(text)
        with (self.folder / "nginx.log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, "-p", self.folder, "-c", "nginx.conf"], cwd=self.folder, env=environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            until_it_answers("nginx", self.port, self._process, self.folder / "nginx.log", _START_SECONDS)
        except ServerFailed:
            self.close()
            raise

    @property
    def ca(self) -> Path:
        """The PEM file that verifies it, where it has TLS."""
        return self.folder / "ca.pem"

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return f"http{'s' if self.tls else ''}://localhost:{self.port}"

    def close(self) -> None:
        """Stop it and delete its folder."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _proxy(self, before: Nginx) -> str:
        if not before.tls:
            return _PROXY.format(scheme="http", verify="")
        return _PROXY.format(scheme="https", verify=_VERIFY.format(ca=before.ca))

    def _certificate(self) -> str:
        authority = CertificateAuthority()
        authority.write(self.folder)
        certificate, key = authority.issue().write(self.folder)
        return f"ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_session_cache shared:one:1m;"
