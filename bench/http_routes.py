"""The ways to the same files over HTTP that are compared: directly, through nginx, and through Blastwall."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from blastwall.testing.gateway import Gateway
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.nginx import Nginx

SMALL, PAGE, STREAM = 1 << 10, 1 << 20, 64 << 20
"""Bytes of the files: a small one, a page of a listing, and one that streams."""

FILES = {"small.bin": SMALL, "page.json": PAGE, "stream.bin": STREAM, "stream.ndjson": STREAM}

_PLAIN, _MASKED, _SCANNED = "files", "files-masked", "files-scanned"
_POLICY = "".join(
    f'@id("{name}-may-be-read")\n'
    f'permit (principal in Group::"bench", action in [Action::"connect", Action::"read"], '
    f'resource in Resource::"{name}");\n'
    for name in (_PLAIN, _MASKED, _SCANNED)
)


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """One way to the files. `masked` and `scanned` are where a field is masked and all text is scanned."""

    name: str
    plain: str
    masked: str
    scanned: str
    token: str = field(default="", repr=False)
    ca: Path | None = None


@contextmanager
def http_routes(*, tls: bool) -> Iterator[tuple[HttpRoute, ...]]:
    """Start the origin and what stands between; with `tls` on every connection, else on none."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="blastwall-bench-")))
        _write(folder)
        origin = running.enter_context(Nginx(files=folder, tls=tls))
        proxy = running.enter_context(Nginx(before=origin, tls=tls))
        issuer = running.enter_context(DevIssuer())
        gateways = {
            name: running.enter_context(_gateway(origin, issuer, workers))
            for name, workers in (("blastwall", 1), ("blastwall_2", 2))
        }
        token = issuer.token("bench", lifetime=6 * 3600)
        yield (
            *(
                HttpRoute(name, server.url, server.url, server.url, ca=server.ca if tls else None)
                for name, server in (("direct", origin), ("nginx", proxy))
            ),
            *(_through(name, gateway, token, tls=tls) for name, gateway in gateways.items()),
        )


def _through(name: str, gateway: Gateway, token: str, *, tls: bool) -> HttpRoute:
    base = f"http{'s' if tls else ''}://localhost"
    plain, masked, scanned = (f"{base}:{gateway.port(resource)}" for resource in (_PLAIN, _MASKED, _SCANNED))
    return HttpRoute(name, plain, masked, scanned, token, gateway.ca if tls else None)


def _write(folder: Path) -> None:
    """Write the files; those that can be masked hold people with an e-mail address each."""
    for name in ("small.bin", "stream.bin"):
        (folder / name).write_bytes(b"x" * FILES[name])
    people = [
        {"id": number, "name": f"Person {number}", "email": f"person{number}@example.org", "note": "n" * 120}
        for number in range(5_000)
    ]
    lines = [json.dumps(one) + "\n" for one in people]
    (folder / "page.json").write_text(json.dumps({"value": people[: PAGE * len(people) // sum(map(len, lines))]}))
    whole = "".join(lines)
    with (folder / "stream.ndjson").open("w") as stream:
        for _ in range(STREAM // len(whole)):
            stream.write(whole)


def _gateway(origin: Nginx, issuer: DevIssuer, workers: int) -> Gateway:
    upstream: dict[str, object] = {"host": "localhost", "port": origin.port, "tls": "disable"}
    if origin.tls:
        upstream |= {"tls": "verify-full", "ca": origin.ca}

    def resource(name: str) -> dict[str, object]:
        return {
            "name": name,
            "kind": "http",
            "plain_text": not origin.tls,
            "upstream": upstream,
            "credential": {"password": {"env": "BENCH_PASSWORD"}},
        }

    configuration = {
        "workers": workers,
        "issuers": [{"name": "dev", "issuer": issuer.url, "audience": issuer.audience}],
        "agents": [{"name": "bench", "issuer": "dev", "match": {"sub": "bench"}, "groups": ["bench"]}],
        "resources": [resource(name) for name in (_PLAIN, _MASKED, _SCANNED)],
        "policies": ["bench.cedar"],
        "masking": [
            {"resource": _MASKED, "fields": ["$.value[*].email", "$.email"], "with": "partial"},
            {"resource": _SCANNED, "detect": ["email", "card", "iban", "us_ssn"], "with": "redact"},
        ],
        "log": {"level": "warning"},
    }
    return Gateway(configuration, policies={"bench.cedar": _POLICY}, environment={"BENCH_PASSWORD": "for-the-origin"})
