"""A small Azure Key Vault on loopback: its challenge, and secrets with their versions; its state is in memory.

It answers as the REST reference of Key Vault documents: "Authentication, requests and responses" (the challenge), "Set
Secret", "Get Secret", "Get Secrets", "Get Secret Versions", "Update Secret", "Delete Secret", "Get Deleted Secret",
"Recover Deleted Secret", "Purge Deleted Secret", "Backup Secret". The single secrets that the gateway's own vault reads
come from `blastwall.testing.azure`.
"""

from __future__ import annotations

import base64
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from blastwall.testing.azure import AzureServer
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.closing import Closing
from blastwall.testing.rest import Answer, Asked, Document, RestServer

RESOURCE = "https://vault.azure.net"
_RECOVERY: Document = {"recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90}

Respond = Callable[[Asked, str, str], Answer]
"""Answers a request about the secret of a name, and the version of another."""


@dataclass(slots=True)
class Version:
    """One version of a secret."""

    value: str = field(repr=False)
    more: Document = field(default_factory=dict)
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    made: int = field(default_factory=lambda: int(time.time()))


class KeyVaultServer(Closing):
    """Serves one vault until it is closed. `page` is how many secrets one page lists."""

    def __init__(self, azure: AzureServer, authority: CertificateAuthority) -> None:
        """Start it beside `azure`, whose tokens it takes."""
        self.secrets: dict[str, list[Version]] = {}
        self.deleted: dict[str, list[Version]] = {}
        self.page = 2
        self._azure = azure
        self._routes: tuple[tuple[str, re.Pattern[str], Respond], ...] = tuple(
            (method, re.compile(path), respond)
            for method, path, respond in (
                ("GET", "/secrets", self._list),
                ("GET", "/deletedsecrets", self._list_deleted),
                ("GET", "/secrets/([^/]+)/versions", self._versions),
                ("POST", "/secrets/([^/]+)/backup", self._backup),
                ("PUT", "/secrets/([^/]+)", self._set),
                ("DELETE", "/secrets/([^/]+)", self._delete),
                ("GET", "/secrets/([^/]+)(?:/([^/]+))?", self._get),
                ("PATCH", "/secrets/([^/]+)/([^/]+)", self._update),
                ("GET", "/deletedsecrets/([^/]+)", self._deleted),
                ("POST", "/deletedsecrets/([^/]+)/recover", self._recover),
                ("DELETE", "/deletedsecrets/([^/]+)", self._purge),
            )
        )
        self._server = RestServer(self, authority)

    @property
    def url(self) -> str:
        """Where it is, without a slash at the end."""
        return self._server.url

    @property
    def port(self) -> int:
        """The port on loopback."""
        return self._server.port

    @property
    def asked(self) -> list[Asked]:
        """Every request, the oldest first."""
        return self._server.asked

    def put(self, name: str, value: str) -> Version:
        """Make a new version of a secret."""
        version = Version(value)
        self.secrets.setdefault(name, []).append(version)
        return version

    def close(self) -> None:
        """Stop serving."""
        self._server.close()

    def respond(self, asked: Asked) -> Answer:
        """Answer a request."""
        refused = self._refused(asked)
        if refused is not None:
            return refused
        path = unquote(asked.path).rstrip("/")
        for method, pattern, respond in self._routes:
            found = pattern.fullmatch(path)
            if found is not None and method == asked.method:
                name, version, *_ = (*found.groups(default=""), "", "")
                return respond(asked, name, version)
        return _failed(404, "NotFound", "There is nothing here.")

    def _refused(self, asked: Asked) -> Answer | None:
        """Ask for a token where none of ours for vaults is shown, and refuse a request without a version."""
        granted = self._azure.made(asked.bearer)
        if granted is None or granted.audience != RESOURCE or granted.ended:
            where = f"https://login.microsoftonline.com/{self._azure.tenant}"
            challenge = f'Bearer authorization="{where}", resource="{RESOURCE}"'
            answer = _failed(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
            return Answer(401, answer.document, {"WWW-Authenticate": challenge})
        if "api-version" not in asked.query:
            return _failed(400, "BadParameter", "api-version must be specified")
        return None

    # ── secrets ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _list(self, asked: Asked, _name: str, _version: str) -> Answer:
        return self._paged(asked, [self._item(name, versions[-1]) for name, versions in sorted(self.secrets.items())])

    def _list_deleted(self, asked: Asked, _name: str, _version: str) -> Answer:
        found = sorted(self.deleted.items())
        return self._paged(asked, [{**self._item(name, each[-1]), **self._gone(name)} for name, each in found])

    def _versions(self, asked: Asked, name: str, _version: str) -> Answer:
        found = self.secrets.get(name, [])
        return self._paged(asked, [self._item(name, version, version.name) for version in found])

    def _paged(self, asked: Asked, found: list[Document]) -> Answer:
        start = int(asked.query.get("$skiptoken", "0"))
        document: Document = {"value": found[start : start + self.page], "nextLink": None}
        if len(found) > start + self.page:
            version = asked.query["api-version"]
            query = f"api-version={version}&$skiptoken={start + self.page}&maxresults={self.page}"
            document["nextLink"] = f"{self.url}{asked.path}?{query}"
        return Answer(200, document)

    def _get(self, asked: Asked, name: str, wanted: str) -> Answer:
        found = [one for one in self.secrets.get(name, []) if wanted in ("", one.name)]
        if not found:
            return _absent(name)
        return Answer(200, self._bundle(name, found[-1]))

    def _set(self, asked: Asked, name: str, _version: str) -> Answer:
        if name in self.deleted:
            return _failed(409, "Conflict", f"Secret {name} is currently in a deleted but recoverable state.")
        given = asked.document
        version = self.put(name, str(given.get("value", "")))
        version.more = {one: given[one] for one in ("tags", "contentType") if one in given}
        return Answer(200, self._bundle(name, version))

    def _update(self, asked: Asked, name: str, wanted: str) -> Answer:
        found = [one for one in self.secrets.get(name, []) if one.name == wanted]
        if not found:
            return _absent(name)
        found[0].more |= {one: asked.document[one] for one in ("tags", "contentType") if one in asked.document}
        return Answer(200, self._item(name, found[0], wanted))

    def _backup(self, asked: Asked, name: str, _version: str) -> Answer:
        if name not in self.secrets:
            return _absent(name)
        packed = base64.urlsafe_b64encode("\n".join(one.value for one in self.secrets[name]).encode()).decode()
        return Answer(200, {"value": packed.rstrip("=")})

    def _delete(self, asked: Asked, name: str, _version: str) -> Answer:
        if name not in self.secrets:
            return _absent(name)
        self.deleted[name] = self.secrets.pop(name)
        return self._deleted(asked, name, "")

    def _deleted(self, asked: Asked, name: str, _version: str) -> Answer:
        if name not in self.deleted:
            return _absent(name)
        version = self.deleted[name][-1]
        return Answer(200, {**self._item(name, version, version.name), **self._gone(name)})

    def _recover(self, asked: Asked, name: str, _version: str) -> Answer:
        if name not in self.deleted:
            return _absent(name)
        self.secrets[name] = self.deleted.pop(name)
        return Answer(200, self._item(name, self.secrets[name][-1]))

    def _purge(self, asked: Asked, name: str, _version: str) -> Answer:
        return Answer(204) if self.deleted.pop(name, None) else _absent(name)

    # ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _item(self, name: str, version: Version, shown: str = "") -> Document:
        identifier = f"{self.url}/secrets/{name}" + (f"/{shown}" if shown else "")
        times = {"created": version.made, "updated": version.made}
        return {"id": identifier, "attributes": {"enabled": True, **times, **_RECOVERY}, **version.more}

    def _bundle(self, name: str, version: Version) -> Document:
        return {"value": version.value, **self._item(name, version, version.name)}

    def _gone(self, name: str) -> Document:
        now = int(time.time())
        recovery = f"{self.url}/deletedsecrets/{name}"
        return {"recoveryId": recovery, "deletedDate": now, "scheduledPurgeDate": now + 90 * 86400}


def _failed(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}})


def _absent(name: str) -> Answer:
    return _failed(404, "SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")
