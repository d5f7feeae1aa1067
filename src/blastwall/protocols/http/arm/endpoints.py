"""`/metadata/endpoints`: what clients read before they log in, so that all they do after leads through the gateway.

The Azure CLI and the SDKs ask with `api-version=2022-09-01` or a later one, and get one object; Terraform and
`ARM_CLOUD_METADATA_URL` of the CLI take the same document as an only element of a list where they ask so
(api-version 2019-05-01 and later up to 2022-09-01). The form of 2015-01-01 is an object with other names.
"""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

from blastwall.model.resource import Resource
from blastwall.protocols.http.arm.settings import settings_of
from blastwall.protocols.http.flavour import Response
from blastwall.protocols.http.request import Headers, Request

PATH = "/metadata/endpoints"
AUDIENCES = ("https://management.core.windows.net/", "https://management.azure.com/")
"""For whom clients ask tokens; the gateway gives its own whatever they ask for."""

_OBJECT_SINCE = "2022-09-01"
_OLDEST_LIST = "2018"


def endpoints(request: Request, resource: Resource) -> Response | None:
    """Return the document if it is asked for."""
    if request.method not in {"GET", "HEAD"} or request.path.rstrip("/").lower() != PATH:
        return None
    asked = {name.lower(): value for name, value in parse_qsl(request.query or "")}
    version = asked.get("api-version", _OBJECT_SINCE)
    settings = settings_of(resource)
    login = settings.login or resource.sign_in or request.origin
    if version < _OLDEST_LIST:
        return _answer(_oldest(request, login))
    whole = {
        "name": resource.name,
        "portal": request.origin,
        "resourceManager": request.origin,
        "authentication": {
            "loginEndpoint": login,
            "audiences": list(AUDIENCES),
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {
            "keyVaultDns": settings.keyvault,
            "storage": settings.storage,
            "sqlServerHostname": "database.windows.net",
            "acrLoginServer": "azurecr.io",
            "mysqlServerEndpoint": "mysql.database.azure.com",
            "postgresqlServerEndpoint": "postgres.database.azure.com",
        },
        "graph": "https://graph.windows.net/",
        "graphAudience": "https://graph.windows.net/",
        "microsoftGraphResourceId": "https://graph.microsoft.com/",
        "activeDirectoryDataLake": "https://datalake.azure.net/",
        "batch": "https://batch.core.windows.net/",
        "media": "https://rest.media.azure.net",
        "vmImageAliasDoc": "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/main/arm-compute/"
        "quickstart-templates/aliases.json",
    }
    return _answer(whole if version >= _OBJECT_SINCE else [whole])


def _oldest(request: Request, login: str) -> dict[str, object]:
    return {
        "galleryEndpoint": request.origin,
        "graphEndpoint": "https://graph.windows.net/",
        "portalEndpoint": request.origin,
        "authentication": {"loginEndpoint": f"{login}/", "audiences": list(AUDIENCES)},
    }


def _answer(document: object) -> Response:
    fields = [("Content-Type", "application/json; charset=utf-8"), ("Cache-Control", "no-store")]
    return Response(200, Headers(fields), json.dumps(document).encode())
