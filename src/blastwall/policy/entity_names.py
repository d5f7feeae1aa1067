"""Whether an entity that a policy names is one that a request can ever show."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote

from blastwall.config.wording import did_you_mean
from blastwall.model.ids import join, segment
from blastwall.policy.known import Known

_LEVELS = {"Resource": 1, "Database": 2, "Schema": 3, "Container": 3}
_SHAPES = {
    "Resource": "RESOURCE",
    "Database": "RESOURCE/DATABASE",
    "Schema": "RESOURCE/DATABASE/SCHEMA",
    "Container": "RESOURCE/DATABASE/CONTAINER",
    "Object": "RESOURCE/DATABASE/SCHEMA/NAME",
}


def name_problem(entity_type: str, identity: str, known: Known) -> str:
    """Return what is wrong with `entity_type::"identity"`; empty where nothing is.

    Actions and entity types are Cedar's to check.
    """
    if entity_type == "Object" and identity.startswith("/"):
        return _azure_object_problem(identity, known)
    if entity_type in _SHAPES:
        return _path_problem(entity_type, identity, known)
    check = _CHECKS.get(entity_type)
    return check(identity, known) if check else ""


def _absent(what: str, name: str, among: frozenset[str]) -> str:
    return "" if name in among else f"{what} {name!r}{did_you_mean(name, among)}"


def _tenant_problem(identity: str, _known: Known) -> str:
    return f"no resource is known to be in the tenant {identity!r}; name its subscription instead"


def _azure_problem(entity_type: str, words: str) -> Callable[[str, Known], str]:
    def check(identity: str, known: Known) -> str:
        if identity != identity.lower():
            return f"Azure ids are written in lower case here: {entity_type}::{_quote(identity.lower())}"
        if known.control and _AZURE[entity_type].fullmatch(identity):
            return ""
        return _absent(f"no resource is in the {words}", identity, known.azure_scopes(entity_type))

    return check


_AZURE = {
    "Subscription": re.compile(r"/subscriptions/[^/]+"),
    "ResourceGroup": re.compile(r"/subscriptions/[^/]+/resourcegroups/[^/]+"),
    "Object": re.compile(r"/|(?:/[^/]+)+"),
}
"""What ids at the control plane look like. Which there are, only Azure knows."""


def _azure_object_problem(identity: str, known: Known) -> str:
    if identity != identity.lower():
        return f"Azure ids are written in lower case here: Object::{_quote(identity.lower())}"
    if not _AZURE["Object"].fullmatch(identity):
        return f"Object::{_quote(identity)} can never match: an Azure id has no empty segment and no slash at its end"
    if not known.control:
        return f"Object::{_quote(identity)} is an Azure id, and no resource is at the control plane"
    return ""


_CHECKS: Mapping[str, Callable[[str, Known], str]] = {
    "Group": lambda name, known: _absent("no agent or user has the group", name, known.all_groups),
    "Agent": lambda name, known: _absent("no agent is named", name, known.agents),
    "User": lambda name, known: _absent("no user is named", name, known.users),
    "Tenant": _tenant_problem,
    "Subscription": _azure_problem("Subscription", "subscription"),
    "ResourceGroup": _azure_problem("ResourceGroup", "resource group"),
}


def _path_problem(entity_type: str, identity: str, known: Known) -> str:
    segments = identity.split("/")
    level = _LEVELS.get(entity_type)
    if "" in segments or (len(segments) != level if level else len(segments) < 4):
        return f"{entity_type}::{_quote(identity)}: the id of a {entity_type} is {_SHAPES[entity_type]}"
    written = join(_canonical(part, place, len(segments)) for place, part in enumerate(segments))
    if written != identity:
        return f"{entity_type}::{_quote(identity)} can never match; ids are escaped: write {_quote(written)}"
    return _reach_problem([unquote(part) for part in segments[:2]], known)


def _reach_problem(names: list[str], known: Known) -> str:
    resource = known.resources.get(names[0])
    if resource is None:
        return _absent("no resource is named", names[0], frozenset(known.resources))
    if len(names) < 2 or not resource.databases:
        return ""
    return _absent(f"the resource {names[0]!r} has no database", names[1], frozenset(resource.databases))


def _canonical(part: str, place: int, count: int) -> str:
    """Return a segment as `Object.id_below` writes it, with its pseudo-schema's `@` and its function's `()`."""
    prefix = "@" if place == 2 and part.startswith("@") else ""
    suffix = "()" if place == count - 1 == 3 and part.endswith("()") else ""
    name = part[len(prefix) : len(part) - len(suffix)]
    return prefix + segment(unquote(name)) + suffix


def _quote(identity: str) -> str:
    return f'"{identity}"'
