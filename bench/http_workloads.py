"""What is measured over HTTP: small requests a second, and megabytes a second of bodies as they are and masked."""

from __future__ import annotations

import re
import subprocess
import time
from functools import partial
from tempfile import NamedTemporaryFile

from bench.http_routes import FILES, PAGE, SMALL, STREAM, HttpRoute
from bench.measure import BenchmarkFailed, Workload
from blastwall.testing.servers import environment, find_program

_MIB = 1 << 20
_RATE = re.compile(r"^Requests/sec:\s+([0-9.]+)", re.MULTILINE)
_PERCENTILE = re.compile(r"^\s+(50|99)%\s+([0-9.]+)(us|ms|s)$", re.MULTILINE)
_TO_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
_FAILED = ("Non-2xx", "Socket errors")


def http_workloads() -> tuple[Workload[HttpRoute], ...]:
    """Return all workloads over HTTP."""
    requests = (
        Workload(
            f"http_1k_{clients}",
            f"GET of {SMALL:,} bytes, {clients} connection{'s' if clients > 1 else ''}",
            "requests",
            partial(_requests, clients),
        )
        for clients in (1, 16, 64)
    )
    return (
        *requests,
        Workload("http_64m", f"GET of {STREAM // _MIB} MiB", "MiB", partial(_bodies, "plain", "stream.bin")),
        Workload(
            "http_64m_masked",
            f"GET of {STREAM // _MIB} MiB of NDJSON, a field masked",
            "MiB",
            partial(_bodies, "masked", "stream.ndjson"),
        ),
        Workload(
            "http_json_masked",
            f"GET of {PAGE // _MIB} MiB of JSON, a field masked",
            "MiB",
            partial(_bodies, "masked", "page.json"),
        ),
        Workload(
            "http_json_scanned",
            f"GET of {PAGE // _MIB} MiB of JSON, all text scanned",
            "MiB",
            partial(_bodies, "scanned", "page.json"),
        ),
    )


def latency(route: HttpRoute, seconds: float) -> dict[str, float]:
    """Return how long a small request takes over 16 connections: the median and the 99th percentile, milliseconds."""
    found = _PERCENTILE.findall(_wrk(route, 16, seconds))
    return {f"p{percent}": round(float(value) * _TO_MS[unit], 3) for percent, value, unit in found}


def _requests(clients: int, route: HttpRoute, seconds: float) -> float:
    said = _wrk(route, clients, seconds)
    found = _RATE.search(said)
    if found is None or any(word in said for word in _FAILED):
        raise BenchmarkFailed(f"wrk through {route.name} did not have every request answered:\n{said}")
    return float(found[1])


def _wrk(route: HttpRoute, clients: int, seconds: float) -> str:
    options = [
        "--threads=1", f"--connections={clients}", f"--duration={max(1, round(seconds))}s", "--latency",
        "--header", f"Authorization: Bearer {route.token}",
    ]  # fmt: skip
    return _client([str(find_program("wrk", "wrk")), *options, f"{route.plain}/small.bin"])


def _bodies(part: str, file: str, route: HttpRoute, seconds: float) -> float:
    """Fetch a file again and again with a client that does nothing with it; return MiB a second."""
    url = f"{ {'plain': route.plain, 'masked': route.masked, 'scanned': route.scanned}[part] }/{file}"
    if part != "plain":
        _look(route, url)
    times = 1 if FILES[file] == STREAM else 32
    began, fetched, received = time.perf_counter(), 0.0, 0
    while fetched == 0 or time.perf_counter() - began < seconds:
        for code, size, took in _fetch(route, url, "/dev/null", times):
            if code != "200":
                again = _saved(route, url)[:1000].decode(errors="replace")
                raise BenchmarkFailed(f"a transfer through {route.name} was answered with {code}; then:\n{again}")
            received += int(size)
            fetched += float(took)
    return received / fetched / _MIB


def _look(route: HttpRoute, url: str) -> None:
    """See to it that what is masked, and only that, comes back masked."""
    body = _saved(route, url)
    addressed = b"person1@example.org" in body
    if b"Person 1" not in body:
        raise BenchmarkFailed(f"the file through {route.name} did not come back:\n{body[:1000].decode()}")
    if addressed == route.name.startswith("blastwall"):
        raise BenchmarkFailed(f"the file through {route.name} came back with other content than it should")


def _saved(route: HttpRoute, url: str) -> bytes:
    with NamedTemporaryFile() as file:
        _fetch(route, url, file.name, 1)
        return file.read()


def _fetch(route: HttpRoute, url: str, target: str, times: int) -> list[list[str]]:
    """Return status, bytes and seconds of so many transfers over one connection."""
    options = {
        "header": f"Authorization: Bearer {route.token}",
        "write-out": "%{http_code} %{size_download} %{time_total}\\n",
        **({"cacert": route.ca} if route.ca else {}),
    }
    lines = ["silent", "show-error", *(f'{name} = "{value}"' for name, value in options.items())]
    lines += times * [f'url = "{url}"', f'output = "{target}"']
    with NamedTemporaryFile("w") as config:
        config.write("\n".join(lines))
        config.flush()
        said = _client([str(find_program("curl", "curl")), "--config", config.name])
    return [line.split() for line in said.splitlines()]


def _client(command: list[str]) -> str:
    done = subprocess.run(
        command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BenchmarkFailed(f"{command[0]} ended with code {done.returncode}:\n{done.stdout}")
    return done.stdout
