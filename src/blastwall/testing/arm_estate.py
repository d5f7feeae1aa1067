"""What a subscription holds, in memory: resource groups, resources, locks, role assignments.

Shapes are those of the REST reference of Azure Resource Manager: "Resource Groups - List" and "- Get", "Resources -
List" and "- List By Resource Group", "Management Locks", "Role Assignments", "Storage Accounts - List Keys", and of
"Common API error responses" for errors.
"""

from __future__ import annotations

import base64
import re
import secrets
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from blastwall.testing.rest import Answer, Document

SUBSCRIPTION = "5a1d3c5e-0000-4000-8000-00000000000a"
LOCATION = "westeurope"

_GROUP = re.compile(r"/subscriptions/[^/]+/resourcegroups/[^/]+")
_PROVIDED = "/providers/"
_LOCKS = "/providers/microsoft.authorization/locks/"
_TYPE_FILTER = re.compile(r"resourceType eq '([^']+)'", re.IGNORECASE)
_TAG_FILTER = re.compile(r"tagName eq '([^']+)'(?: and tagValue eq '([^']+)')?", re.IGNORECASE)


def failed(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an error as Resource Manager words it."""
    return Answer(status, {"error": {"code": code, "message": message}}, headers or {})


def resource_type(resource: str) -> str:
    """Return the type of a resource by its id, as that is spelled: `Microsoft.Sql/servers/databases`."""
    namespace, *rest = resource[resource.lower().rindex(_PROVIDED) + len(_PROVIDED) :].split("/")
    return "/".join([namespace, *rest[::2]])


@dataclass(slots=True)
class Estate:
    """The subscription's content by lower-case id; each document is what a GET of it returns."""

    subscription: str = SUBSCRIPTION
    documents: dict[str, Document] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    """The two keys of each storage account."""

    def group_id(self, name: str) -> str:
        """Return the id of a resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{name}"

    def add_group(self, name: str, *, location: str = LOCATION, tags: Mapping[str, str] | None = None) -> str:
        """Make a resource group; return its id."""
        identifier = self.group_id(name)
        self.documents[identifier.lower()] = {
            "id": identifier,
            "name": name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": location,
            "tags": dict(tags or {}),
            "properties": {"provisioningState": "Succeeded"},
        }
        return identifier

    def add(self, group: str, kind: str, name: str, **properties: object) -> str:
        """Make a resource of a type such as `Microsoft.Storage/storageAccounts` in a group; return its id."""
        return self.put(f"{self.group_id(group)}/providers/{kind}/{name}", {"properties": properties})

    def put(self, identifier: str, document: Mapping[str, object]) -> str:
        """Make or replace the resource of an id; return the id."""
        kind = resource_type(identifier)
        given = document.get("properties")
        properties = dict(given) if isinstance(given, Mapping) else {}
        if not kind.lower().startswith("microsoft.authorization/"):
            properties["provisioningState"] = "Succeeded"
        kept = {name: value for name, value in document.items() if name in ("tags", "sku", "kind", "identity")}
        self.documents[identifier.lower()] = {
            "id": identifier,
            "name": identifier.rpartition("/")[2],
            "type": kind,
            "location": document.get("location", LOCATION),
            **kept,
            "properties": properties,
        }
        if kind.lower() == "microsoft.storage/storageaccounts":
            self.keys[identifier.lower()] = [_key(), _key()]
        return identifier

    def lock(self, scope: str, name: str, level: str = "CanNotDelete") -> str:
        """Lock a group or a resource; `level` is CanNotDelete or ReadOnly."""
        return self.put(f"{scope}{_LOCKS}{name}", {"properties": {"level": level, "notes": "kept"}})

    def assign(self, scope: str, principal: str, role: str) -> str:
        """Give a principal a role at a scope; return the assignment's id."""
        document = {"principalId": principal, "roleDefinitionId": role, "scope": scope, "principalType": "User"}
        return self.put(
            f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}", {"properties": document}
        )

    def groups(self) -> list[Document]:
        """Return every resource group, by name."""
        return [self.documents[found] for found in sorted(self.documents) if _GROUP.fullmatch(found)]

    def resources(self, scope: str, wanted: str = "") -> list[Document]:
        """Return the resources below a scope, as lists show them: without properties. `wanted` is a `$filter`.

        Locks, role assignments and deployments are no resources to these lists.
        """
        below = [found for found in self._below(scope) if not _unlisted(found)]
        return [_brief(self.documents[found]) for found in below if _passes(self.documents[found], wanted)]

    def collection(self, path: str) -> list[Document]:
        """Return what a collection such as `…/providers/Microsoft.Compute/virtualMachines` holds, below its scope."""
        scope, _, kind = path.lower().rpartition(_PROVIDED)
        found = (one for one in self._below(scope) if _PROVIDED in one)
        return [self.documents[one] for one in found if resource_type(one) == kind]

    def locked(self, identifier: str) -> Document | None:
        """Return a lock that forbids to delete what has this id: its own, of what it is in, or of what is in it."""
        wanted = identifier.lower()
        for found, document in self.documents.items():
            scope, _, _ = found.partition(_LOCKS)
            if _LOCKS in found and (f"{wanted}/".startswith(f"{scope}/") or f"{scope}/".startswith(f"{wanted}/")):
                return document
        return None

    def delete(self, identifier: str) -> None:
        """Delete what has this id and all that is below it."""
        for found in (identifier.lower(), *self._below(identifier)):
            self.documents.pop(found, None)
            self.keys.pop(found, None)

    def missing_group(self, path: str) -> Answer | None:
        """Return the error where a path names a resource group that there is not."""
        found = _GROUP.match(path.lower())
        if found is None or found[0] in self.documents:
            return None
        name = path.split("/")[4]
        return failed(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")

    def _below(self, scope: str) -> list[str]:
        return sorted(found for found in self.documents if found.startswith(f"{scope.lower()}/"))


def template_resources(template: Mapping[str, object], parameters: Mapping[str, object]) -> Iterator[Document]:
    """Return what a deployment's template makes, nested templates included; only `parameters('…')` is evaluated.

    Raises:
        ValueError: it has another expression, or links to a template elsewhere.
    """
    listed = template.get("resources")
    entries = listed.values() if isinstance(listed, Mapping) else listed if isinstance(listed, list) else []
    for entry in entries:
        if str(entry["type"]).lower() != "microsoft.resources/deployments":
            yield {**entry, "name": _evaluated(str(entry["name"]), parameters)}
            continue
        nested = entry["properties"]
        if "template" not in nested:
            raise ValueError("Unable to download deployment content from the templateLink")
        yield from template_resources(nested["template"], nested.get("parameters") or parameters)


def _evaluated(text: str, parameters: Mapping[str, object]) -> str:
    if not text.startswith("[") or text.startswith("[["):
        return text
    found = re.fullmatch(r"\[parameters\('([^']+)'\)\]", text)
    given = parameters.get(found[1]) if found else None
    if not isinstance(given, Mapping):
        raise ValueError(f"Deployment template language expression evaluation failed: '{text}'")
    return str(given["value"])


def _brief(document: Document) -> Document:
    return {name: value for name, value in document.items() if name != "properties"}


def _unlisted(identifier: str) -> bool:
    kind = resource_type(identifier) if _PROVIDED in identifier else "microsoft.authorization/"
    return kind.startswith("microsoft.authorization/") or kind == "microsoft.resources/deployments"


def _passes(document: Document, wanted: str) -> bool:
    kind, tag = _TYPE_FILTER.search(wanted), _TAG_FILTER.search(wanted)
    if kind is not None and kind[1].lower() != str(document["type"]).lower():
        return False
    if tag is None:
        return True
    tags = document.get("tags")
    found = tags.get(tag[1]) if isinstance(tags, Mapping) else None
    return found is not None and tag[2] in (None, found)


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(64)).decode()
