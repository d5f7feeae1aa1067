"""A gateway as its users run it: a child process with a configuration file, spoken to over its ports."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import yaml

from blastwall.testing.certificates import LOOPBACK, CertificateAuthority
from blastwall.testing.launching import Launch, Process, in_an_own_python
from blastwall.testing.ports import free_port
from blastwall.testing.processes import ServerFailed, tail

_READY_SECONDS = 60.0
_STOP_SECONDS = 60.0
_RUN_SECONDS = 90.0


class Gateway:
    """`blastwall serve -c FILE` in a folder of its own, ready when the constructor's block is entered.

    `configuration` is `blastwall.yaml` as a mapping, without what the gateway gets from here where it is left out: the
    `state`, the `recordings`, `control`, and a certificate of a throw-away CA, in `ca`. Resources without `listen`
    get a free port.
    """

    launch: ClassVar[Launch] = staticmethod(in_an_own_python)
    """How its processes are started."""

    def __init__(
        self,
        configuration: Mapping[str, object],
        *,
        policies: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Write the configuration and the policies (file name to Cedar text), and start nothing yet."""
        self._owns_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="blastwall-gateway-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.environment = dict(environment or {})
        self._process: Process | None = None
        self._authority = CertificateAuthority("Blastwall throw-away gateway CA")
        self.ca = self._authority.write(self.folder)
        self.control_port = free_port()
        self._ports: dict[str, int] = {}
        self.configuration = self._complete(configuration)
        self.write(self.configuration, policies)

    @property
    def file(self) -> Path:
        """The configuration file."""
        return self.folder / "blastwall.yaml"

    @property
    def control_url(self) -> str:
        """The control port's URL."""
        return f"https://localhost:{self.control_port}"

    @property
    def log(self) -> str:
        """What the gateway has logged."""
        path = self.folder / "gateway.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def pid(self) -> int:
        """The process's id."""
        if self._process is None:
            raise ServerFailed("the gateway is not running")
        return self._process.pid

    def port(self, resource: str | None = None) -> int:
        """The port on which clients reach a resource; without a name, the first one's."""
        return next(iter(self._ports.values())) if resource is None else self._ports[resource]

    def dsn(self, database: str, password: str, *, user: str = "agent", resource: str | None = None) -> str:
        """Return a libpq connection string for a PostgreSQL resource, which verifies the gateway."""
        return (
            f"host=localhost hostaddr=127.0.0.1 port={self.port(resource)} dbname={database} user={user} "
            f"password={password} sslmode=verify-full sslrootcert={self.ca} connect_timeout=60"
        )

    def start(self, seconds: float = _READY_SECONDS) -> Self:
        """Start the process and wait until the control port says that it is ready.

        Raises:
            ServerFailed: it ended, or was not ready in time; the text holds its log.
        """
        with (self.folder / "gateway.log").open("ab") as log:
            self._process = self.launch(("serve", "-c", str(self.file)), self.folder, self.environment, log, log)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            if self.ready():
                return self
            time.sleep(0.05)
        self.kill()
        raise ServerFailed(f"the gateway did not become ready:\n{tail(self.log)}")

    def ready(self) -> bool:
        """Whether the control port answers that the gateway is ready."""
        try:
            status, _ = self.get("/readyz")
        except OSError:
            return False
        return status == 200

    def get(self, path: str) -> tuple[int, str]:
        """GET a path of the control port; return status and body.

        Raises:
            OSError: nothing answers.
        """
        return self.request(urllib.request.Request(self.control_url + path))

    def request(self, request: urllib.request.Request) -> tuple[int, str]:
        """Send a request to the control port, verifying its certificate; return status and body."""
        context = ssl.create_default_context(cafile=str(self.ca))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        try:
            with opener.open(request, timeout=30) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def write(self, configuration: Mapping[str, object], policies: Mapping[str, str] | None = None) -> None:
        """Replace the configuration file, and policies where some are given; `reload` puts it in force."""
        self.file.write_text(yaml.safe_dump(_plain(configuration), sort_keys=False))
        for name, text in (policies or {}).items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def reload(self, seconds: float = _READY_SECONDS) -> None:
        """Send SIGHUP and wait until the gateway has logged what came of it, in all its workers.

        Raises:
            ServerFailed: it logged nothing in time.
        """
        before = len(self.log)
        os.kill(self.pid, signal.SIGHUP)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if any(_tells_of_reload(line) for line in self.log[before:].splitlines(keepends=True)):
                return
            time.sleep(0.02)
        raise ServerFailed(f"the gateway did not answer SIGHUP:\n{tail(self.log)}")

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command of the command line against this gateway's configuration and return what it printed.

        Raises:
            ServerFailed: it ended with another exit code than `code`.
        """
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self.launch((*arguments, "-c", str(self.file)), self.folder, self.environment, out, err)
            try:
                ended = process.wait(_RUN_SECONDS)
            finally:
                process.kill()
            said = [file.read().decode() for file in (out, err) if not file.seek(0)]
        if ended != code:
            raise ServerFailed(f"`blastwall {' '.join(arguments)}` ended with code {ended}:\n{''.join(said)}")
        return said[0]

    def terminate(self, seconds: float = _STOP_SECONDS) -> int:
        """Ask the process to drain and end (SIGTERM); return its exit code."""
        return self._end(signal.SIGTERM, seconds)

    def kill(self) -> int:
        """Kill the process (SIGKILL): nothing of it gets to run; return its exit code."""
        return self._end(signal.SIGKILL, _STOP_SECONDS)

    def close(self) -> None:
        """End the process at once and delete the folder if it was made here."""
        self.kill()
        if self._owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self if self._process is not None else self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end(self, how: signal.Signals, seconds: float) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.poll() is None:
            process.send_signal(how)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ServerFailed(f"the gateway did not end within {seconds:.0f} s:\n{tail(self.log)}") from None

    def _complete(self, configuration: Mapping[str, object]) -> dict[str, object]:
        certificate, key = self._authority.issue(*LOOPBACK, *_hosts(configuration)).write(self.folder, "gateway")
        given: dict[str, object] = {
            "state": "sqlite:///state/blastwall.db",
            "recordings": {"to": "state/recordings"},
            "tls": {"certificate": str(certificate), "key": str(key)},
            "control": {"port": self.control_port},
        }
        control = configuration.get("control")
        asked = {"control": {"port": self.control_port, **control}} if isinstance(control, Mapping) else {}
        return {**given, **configuration, **asked, "resources": self._listen(configuration["resources"])}

    def _listen(self, resources: object) -> list[dict[str, object]]:
        """Give each resource a port, and remember it."""
        if not isinstance(resources, Sequence):
            raise TypeError("`resources` must be a list")
        completed: list[dict[str, object]] = []
        for resource in resources:
            port = resource.get("listen") or free_port()
            self._ports[str(resource["name"])] = int(port)
            completed.append({**resource, "listen": port})
        return completed


def _hosts(configuration: Mapping[str, object]) -> list[str]:
    """Return the names by which clients reach resources."""
    resources = configuration["resources"]
    listed = resources if isinstance(resources, Sequence) else []
    return [str(host) for resource in listed for host in resource.get("hosts", ())]


def _tells_of_reload(line: str) -> bool:
    """Whether a line of the log is whole, and says that a configuration is in force everywhere, or is refused."""
    if not (line.startswith("{") and line.endswith("\n")):
        return False
    told = json.loads(line)
    return "worker" not in told and str(told["event"]).startswith(("reload", "all_reloaded"))


def _plain(value: object) -> object:
    """Return a value in the types that YAML knows: paths become text."""
    plain: object = json.loads(json.dumps(value, default=str))
    return plain
