"""What a deployment would do: each resource of its template, in whatever form ARM takes templates.

Azure documents them as "Understand the structure and syntax of ARM templates", "Linked and nested templates",
"Deployment modes", "Copy loops" and "Symbolic names". A resource with a `condition` counts as deployed. What is linked
(a template, parameters, a template spec) is not in the request, so it cannot be judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from blastwall.model.azure import SUBSCRIPTION, places
from blastwall.model.effects import Action
from blastwall.protocols.http.arm.documents import Json
from blastwall.protocols.http.arm.effects import Found, identity
from blastwall.protocols.http.arm.evaluation import (
    ENOUGH,
    FRESH,
    UNKNOWN,
    Budget,
    Scope,
    Unknown,
    Value,
    evaluated,
    literal,
    resource_id,
)
from blastwall.protocols.http.arm.expressions import is_expression
from blastwall.protocols.http.arm.paths import Unplaced, checked, folded
from blastwall.protocols.http.arm.properties import consequences
from blastwall.protocols.http.arm.uses import uses

DEPLOYMENTS = "microsoft.resources/deployments"
STACKS = "microsoft.resources/deploymentstacks"
_DEEPEST = 8
_MOST_TURNS = 800
"""Turns of one copy loop ("Template limits")."""

_KNOWN = frozenset(
    {
        "template", "templatelink", "parameters", "parameterslink", "mode", "debugsetting", "onerrordeployment",
        "expressionevaluationoptions", "validationlevel", "whatifsettings", "provisioningstate", "description",
        "actiononunmanage", "denysettings", "deploymentscope", "bypassstackoutofsyncerror", "tags",
    }
)  # fmt: skip
_LINKS = {
    "templatelink": "the template is linked and not in the request",
    "parameterslink": "the parameters are linked and not in the request",
    "onerrordeployment": "another deployment would be done if this one fails",
}
_OF_TENANT = frozenset({"microsoft.management/managementgroups", "microsoft.subscription/aliases"})


@dataclass(frozen=True)
class Deployment:
    """One deployment: where its resources go, in which scope its expressions are, and whether it only checks."""

    found: Found
    scope: Scope
    place: str
    checks: bool
    depth: int = 0

    def unclear(self, why: str) -> None:
        self.found.unclear(why, self.place)


def deployment(found: Found, place: str, name: str, properties: Json, *, checks: bool) -> None:
    """Note what a deployment named `name` to the scope `place` would do.

    With `checks` it is only validated or foreseen: what it would write is read. That nothing is written then, Azure
    promises; expressions are evaluated all the same.

    Raises:
        TooMuch: evaluating it takes too long.
    """
    whole = Deployment(found, Scope(place, name, Budget()), place, checks)
    if not isinstance(properties, dict):
        whole.unclear("the deployment has no properties")
        return
    if "deploymentscope" in properties:
        whole = _elsewhere(whole, properties["deploymentscope"])
    _parameters_given(whole, properties.get("parameters"))
    given = _given(properties.get("parameters"), None)
    _deploy(replace(whole, scope=replace(whole.scope, place=whole.place)), properties, given)


def _deploy(whole: Deployment, properties: Mapping[str, Json], given: Mapping[str, Value] | None) -> None:
    """Note what a deployment does. `given` are its parameters; None where expressions are the outer template's."""
    for name, why in _LINKS.items():
        if properties.get(name) is not None:
            whole.unclear(why)
    strange = sorted(name for name in properties if name not in _KNOWN)
    if strange:
        whole.unclear("the deployment has properties that are not known here")
    _mode(whole, properties)
    template = properties.get("template")
    if not isinstance(template, dict):
        if properties.get("templatelink") is None:
            whole.unclear("the deployment has no template")
        return
    scope = whole.scope
    if given is not None:
        declared = _object(template.get("parameters"))
        scope = replace(scope, given=given, declared=declared, variables=_object(template.get("variables")), loop={})
    _template(replace(whole, scope=scope), template)


def _mode(whole: Deployment, properties: Mapping[str, Json]) -> None:
    """Note what is done to what the template does not name."""
    mode = properties.get("mode")
    said = evaluated(mode, whole.scope)
    if isinstance(said, str) and said.lower() == "complete":
        whole.found.add((Action.READ if whole.checks else Action.DROP,), whole.place)
    elif said is not None and not (isinstance(said, str) and said.lower() == "incremental"):
        whole.unclear("the deployment's mode cannot be told")
    unmanaged = _object(properties.get("actiononunmanage"))
    if any(not (isinstance(each, str) and each.lower() == "detach") for each in unmanaged.values()):
        whole.found.add((Action.READ if whole.checks else Action.DROP,), whole.place)
    denied = _object(properties.get("denysettings")).get("mode")
    if denied is not None and not (isinstance(denied, str) and denied.lower() == "none"):
        whole.found.add((Action.READ if whole.checks else Action.ADMIN,), whole.place)
    detail = _object(properties.get("debugsetting")).get("detaillevel")
    if detail is not None and not (isinstance(detail, str) and detail.lower() == "none"):
        whole.found.add((Action.REVEAL,), whole.place)


def _elsewhere(whole: Deployment, where: Json) -> Deployment:
    """Return a stack's deployment to the scope that it names."""
    if where is None:
        return whole
    try:
        return replace(whole, place=identity(where)) if isinstance(where, str) else whole
    except Unplaced as unplaced:
        whole.unclear(str(unplaced))
        return whole


# ── parameters ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _parameters_given(whole: Deployment, parameters: Json) -> None:
    """Note which vaults' secrets parameters are taken from: whatever is made of them then holds them."""
    for value in _object(parameters).values():
        reference = _object(_object(value).get("reference"))
        if not reference:
            continue
        vault = evaluated(_object(reference.get("keyvault")).get("id"), whole.scope)
        name = evaluated(reference.get("secretname"), whole.scope)
        if not isinstance(vault, str) or not isinstance(name, str):
            whole.unclear("a parameter refers to a secret that cannot be told")
            continue
        try:
            whole.found.add((Action.REVEAL,), identity(f"{vault}/secrets/{name}"))
        except Unplaced as unplaced:
            whole.unclear(str(unplaced))


def _given(parameters: Json, scope: Scope | None) -> Mapping[str, Value]:
    """Return parameters' values: as they are, or evaluated in the scope around a nested template."""
    found: dict[str, Value] = {}
    for name, given in _object(parameters).items():
        value = _object(given).get("value", UNKNOWN) if isinstance(given, dict) else UNKNOWN
        found[name] = UNKNOWN if isinstance(value, Unknown) else evaluated(value, scope) if scope else literal(value)
    return found


# ── resources ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _template(whole: Deployment, template: Mapping[str, Json]) -> None:
    if whole.depth > _DEEPEST:
        whole.unclear("templates are nested too deeply")
        return
    made = _Made()
    for symbol, resource in _entries(template.get("resources")):
        _resource(whole, resource, symbol, None, made)
    for scope, value in made.used:
        uses(whole.found, scope, whole.place, value, made.ids)
    around = {name: value for name, value in template.items() if name != "resources"}
    uses(whole.found, whole.scope, whole.place, around, made.ids)


def _entries(resources: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(resources, dict):
        yield from resources.items()
    elif isinstance(resources, list):
        yield from (("", each) for each in resources)
    elif resources is not None:
        yield "", resources


@dataclass(frozen=True, slots=True)
class _Made:
    """What a template deploys, by symbol or name, and what is to be looked through when all of that is known."""

    ids: dict[str, str] = field(default_factory=dict)
    used: list[tuple[Scope, Json]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Parent:
    """The resource around a nested one."""

    kind: str
    id: str


def _resource(whole: Deployment, resource: Json, symbol: str, parent: _Parent | None, made: _Made) -> None:
    """Note what one entry of `resources` does, in each turn of its loop."""
    if not isinstance(resource, dict):
        whole.unclear("a resource of the template is no object")
        return
    if any(resource.get(name) is not None for name in ("import", "extension", "provider")):
        whole.unclear("a resource of the template belongs to an extension that is not Resource Manager's")
        return
    for scope in _turns(whole, resource.get("copy")):
        if whole.found.full:
            return
        try:
            _turn(replace(whole, scope=scope), resource, symbol, parent, made)
        except Unplaced as unplaced:
            whole.unclear(str(unplaced))


def _turns(whole: Deployment, copy: Json) -> Iterator[Scope]:
    """Yield the scope of each turn of a copy loop; without one, the scope."""
    if copy is None:
        yield whole.scope
        return
    loop = _object(copy)
    count = evaluated(loop.get("count"), whole.scope)
    name = loop.get("name")
    if not isinstance(count, int) or not 0 <= count <= _MOST_TURNS or not isinstance(name, str):
        whole.unclear("how often a resource is copied cannot be told")
        return
    for index in range(count):
        yield whole.scope.inside(name, index)


def _turn(whole: Deployment, resource: Mapping[str, Json], symbol: str, parent: _Parent | None, made: _Made) -> None:
    """Note what one resource does.

    Raises:
        Unplaced: where it stands cannot be told.
    """
    kind, target = _place(whole, resource, parent)
    made.ids[symbol or target.rsplit("/", 1)[-1]] = target
    existing = resource.get("existing")
    if existing not in (None, False, True):
        raise Unplaced("whether a resource of the template exists already cannot be told")
    if existing:
        whole.found.asked("GET", target)
        return
    nested = kind == DEPLOYMENTS
    whole.found.asked("GET" if whole.checks else "PUT", target)
    if nested:
        _nested(whole, resource, made)
    elif kind == STACKS:
        whole.unclear("a deployment stack in a template is not looked into")
    elif not whole.checks:
        body = {name: value for name, value in resource.items() if name != "resources"}
        consequences(whole.found, target, body, lambda text: _as_text(evaluated(text, whole.scope)))
    ignored = {"resources", "properties"} if nested else {"resources"}
    made.used.append((whole.scope, {name: each for name, each in resource.items() if name not in ignored}))
    for below, child in _entries(resource.get("resources")):
        _resource(whole, child, below, _Parent(kind, target), made)


def _as_text(value: Value) -> str | None:
    return value if isinstance(value, str) and FRESH not in value else None


def _nested(whole: Deployment, resource: Mapping[str, Json], made: _Made) -> None:
    """Note what a nested deployment does.

    Raises:
        Unplaced: where it deploys to cannot be told.
    """
    properties = _object(resource.get("properties"))
    inner = replace(whole, place=_target_scope(whole, resource), depth=whole.depth + 1)
    chosen = _object(properties.get("expressionevaluationoptions")).get("scope")
    outer = chosen is None or (isinstance(chosen, str) and chosen.lower() in {"outer", "notspecified"})
    if not outer and not (isinstance(chosen, str) and chosen.lower() == "inner"):
        raise Unplaced("in which scope a nested template is evaluated cannot be told")
    _parameters_given(whole, properties.get("parameters"))
    made.used.append((whole.scope, {name: each for name, each in properties.items() if name != "template"}))
    if outer:
        _deploy(inner, properties, None)
        return
    name = evaluated(resource.get("name"), whole.scope)
    own = Scope(inner.place, name if isinstance(name, str) else "", whole.scope.budget)
    _deploy(replace(inner, scope=own), properties, _given(properties.get("parameters"), whole.scope))


# ── where a resource stands ──────────────────────────────────────────────────────────────────────────────────────────


def _place(whole: Deployment, resource: Mapping[str, Json], parent: _Parent | None) -> tuple[str, str]:
    """Return a resource's type, in lower case, and its id; the id of its type in its scope where its name is fresh.

    Raises:
        Unplaced: it cannot be told.
    """
    kind = resource.get("type")
    if not isinstance(kind, str) or is_expression(kind):
        raise Unplaced("the type of a resource in the template cannot be told")
    types = [checked(each) for each in kind.split("/")]
    name = evaluated(resource.get("name"), whole.scope)
    if not isinstance(name, str):
        raise Unplaced("the name of a resource in the template is made of what only Azure can evaluate")
    if parent is not None and "." not in types[0]:
        return "/".join([parent.kind, *types]), _settled(parent.id, types, name)
    if parent is not None:
        raise Unplaced("a nested resource of the template has a type of its own provider")
    scope = _scope_of(whole, resource, "/".join(types))
    if types[:2] == ["microsoft.resources", "resourcegroups"] and len(types) == 2:
        if places(scope)[0].kind != SUBSCRIPTION:
            raise Unplaced("a resource group of the template is in no subscription")
        return "/".join(types), _settled(scope, ["resourcegroups"], name)
    if len(types) < 2:
        raise Unplaced("the type of a resource in the template has no provider")
    return "/".join(types), _settled(f"{scope.rstrip('/')}/providers/{types[0]}", types[1:], name)


def _settled(base: str, types: Sequence[str], name: str) -> str:
    """Return the id of types with their names below `base`.

    A fresh name is no other's: the id is then that of the collection, which stands for what is new in it.

    Raises:
        Unplaced: names and types do not fit, or a name is not known well enough.
    """
    names = name.split("/")
    if len(names) != len(types):
        raise Unplaced("the name of a resource in the template does not fit its type")
    settled = base
    for one, each in zip(types, names, strict=True):
        fresh = each.count(FRESH)
        if fresh >= ENOUGH:
            return f"{settled}/{one}"
        if fresh:
            raise Unplaced("the name of a resource in the template is not known well enough")
        settled += f"/{one}/{checked(each)}"
    return settled


def _scope_of(whole: Deployment, resource: Mapping[str, Json], kind: str) -> str:
    """Return the id of what a resource stands in or is attached to.

    Raises:
        Unplaced: it cannot be told.
    """
    if kind == DEPLOYMENTS:
        return _target_scope(whole, resource)
    said = resource.get("scope")
    if said is None:
        return "/" if kind in _OF_TENANT else whole.place
    scope = evaluated(said, whole.scope)
    if not isinstance(scope, str) or FRESH in scope:
        raise Unplaced("the scope of a resource in the template cannot be told")
    if scope.startswith("/"):
        return identity(scope) if scope != "/" else scope
    types, names = scope.split("/")[1::2], scope.split("/")[2::2]
    kind = "/".join([scope.split("/")[0], *types])
    found = resource_id(whole.place, kind, tuple(names))
    if found is None or "." not in kind:
        raise Unplaced("the scope of a resource in the template cannot be told")
    return identity("/providers" + found.split("/providers", 1)[1] if folded(kind) in _OF_TENANT else found)


def _target_scope(whole: Deployment, resource: Mapping[str, Json]) -> str:
    """Return the scope that a nested deployment deploys to.

    Raises:
        Unplaced: it cannot be told.
    """
    if resource.get("scope") is not None:
        return _scope_of(whole, resource, "")
    subscription = _named(whole, resource, "subscriptionid")
    group = _named(whole, resource, "resourcegroup")
    if subscription is None and group is None:
        return whole.place
    chain = places(whole.place)
    own = next((each.id for each in chain if each.kind == SUBSCRIPTION), None)
    base = f"/subscriptions/{checked(subscription)}" if subscription is not None else own
    if base is None:
        raise Unplaced("a nested deployment to a resource group names no subscription")
    return base if group is None else f"{base}/resourcegroups/{checked(group)}"


def _named(whole: Deployment, resource: Mapping[str, Json], name: str) -> str | None:
    if resource.get(name) is None:
        return None
    value = evaluated(resource[name], whole.scope)
    if not isinstance(value, str) or FRESH in value:
        raise Unplaced("the scope of a nested deployment cannot be told")
    return value


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}
