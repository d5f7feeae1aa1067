"""A small Azure Resource Manager on loopback, for az, the SDKs and curl; its state is in memory.

It answers as the REST reference documents: "Tenants - List", "Subscriptions - List", "Resource Groups", "Resources",
"Deployments" (validate, create or update, operations), "Management Locks", "Role Assignments", "Storage Accounts -
List Keys", "Virtual Machines - Run Command"; further "Track asynchronous Azure operations" (202, `Location`,
`Azure-AsyncOperation`, `Retry-After`), "Throttling Resource Manager requests" (429) and "Claims challenges" of Entra's
continuous access evaluation. `POST /batch` is what the portal and the SDKs of some services send.

A request must bear a token that the small Entra beside it (`blastwall.testing.azure`) has made for Resource Manager.
"""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote

from blastwall.testing.arm_estate import SUBSCRIPTION, Estate, failed, resource_type
from blastwall.testing.arm_work import Operation, Work, deployed, deployment_operations, not_started, now
from blastwall.testing.azure import AzureServer
from blastwall.testing.certificates import CertificateAuthority
from blastwall.testing.closing import Closing
from blastwall.testing.rest import Answer, Asked, Document, RestServer

AUDIENCES = frozenset(
    {
        "https://management.azure.com",
        "https://management.azure.com/",
        "https://management.core.windows.net",
        "https://management.core.windows.net/",
    }
)
OUTPUT = "Enable succeeded: \n[stdout]\nroot\n[stderr]\n"
"""What a script that runs on a virtual machine has printed."""

_RETRY = "1"
_CLAIMS = base64.b64encode(b'{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}').decode()
_SUB = r"/subscriptions/[^/]+"
_GROUP = rf"{_SUB}/resourcegroups/[^/]+"
_DEPLOYMENT = r".*/providers/microsoft\.resources/deployments/[^/]+"

Respond = Callable[[Asked], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a method and a path; the path's letters count in neither case, as everywhere in Azure."""

    methods: frozenset[str]
    path: re.Pattern[str]
    respond: Respond


class ArmServer(Closing):
    """Serves a subscription until it is closed. `estate` is what it holds.

    `page` is how many resource groups one page lists. `links` is the authority that its answers lead to; to test what
    is done about a link to elsewhere, set it.
    """

    def __init__(self, azure: AzureServer, authority: CertificateAuthority) -> None:
        """Start it beside `azure`, whose tokens it takes."""
        self.estate = Estate()
        self.work = Work()
        self.page = 2
        self._azure = azure
        self._throttled = (0, 0.0)
        self._since = 0.0
        self._routes = self._table()
        self._server = RestServer(self, authority)
        self.links = self._server.url

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

    def throttle(self, times: int, retry_after: float) -> None:
        """Answer 429 the next `times`, asking for a pause of so many seconds."""
        self._throttled = (times, retry_after)

    def demand_claims(self) -> None:
        """Take no token that was made before now: something changed for its owner."""
        self._since = time.time()

    def close(self) -> None:
        """Stop serving."""
        self._server.close()

    # ── what every request meets ─────────────────────────────────────────────────────────────────────────────────────

    def respond(self, asked: Asked) -> Answer:
        """Answer a request."""
        self.work.settle()
        times, pause = self._throttled
        if times:
            self._throttled = (times - 1, pause)
            return failed(429, "TooManyRequests", "The request is being throttled.", {"Retry-After": f"{pause:g}"})
        answer = self._open(asked) or self._refused(asked) or self._routed(asked)
        headers = {"x-ms-request-id": str(uuid.uuid4()), "Cache-Control": "no-cache", **answer.headers}
        if asked.method == "HEAD":
            return Answer(204 if answer.status == 200 else answer.status, None, headers)
        return Answer(answer.status, answer.document, headers, answer.body)

    def _open(self, asked: Asked) -> Answer | None:
        """Answer what needs no token."""
        if asked.path != "/metadata/endpoints":
            return None
        return Answer(
            200,
            {
                "name": "Loopback",
                "portal": self.url,
                "resourceManager": self.url,
                "authentication": {
                    "loginEndpoint": self._azure.url,
                    "audiences": sorted(AUDIENCES),
                    "tenant": "common",
                    "identityProvider": "AAD",
                },
                "suffixes": {"keyVaultDns": "vault.azure.net", "storage": "core.windows.net"},
                "graph": "https://graph.windows.net/",
                "microsoftGraphResourceId": "https://graph.microsoft.com/",
            },
        )

    def _refused(self, asked: Asked) -> Answer | None:
        """Refuse a token that is not one of ours for here, and a request without a version."""
        granted = self._azure.made(asked.bearer)
        where = f'Bearer authorization_uri="https://login.microsoftonline.com/{self._azure.tenant}"'
        if granted is None or granted.audience not in AUDIENCES or granted.ended:
            said = 'error="invalid_token", error_description="The access token is invalid."'
            headers = {"WWW-Authenticate": f"{where}, {said}"}
            return failed(401, "InvalidAuthenticationToken", "The access token is invalid.", headers)
        if granted.made < self._since:
            headers = {"WWW-Authenticate": f'{where}, error="insufficient_claims", claims="{_CLAIMS}"'}
            return failed(401, "InvalidAuthenticationToken", "Continuous access evaluation: ask anew.", headers)
        if "api-version" not in asked.query and not asked.path.startswith("/$"):
            return failed(
                400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required."
            )
        return None

    def _routed(self, asked: Asked) -> Answer:
        path = unquote(asked.path).rstrip("/").lower()
        known = [route for route in self._routes if route.path.fullmatch(path)]
        fitting = next((route for route in known if asked.method.replace("HEAD", "GET") in route.methods), None)
        if fitting is not None:
            return self.estate.missing_group(path) or fitting.respond(asked)
        if known:
            return failed(405, "MethodNotAllowed", f"The method {asked.method} is not allowed.")
        return failed(404, "NotFound", "The requested resource does not exist.")

    def _table(self) -> tuple[Route, ...]:
        def route(methods: str, path: str, respond: Respond) -> Route:
            return Route(frozenset(methods.split()), re.compile(path), respond)

        return (
            route("GET", "/tenants", self._tenants),
            route("GET", "/subscriptions", self._subscriptions),
            route("GET", _SUB, lambda _: Answer(200, self._subscription())),
            route("GET", rf"{_SUB}/operationresults/[^/]+", self._result),
            route("GET", r".*/operationstatuses/[^/]+", self._status),
            route("POST", "/batch", self._batch),
            route("GET", rf"{_SUB}/resourcegroups", self._groups),
            route("GET", rf"({_SUB}|{_GROUP})/resources", self._resources),
            route("PUT PATCH", _GROUP, self._put_group),
            route("POST", rf"{_DEPLOYMENT}/validate", self._validate),
            route("GET", rf"({_DEPLOYMENT}|{_GROUP}/deployments/[^/]+)/operations", self._deployment_operations),
            route("PUT", _DEPLOYMENT, self._deploy),
            route("GET", r".*/providers/[^/]+/[^/]+(/[^/]+/[^/]+)*", self._collection),
            route("GET", rf"{_GROUP}|.*/providers/[^/]+(/[^/]+/[^/]+)+", self._get),
            route("DELETE", rf"{_GROUP}|.*/providers/[^/]+(/[^/]+/[^/]+)+", self._delete),
            route("PUT PATCH", r".*/providers/[^/]+(/[^/]+/[^/]+)+", self._put),
            route("POST", r".*/providers/[^/]+(/[^/]+/[^/]+)+/[^/]+", self._act),
        )

    # ── tenants, subscriptions, groups, resources ────────────────────────────────────────────────────────────────────

    def _tenants(self, _: Asked) -> Answer:
        tenant = self._azure.tenant
        found = {"id": f"/tenants/{tenant}", "tenantId": tenant, "displayName": "Contoso", "tenantCategory": "Home"}
        return Answer(200, {"value": [found]})

    def _subscriptions(self, _: Asked) -> Answer:
        return Answer(200, {"value": [self._subscription()], "count": {"type": "Total", "value": 1}})

    def _subscription(self) -> Document:
        return {
            "id": f"/subscriptions/{SUBSCRIPTION}",
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
            "subscriptionId": SUBSCRIPTION,
            "tenantId": self._azure.tenant,
            "displayName": "Shop",
            "state": "Enabled",
            "subscriptionPolicies": {"locationPlacementId": "Public_2014-09-01", "spendingLimit": "Off"},
        }

    def _groups(self, asked: Asked) -> Answer:
        return self._paged(asked, self.estate.groups())

    def _resources(self, asked: Asked) -> Answer:
        scope = unquote(asked.path).rstrip("/").removesuffix("/resources")
        return self._paged(asked, self.estate.resources(scope, asked.query.get("$filter", "")))

    def _collection(self, asked: Asked) -> Answer:
        return self._paged(asked, self.estate.collection(unquote(asked.path).rstrip("/")))

    def _paged(self, asked: Asked, found: list[Document]) -> Answer:
        start = int(asked.query.get("$skiptoken", "0"))
        document: Document = {"value": found[start : start + self.page]}
        if len(found) > start + self.page:
            kept = [(name, value) for name, value in parse_qsl(asked.target.partition("?")[2]) if name != "$skiptoken"]
            query = "&".join(f"{quote(name)}={quote(value)}" for name, value in kept)
            document["nextLink"] = f"{self.links}{asked.path}?{query}&%24skiptoken={start + self.page}"
        return Answer(200, document)

    def _put_group(self, asked: Asked) -> Answer:
        given = asked.document
        tags = given.get("tags")
        name = unquote(asked.path).rstrip("/").rpartition("/")[2]
        there = self.estate.documents.get(self.estate.group_id(name).lower())
        identifier = self.estate.add_group(
            name, location=str(given.get("location", "westeurope")), tags=tags if isinstance(tags, dict) else {}
        )
        return Answer(200 if there else 201, self.estate.documents[identifier.lower()])

    def _get(self, asked: Asked) -> Answer:
        identifier = unquote(asked.path).rstrip("/")
        found = self.estate.documents.get(identifier.lower())
        return Answer(200, found) if found is not None else _missing(identifier)

    def _put(self, asked: Asked) -> Answer:
        identifier = unquote(asked.path).rstrip("/")
        there = identifier.lower() in self.estate.documents
        self.estate.put(identifier, asked.document)
        return Answer(200 if there else 201, self.estate.documents[identifier.lower()])

    def _delete(self, asked: Asked) -> Answer:
        identifier = unquote(asked.path).rstrip("/")
        document = self.estate.documents.get(identifier.lower())
        if document is None:
            return Answer(204) if "/providers/" in identifier else _missing(identifier)
        locked = None if "microsoft.authorization/" in identifier.lower() else self.estate.locked(identifier)
        if locked is not None:
            return failed(409, "ScopeLocked", f"The scope '{identifier}' is locked by '{locked['name']}'.")
        if "/microsoft.authorization/" in identifier.lower():
            self.estate.delete(identifier)
            return Answer(200, document)
        properties = document["properties"]
        if isinstance(properties, dict):
            properties["provisioningState"] = "Deleting"
        operation = self.work.start(lambda: self.estate.delete(identifier), Answer(200))
        return self._accepted(operation, status="/providers/" in identifier)

    # ── actions ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _act(self, asked: Asked) -> Answer:
        identifier, _, action = unquote(asked.path).rstrip("/").rpartition("/")
        if identifier.lower() not in self.estate.documents:
            return _missing(identifier)
        operation = f"{resource_type(identifier)}/{action}".lower()
        if operation == "microsoft.storage/storageaccounts/listkeys":
            return Answer(200, self._keys(identifier))
        if operation == "microsoft.compute/virtualmachines/runcommand":
            said = {"code": "ProvisioningState/succeeded", "level": "Info", "message": OUTPUT}
            started = self.work.start(lambda: None, Answer(200, {"value": [said]}))
            return self._accepted(started, status=True)
        if operation.startswith("microsoft.compute/virtualmachines/"):
            return self._accepted(self.work.start(lambda: None, Answer(200)), status=True)
        return failed(404, "InvalidResourceType", f"The action '{action}' is not known here.")

    def _keys(self, identifier: str) -> Document:
        return {
            "keys": [
                {"creationTime": now(), "keyName": f"key{number}", "value": value, "permissions": "FULL"}
                for number, value in enumerate(self.estate.keys[identifier.lower()], 1)
            ]
        }

    def _batch(self, asked: Asked) -> Answer:
        """Answer each of the requests in `requests`, with its status, as the portal's batches do."""
        requests = asked.document.get("requests")
        answers = []
        for one in requests if isinstance(requests, list) else []:
            target = "/" + str(one["url"]).split("://")[-1].partition("/")[2]
            path, _, query = target.partition("?")
            body = json.dumps(one.get("content", {})).encode()
            inner = Asked(one["httpMethod"], target, path, dict(parse_qsl(query)), asked.headers, body)
            answer = self.respond(inner)
            answers.append({"httpStatusCode": answer.status, "headers": {}, "content": answer.document})
        return Answer(200, {"responses": answers})

    # ── deployments ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _validate(self, asked: Asked) -> Answer:
        identifier = unquote(asked.path).rpartition("/")[0]
        try:
            _, document = deployed(identifier, asked.document)
        except ValueError as error:
            return not_started(error)
        return Answer(200, document | {"properties": _succeeded(document)})

    def _deploy(self, asked: Asked) -> Answer:
        identifier = unquote(asked.path).rstrip("/")
        try:
            made, document = deployed(identifier, asked.document)
        except ValueError as error:
            return not_started(error)
        self.estate.documents[identifier.lower()] = document

        def finish() -> None:
            for one in made:
                self.estate.put(str(one["id"]), one)
            self.estate.documents[identifier.lower()] = document | {"properties": _succeeded(document)}

        operation = self.work.start(finish, Answer(200))
        where = f"{self.links}{asked.path.rstrip('/')}/operationStatuses/{operation.name}?api-version=2022-09-01"
        return Answer(201, document, {"Azure-AsyncOperation": where, "Retry-After": _RETRY})

    def _deployment_operations(self, asked: Asked) -> Answer:
        group, _, name = unquote(asked.path).rpartition("/")[0].rpartition("/deployments/")
        group = group.lower().removesuffix("/providers/microsoft.resources")
        identifier = f"{group}/providers/Microsoft.Resources/deployments/{name}"
        found = self.estate.documents.get(identifier.lower())
        return Answer(200, {"value": deployment_operations(found)}) if found else _missing(identifier)

    # ── work in progress ─────────────────────────────────────────────────────────────────────────────────────────────

    def _accepted(self, operation: Operation, *, status: bool) -> Answer:
        """Say where an operation's result will be, and with `status` where its state is."""
        base = f"{self.links}/subscriptions/{SUBSCRIPTION}"
        headers = {
            "Location": f"{base}/operationresults/{operation.name}?api-version=2021-04-01",
            "Retry-After": _RETRY,
        }
        if status:
            place = f"{base}/providers/Microsoft.Compute/locations/westeurope/operationStatuses/{operation.name}"
            headers["Azure-AsyncOperation"] = f"{place}?api-version=2021-04-01"
        return Answer(202, None, headers)

    def _result(self, asked: Asked) -> Answer:
        operation = self.work.operations.get(asked.path.rpartition("/")[2])
        if operation is None:
            return failed(404, "NotFound", "There is no such operation.")
        return operation.result if operation.finished else self._accepted(operation, status=False)

    def _status(self, asked: Asked) -> Answer:
        operation = self.work.operations.get(asked.path.rpartition("/")[2])
        if operation is None:
            return failed(404, "NotFound", "There is no such operation.")
        return Answer(200, operation.status, {} if operation.finished else {"Retry-After": _RETRY})


def _succeeded(deployment: Mapping[str, object]) -> Document:
    properties = deployment["properties"]
    return {**properties, "provisioningState": "Succeeded"} if isinstance(properties, dict) else {}


def _missing(identifier: str) -> Answer:
    return failed(404, "ResourceNotFound", f"The Resource '{identifier.rpartition('/providers/')[2]}' was not found.")
