"""What a write's own properties do besides: open a network, attach an identity, copy another's data, run code.

A name in a table is looked for at any depth of the body. That may find more than there is, never less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from blastwall.model.effects import Action
from blastwall.protocols.http.arm.documents import Json
from blastwall.protocols.http.arm.effects import Found, identity
from blastwall.protocols.http.arm.paths import Unplaced

Evaluate = Callable[[str], str | None]
"""Returns what a text stands for: itself, or in a template what its expression gives; None where nobody can tell."""

_NOTHING: tuple[Json, ...] = (None, False, "", [], {})
_SOURCES = frozenset(
    {
        "sourceresourceid", "sourcedatabaseid", "sourceserverresourceid", "sourcerestorepointid", "sourcevmid",
        "sourcemanagedinstanceid", "recoverabledatabaseid", "restorabledroppeddatabaseid", "source",
        "recoveryservicesrecoverypointid", "sourcewebappid", "snapshot", "snapshotid", "securitydatauri",
        "sourceuri", "sourceblob", "bloburi", "sourceimageid", "longtermretentionbackupresourceid", "restoresource",
        "sourcestorageaccountid", "sourcevirtualmachine", "sourcecachename", "gallerysourceuri",
    }
)  # fmt: skip
_ENTITLES = frozenset(
    {"accesspolicies", "administratorloginpassword", "admingroupobjectids", "administrators", "adminuserenabled",
     "federatedidentitycredentials", "delegatedmanagedidentityresourceid", "authorizationpolicies",
     "sqlauthupdatepassword"}
)  # fmt: skip
_RUNS = frozenset(
    {
        "siteconfig",
        "extensionprofile",
        "starttask",
        "commandtoexecute",
        "runcommand",
        "apppackagereferences",
        "galleryapplications",
        "customdata",
        "additionalunattendcontent",
        "functionappconfig",
        "scriptactions",
        "artifacts",
    }
)
_OPENS: Mapping[str, tuple[Json, ...]] = {
    "publicnetworkaccess": ("disabled", False),
    "allowblobpublicaccess": (False,),
    "allowsharedkeyaccess": (False,),
    "allowcrosstenantreplication": (False,),
    "publicaccess": ("none",),
    "disablelocalauth": (True,),
    "disablelocalaccounts": (True,),
    "enablepurgeprotection": (True,),
    "enablesoftdelete": (True,),
    "enablerbacauthorization": (True,),
    "supportshttpstrafficonly": (True,),
    "httpsonly": (True,),
    "islocaluserenabled": (False,),
    "issftpenabled": (False,),
    "enablenonsslport": (False,),
    "networkacls": (),
    "networkruleset": (),
    "networkrulesets": (),
    "ipsecurityrestrictions": (),
    "scmipsecurityrestrictions": (),
    "ipallowedlist": (),
    "iprules": (),
    "virtualnetworkrules": (),
    "apiserveraccessprofile": (),
    "authorizedipranges": (),
    "firewallrules": (),
    "securityrules": (),
    "keyvaultproperties": (),
    "immutabilitypolicy": (),
    "deleteretentionpolicy": (),
    "minimumtlsversion": ("tls1_2", "tls1_3", "1.2", "1.3"),
    "defaultsharepermission": ("none",),
    "anonymouspullenabled": (False,),
    "disableaccesskeyauthentication": (True,),
    "disablekeybasedmetadatawriteaccess": (True,),
    "networkaccesspolicy": ("denyall",),
    "authconfig": (),
    "authnotrequired": (False, "false"),
}
"""Settings of a resource's defences, and the values by which they are closed."""


_REFERS = {**dict.fromkeys(_SOURCES, Action.EXPORT), "manageddisk": Action.UPDATE}
"""What is done to the resource that a property refers to: an attached disk shows its content to the machine."""

_SAYS = {**dict.fromkeys(_ENTITLES, Action.ENTITLE), **dict.fromkeys(_RUNS, Action.EXECUTE)}
_IDENTITIES = "/providers/microsoft.managedidentity/userassignedidentities/"
"""Whoever names one in any property lends it out: as `identityIds`, of pods, of kubelets, as a credential's."""

_DEFINES = "/providers/microsoft.authorization/roledefinitions/"


def consequences(found: Found, target: str, body: Json, evaluate: Evaluate) -> None:
    """Note what the properties of a write to `target` do besides."""
    for name, value in _properties(body):
        if found.full:
            return
        if name == "userassignedidentities" and isinstance(value, dict):
            for each in value:
                _refers(found, Action.ENTITLE, evaluate(each), target)
        elif name in _REFERS and value not in _NOTHING:
            _refers(found, _REFERS[name], _reference(value, evaluate), target)
        elif name in _SAYS and value not in _NOTHING:
            found.add((_SAYS[name],), target)
        elif name in _OPENS and not _closed(name, value):
            found.add((Action.ADMIN,), target)
        elif isinstance(value, str):
            _linked(found, evaluate(value), target)
        if _IDENTITIES in name:
            _linked(found, name, target)


def _properties(body: Json) -> Iterator[tuple[str, Json]]:
    """Yield every property at any depth; an element of an array as one of the array's name."""
    waiting: list[tuple[str, Json]] = [("", body)]
    while waiting:
        name, value = waiting.pop()
        if name:
            yield name, value
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += (("[]", each) for each in value if isinstance(each, str | dict | list))


def _reference(value: Json, evaluate: Evaluate) -> str | None:
    """Return the id or address that a property refers to, by itself or as an object's `id`."""
    if isinstance(value, dict):
        value = value.get("id")
    return evaluate(value) if isinstance(value, str) else None


def _refers(found: Found, action: Action, text: str | None, target: str) -> None:
    """Note what is done to what a property refers to: an id, or something outside Azure's ids, by the target itself."""
    if text is None:
        found.unclear("a property refers to a resource by what only Azure can evaluate", target)
    elif not text.startswith("/"):
        found.add((action,), target)
    else:
        try:
            found.add((action,), identity(text))
        except Unplaced as unplaced:
            found.unclear(str(unplaced), target)


def _linked(found: Found, text: str | None, target: str) -> None:
    """Whoever links one resource to another must at least be allowed to read that: Azure asks it for a right there."""
    if text is None or not text[:15].lower().startswith("/subscriptions/"):
        return
    try:
        other = identity(text)
    except Unplaced:
        return
    if _IDENTITIES in other and not target.startswith(other):
        found.add((Action.ENTITLE,), other)
        return
    own = other == target or other.startswith(target + "/") or target.startswith(other + "/")
    if "/resourcegroups/" in other and not own and _DEFINES not in other:
        found.add((Action.READ,), other)


def _closed(name: str, value: Json) -> bool:
    if value is None:
        return True
    return (value.lower() if isinstance(value, str) else value) in _OPENS[name]
