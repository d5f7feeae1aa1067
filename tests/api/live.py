"""A whole gateway in this process, made from a configuration as `serve` makes it, and clients of its control port."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import yaml
from tests.waiting import SOON

from blastwall.app.gateway import Gateway
from blastwall.app.plan import prepare
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.issuer import DevIssuer
from blastwall.testing.ports import free_port

POLICY = """\
@id("ci-reads")
permit (principal in Group::"ci", action in [Action::"connect", Action::"read"], resource in Database::"shop/shop");

@id("ci-deletes-need-a-dba")
@approval("dba:1")
permit (principal in Group::"ci", action == Action::"delete", resource in Database::"shop/shop")
when { context.filtered };
"""
PEOPLE = {"vera": ["staff"], "ana": ["staff", "dba"], "audrey": ["audit"], "olga": ["oncall"], "nobody": []}
"""Users by name with their groups: a viewer, an approver, an auditor, an operator, and one without any role."""

ROLES = {"viewer": ["staff"], "approver": ["dba"], "auditor": ["audit"], "operator": ["oncall"]}


@dataclass
class Live:
    """A gateway that runs, its issuer, and an https client that trusts it."""

    gateway: Gateway
    issuer: DevIssuer
    http: aiohttp.ClientSession
    url: str
    folder: Path

    @property
    def api(self) -> str:
        return f"{self.url}/api/v1"

    def token(self, who: str = "ana", **more: object) -> str:
        """Return a token of a user, or of the agent `ci`."""
        claims = {"repository_id": "123"} if who == "ci" else {"oid": f"oid-{who}"}
        return self.issuer.token(who, claims={**claims, **more})

    def bearer(self, who: str = "ana") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(who)}"}

    async def get(self, path: str, who: str | None = "ana") -> tuple[int, dict[str, object]]:
        """GET a path below `/api/v1`; return status and JSON."""
        return await self.ask("GET", path, who)

    async def browser(self, who: str | None = "ana", to: str = "/") -> Browser:
        """Return a browser, in which `who` has signed in."""
        made = Browser(self)
        if who is not None:
            response = await made.sign_in(who, to)
            assert response.status == 303, response.status
        return made

    async def ask(
        self,
        method: str,
        path: str,
        who: str | None = "ana",
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, object]]:
        """Send a request to a path below `/api/v1`; return status and JSON."""
        sent = {**(self.bearer(who) if who is not None else {}), **(headers or {})}
        async with self.http.request(method, self.api + path, json=json, headers=sent) as response:
            return response.status, await response.json(content_type=None)


@dataclass
class Seen:
    """An answer as a browser saw it."""

    status: int
    headers: Mapping[str, str]
    set_cookies: list[str]
    text: str

    @property
    def json(self) -> dict[str, object]:
        found = json.loads(self.text)
        assert isinstance(found, dict)
        return found


@dataclass
class Browser:
    """A browser at the control port: it keeps cookies and follows nothing by itself."""

    live: Live
    cookies: dict[str, str] = field(default_factory=dict)

    async def send(
        self, method: str, path: str, *, json: object = None, headers: Mapping[str, str] | None = None
    ) -> Seen:
        """Send a request with the cookies that the gateway has set; `path` is from the root, or a URL."""
        url = path if path.startswith("http") else self.live.url + path
        sent = dict(headers or {})
        if self.cookies and url.startswith(self.live.url):
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with self.live.http.request(method, url, json=json, headers=sent, allow_redirects=False) as response:
            set_cookies = response.headers.getall("Set-Cookie", [])
            if url.startswith(self.live.url):
                self._keep(set_cookies)
            return Seen(response.status, dict(response.headers), set_cookies, await response.text())

    def _keep(self, set_cookies: list[str]) -> None:
        for each in set_cookies:
            name, _, value = each.partition(";")[0].partition("=")
            self.cookies.pop(name, None)
            if value and "Max-Age=0" not in each:
                self.cookies[name] = value

    async def begin(self, to: str = "/") -> str:
        """Begin a sign-in; return the issuer's URL."""
        began = await self.send("GET", f"/auth/login?to={to}")
        assert began.status == 303, began.text
        return began.headers["Location"]

    async def choose(self, url: str, who: str) -> str:
        """Choose who one is at the issuer; return the URL that it sends the browser back to."""
        return (await self.send("GET", f"{url}&person={who}")).headers["Location"]

    async def sign_in(self, who: str, to: str = "/") -> Seen:
        """Sign in; return the gateway's last answer."""
        return await self.send("GET", await self.choose(await self.begin(to), who))

    async def csrf(self) -> str:
        """Return the page's CSRF token."""
        seen = await self.send("GET", "/api/v1/me")
        assert seen.status == 200, seen.text
        return str(seen.json["csrf"])

    async def post(self, path: str, json: object = None) -> Seen:
        """POST as the page does."""
        return await self.send("POST", path, json=json, headers={"X-CSRF-Token": await self.csrf()})


def items(page: dict[str, object], key: str = "items") -> list[dict[str, object]]:
    """Return a page's items."""
    found = page[key]
    assert isinstance(found, list)
    return found


def configuration(issuer: DevIssuer, folder: Path, **more: object) -> dict[str, object]:
    """Return a configuration with one agent, the people and one resource that is never reached."""
    return {
        "state": "sqlite:///state/blastwall.db",
        "recordings": {"to": "state/recordings"},
        "control": {"port": 0, "roles": ROLES, "login": {"issuer": "dev"}},
        "issuers": [{"name": "dev", "issuer": issuer.url, "audience": issuer.audience}],
        "agents": [{"name": "ci", "issuer": "dev", "match": {"repository_id": "123"}, "groups": ["ci"]}],
        "users": [
            {"name": name, "issuer": "dev", "match": {"oid": f"oid-{name}"}, "groups": groups}
            for name, groups in PEOPLE.items()
        ],
        "resources": [
            {
                "name": "shop",
                "kind": "postgres",
                "listen": free_port(),
                "tags": {"env": "prod"},
                "upstream": {"host": "localhost", "port": free_port(), "database": "shop", "tls": "disable"},
                "credential": {"user": "app", "password": {"file": "password"}},
            }
        ],
        "policies": ["policies/*.cedar"],
        **more,
    }


@asynccontextmanager
async def running(folder: Path, **more: object) -> AsyncIterator[Live]:
    """Run a gateway in `folder`; `more` are keys of its configuration."""
    people = {name: {"oid": f"oid-{name}"} for name in PEOPLE} | {"ci": {"repository_id": "123"}, "stranger": {}}
    with DevIssuer(people=people) as issuer:
        authority = CertificateAuthority("gateway")
        ca = authority.write(folder)
        certificate, key = authority.issue().write(folder, "gateway")
        (folder / "policies").mkdir()
        (folder / "policies" / "ci.cedar").write_text(POLICY)
        (folder / "password").write_text("s3cret")
        tls = {"certificate": str(certificate), "key": str(key)}
        written = configuration(issuer, folder, **{"tls": tls, **more})
        (folder / "blastwall.yaml").write_text(yaml.safe_dump(written))
        gateway = await Gateway.start(prepare(folder / "blastwall.yaml"))
        try:
            trust = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(ca)))
            jar = aiohttp.DummyCookieJar()
            async with aiohttp.ClientSession(connector=trust, cookie_jar=jar) as http:
                yield Live(gateway, issuer, http, f"https://localhost:{gateway.control_port}", folder)
        finally:
            await gateway.stop()


async def until(holds: Callable[[], object], seconds: float = SOON) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: it does not in time.
    """
    async with asyncio.timeout(seconds):
        for _ in iter(lambda: bool(holds()), True):
            await asyncio.sleep(0.01)
