"""A token's claims as flat texts, which matches compare and policies read.

One name has one or more texts. A string stands as it is, true and false as `true` and `false`, an integer in decimal;
each element of a list is a text of its own, so a list matches where one of its elements does. Objects, fractions and
null have no text and match nothing. Only below `kubernetes.io`, where Kubernetes keeps the service account, objects
are flattened: `kubernetes.io/serviceaccount/name`.

Names that a person or an administrator can change (`email`, `upn`, …) are dropped here, so nothing can be built on
them: the same address may belong to somebody else tomorrow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

Flat = Mapping[str, tuple[str, ...]]

MUTABLE = frozenset(
    {
        "email",
        "emails",
        "family_name",
        "given_name",
        "login_hint",
        "name",
        "nickname",
        "phone_number",
        "preferred_username",
        "profile",
        "unique_name",
        "upn",
        "user_email",
        "user_login",
        "username",
        "verified_primary_email",
        "verified_secondary_email",
    }
)
"""Claims that name nobody for good; Microsoft's claims reference says the same of `upn`, `email`, `unique_name`."""

IDENTIFYING = (
    "iss",
    "sub",
    "jti",
    # Entra
    "oid",
    "tid",
    "azp",
    "appid",
    "idtyp",
    "uti",
    "xms_mirid",
    # GitHub
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "repository_visibility",
    "ref",
    "ref_type",
    "ref_protected",
    "sha",
    "workflow_ref",
    "job_workflow_ref",
    "environment",
    "event_name",
    "runner_environment",
    "run_id",
    "run_attempt",
    "actor_id",
    # GitLab
    "project_id",
    "project_path",
    "namespace_id",
    "namespace_path",
    "pipeline_id",
    "pipeline_source",
    "job_id",
    "user_id",
    # Azure DevOps
    "org_id",
    "prj_id",
    "def_id",
    # Kubernetes
    "kubernetes.io/namespace",
    "kubernetes.io/serviceaccount/name",
    "kubernetes.io/serviceaccount/uid",
    "kubernetes.io/pod/name",
    "kubernetes.io/pod/uid",
    "kubernetes.io/node/name",
)
"""The claims that become tags of the principal and stand in recordings."""

_NESTED = "kubernetes.io"
_PROTOCOL = frozenset({"aud", "exp", "iat", "nbf", "nonce", "at_hash", "c_hash", "rh", "aio"})
_ENTRA_HOSTS = frozenset(
    {
        "login.microsoftonline.com",
        "sts.windows.net",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "login.chinacloudapi.cn",
        "sts.chinacloudapi.cn",
    }
)
_GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


class ForeignTenant(ValueError):
    """An Entra token's `tid` is not the tenant in its `iss`."""


def flatten(claims: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """Return the claims that a match may name, as texts.

    Raises:
        ForeignTenant: the claims contradict themselves about their tenant.
    """
    dropped = MUTABLE | _PROTOCOL | _untrusted(claims)
    flat: dict[str, tuple[str, ...]] = {}
    for name, value in claims.items():
        if name == _NESTED and isinstance(value, dict):
            flat.update(_walk(name, value))
        elif name not in dropped and (texts := _texts(value)):
            flat[name] = texts
    return flat


def identifying(flat: Flat) -> dict[str, str]:
    """Return the identifying claims, which a recording shows. A claim with several texts is none of them."""
    return {name: texts[0] for name in IDENTIFYING if len(texts := flat.get(name, ())) == 1}


def is_guid(value: object) -> bool:
    """Whether a value is written as a GUID."""
    return isinstance(value, str) and _GUID.fullmatch(value) is not None


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(text for element in value if (text := _text(element)) is not None)
    text = _text(value)
    return () if text is None else (text,)


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return value if isinstance(value, str) else None


def _walk(name: str, value: dict[str, object], depth: int = 3) -> Iterator[tuple[str, tuple[str, ...]]]:
    for key, inner in value.items():
        path = f"{name}/{key}"
        if isinstance(inner, dict) and depth > 1:
            yield from _walk(path, inner, depth - 1)
        elif texts := _texts(inner):
            yield path, texts


def _untrusted(claims: Mapping[str, object]) -> frozenset[str]:
    """Entra puts a user's application in `azp` and `appid` too: they are an agent only where `idtyp` says so."""
    issuer = claims.get("iss")
    parts = urlsplit(issuer if isinstance(issuer, str) else "")
    if parts.hostname not in _ENTRA_HOSTS:
        return frozenset()
    tenant = claims.get("tid")
    if tenant is not None and not (is_guid(tenant) and str(tenant) in parts.path.split("/")):
        raise ForeignTenant("`tid` is not the tenant in `iss`")
    return frozenset() if claims.get("idtyp") == "app" else frozenset({"azp", "appid"})
