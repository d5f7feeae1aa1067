"""What no single key can be wrong about: names that refer to other names, ports that collide, groups nobody is in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

import re2

from blastwall.config.budgets import Budget
from blastwall.config.callers import Agent, Issuer, User
from blastwall.config.credentials import CredentialSource
from blastwall.config.document import Path
from blastwall.config.masking import masked_as_it_can_be, masked_columns, masked_resources
from blastwall.config.model import Configuration
from blastwall.config.ports import check_ports
from blastwall.config.resource_settings import ResourceSettings
from blastwall.config.wording import did_you_mean
from blastwall.model.resource import TlsMode, is_loopback
from blastwall.protocols.kind import ProtocolKind
from blastwall.store.address import StateError, parse_address

Finding = tuple[Path, str]
"""Where something is wrong, and what."""

_AZURE_ID = re.compile(r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/[^/]+(?:/[^/]+/[^/]+)+/?", re.IGNORECASE)


def cross_check(configuration: Configuration, kinds: Mapping[str, ProtocolKind]) -> Iterator[Finding]:
    """Yield everything that is wrong between the keys of a configuration whose every key is right by itself."""
    for check in _CHECKS:
        yield from check(configuration)
    yield from _known_kinds(configuration, kinds)
    yield from _known_packs(configuration, kinds)
    yield from _known_scopes(configuration, kinds)
    yield from check_ports(configuration, kinds)
    yield from masked_as_it_can_be(configuration, kinds)


def groups_of(configuration: Configuration) -> frozenset[str]:
    """Return the groups that some agent or user has."""
    people: tuple[Agent | User, ...] = (*configuration.agents, *configuration.users)
    return frozenset(group for who in people for group in who.groups)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _unique_names(configuration: Configuration) -> Iterator[Finding]:
    named: Mapping[str, Sequence[Issuer | Agent | User | ResourceSettings | Budget]] = {
        "issuers": configuration.issuers,
        "agents": configuration.agents,
        "users": configuration.users,
        "resources": configuration.resources,
        "budgets": configuration.budgets,
    }
    for section, entries in named.items():
        seen: dict[str, int] = {}
        for position, entry in enumerate(entries):
            first = seen.setdefault(entry.name.lower(), position)
            if first != position:
                yield (
                    (section, position, "name"),
                    f"{section}[{first}] has the name {entry.name!r} too (case is ignored)",
                )


def _notifications(configuration: Configuration) -> Iterator[Finding]:
    """Report names that two notifications share, and resources that there are not."""
    resources = [resource.name for resource in configuration.resources]
    seen: dict[str, int] = {}
    for position, each in enumerate(configuration.notifications):
        first = seen.setdefault(each.called.lower(), position)
        if first != position:
            problem = f"notifications[{first}] is called {each.called!r} too; give one of them a `name`"
            yield ("notifications", position), problem
        for number, name in enumerate(each.resources):
            if name not in resources:
                problem = f"no resource is named {name!r}" + did_you_mean(name, resources)
                yield ("notifications", position, "resources", number), problem


def _known_issuers(configuration: Configuration) -> Iterator[Finding]:
    names = [issuer.name for issuer in configuration.issuers]
    people: Mapping[str, Sequence[Agent | User]] = {"agents": configuration.agents, "users": configuration.users}
    for section, entries in people.items():
        for position, entry in enumerate(entries):
            if entry.issuer not in names:
                problem = f"no issuer is named {entry.issuer!r}" + did_you_mean(entry.issuer, names)
                yield (section, position, "issuer"), problem


def _distinct_matches(configuration: Configuration) -> Iterator[Finding]:
    """Report two agents (or users) that the same token always matches: it would be refused every time."""
    seen: dict[tuple[str, frozenset[tuple[str, str]]], str] = {}
    people: Mapping[str, Sequence[Agent | User]] = {"agents": configuration.agents, "users": configuration.users}
    for section, entries in people.items():
        for position, entry in enumerate(entries):
            key = (entry.issuer, frozenset(entry.match.items()))
            here = f"{section}[{position}]"
            first = seen.setdefault(key, here)
            if first != here:
                yield (
                    (section, position, "match"),
                    f"{first} matches the same tokens, and a token that matches both is refused",
                )


def _readable_matches(configuration: Configuration) -> Iterator[Finding]:
    people: Mapping[str, Sequence[Agent | User]] = {"agents": configuration.agents, "users": configuration.users}
    for section, entries in people.items():
        for position, entry in enumerate(entries):
            for claim, wanted in entry.match.items():
                problem = _match_problem(wanted)
                if problem:
                    yield (section, position, "match", claim), problem


def _match_problem(wanted: str) -> str:
    if wanted in {"glob:", "regex:"}:
        return "must not be empty"
    if wanted.startswith("glob:") and not wanted.removeprefix("glob:").strip("*"):
        return "this glob matches every token of the issuer; name what the claim must be"
    if wanted.startswith("regex:"):
        return _regex_problem(wanted.removeprefix("regex:"))
    return ""


def _regex_problem(pattern: str) -> str:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else b""
        said = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        return f"not a regular expression that can be used (RE2 syntax): {said}"
    return ""


def _known_groups(configuration: Configuration) -> Iterator[Finding]:
    """Report groups that nobody has: a misspelt `for` or `except` would silently never apply."""
    groups = groups_of(configuration)
    for path, group in _groups_named(configuration):
        if group not in groups:
            yield path, f"no agent or user has the group {group!r}" + did_you_mean(group, groups)


def _groups_named(configuration: Configuration) -> Iterator[tuple[Path, str]]:
    for position, rule in enumerate(configuration.masking):
        for place, group in enumerate(rule.except_):
            yield ("masking", position, "except", place), group
    for position, budget in enumerate(configuration.budgets):
        for place, group in enumerate(budget.groups):
            yield ("budgets", position, "groups", place), group
    for position, resource in enumerate(configuration.resources):
        for number, credential in enumerate(resource.credentials):
            for place, group in enumerate(credential.for_):
                yield (*_credential_path(resource, position, number), "for", place), group


def _role_groups(configuration: Configuration) -> Iterator[Finding]:
    """Report groups of people that no user has: an agent in one may do nothing by it."""
    groups = frozenset(group for user in configuration.users for group in user.groups)
    named: list[tuple[Path, str]] = [
        (("control", "roles", role, place), group)
        for role, given in configuration.control.roles
        for place, group in enumerate(given or ())
    ]
    if configuration.break_glass is not None:
        named.append((("break_glass", "group"), configuration.break_glass.group))
    for path, group in named:
        if group not in groups:
            yield path, f"no user has the group {group!r}" + did_you_mean(group, groups)


def _credential_path(resource: ResourceSettings, position: int, number: int) -> Path:
    base: Path = ("resources", position, "credential")
    return (*base, number) if isinstance(resource.credential, list) else base


# ── credentials ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _one_credential_each(configuration: Configuration) -> Iterator[Finding]:
    """Report lists of credentials in which one group, or everybody else, would have two."""
    for position, resource in enumerate(configuration.resources):
        for number, group in _doubled(resource.credentials):
            whom = f"the group {group!r}" if group else "everybody without a `for` of their own"
            problem = f"a second credential for {whom}; which one is meant cannot be known"
            yield _credential_path(resource, position, number), problem


def _tokens_over_tls(configuration: Configuration) -> Iterator[Finding]:
    """Report tokens that would be shown to whoever answers: the resource gets them in clear, inside TLS."""
    for position, resource in enumerate(configuration.resources):
        tls = resource.upstream.tls
        for number, credential in enumerate(resource.credentials):
            if credential.entra is not None and tls is not TlsMode.VERIFY_FULL:
                problem = f"a token goes to a verified resource only, and this one's `tls` is {tls}; use verify-full"
                yield (*_credential_path(resource, position, number), "entra"), problem


def _doubled(credentials: Sequence[CredentialSource]) -> Iterator[tuple[int, str]]:
    """Yield the position and group of each repetition; the group is empty for everybody else."""
    seen: set[str] = set()
    for number, credential in enumerate(credentials):
        groups = set(credential.for_) or {""}
        yield from ((number, group) for group in sorted(groups & seen))
        seen |= groups


def _budgets(configuration: Configuration) -> Iterator[Finding]:
    """Report budgets that nobody has, or that are for nothing."""
    agents = [agent.name for agent in configuration.agents]
    resources = [resource.name for resource in configuration.resources]
    for position, budget in enumerate(configuration.budgets):
        for place, agent in enumerate(budget.agents):
            if agent not in agents:
                problem = f"no agent is named {agent!r}" + did_you_mean(agent, agents)
                yield ("budgets", position, "agents", place), problem
        if budget.resource is not None and budget.resource not in resources:
            problem = f"no resource is named {budget.resource!r}" + did_you_mean(budget.resource, resources)
            yield ("budgets", position, "resource"), problem


# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _listen_addresses(configuration: Configuration) -> Iterator[Finding]:
    given: Iterable[tuple[Path, str | None]] = (
        (("listen",), configuration.listen),
        (("control", "listen"), configuration.control.listen),
    )
    for path, address in given:
        if address is not None and address != "localhost" and not _is_address(address):
            yield path, "expects one of this machine's IP addresses, such as 127.0.0.1, 0.0.0.0 or ::"


def _plain_text(configuration: Configuration) -> Iterator[Finding]:
    if is_loopback(configuration.listen):
        return
    for position, resource in enumerate(configuration.resources):
        if resource.plain_text:
            problem = (
                f"tokens would cross the network in clear: `listen` is {configuration.listen}, not a loopback address"
            )
            yield ("resources", position, "plain_text"), problem


def _issuer_urls(configuration: Configuration) -> Iterator[Finding]:
    seen: dict[tuple[str, str], str] = {}
    for position, issuer in enumerate(configuration.issuers):
        first = seen.setdefault((issuer.issuer, issuer.audience), issuer.name)
        if first != issuer.name:
            yield ("issuers", position, "issuer"), f"{first!r} has the same issuer and audience"
        if issuer.jwks is None and not _safe_url(issuer.issuer):
            yield ("issuers", position, "issuer"), "expects an https URL (http only on a loopback address)"
        if issuer.jwks is not None and not issuer.jwks.startswith("file:") and not _safe_url(issuer.jwks):
            yield ("issuers", position, "jwks"), "expects `file:PATH` or an https URL (http only on a loopback address)"


def _sign_in(configuration: Configuration) -> Iterator[Finding]:
    """Report a sign-in at an issuer that is not there, or whose ID tokens would be refused."""
    login = configuration.control.login
    if login is None:
        return
    path: Path = ("control", "login")
    named = {issuer.name: issuer for issuer in configuration.issuers}
    issuer = named.get(login.issuer)
    if issuer is None:
        yield (*path, "issuer"), f"no issuer is named {login.issuer!r}" + did_you_mean(login.issuer, named)
    elif login.client_id not in {None, issuer.audience}:
        problem = f"the `audience` of the issuer {issuer.name!r} must be this client id: ID tokens are made for it"
        yield (*path, "client_id"), problem
    elif not _safe_url(issuer.issuer):
        yield (*path, "issuer"), f"the issuer {issuer.name!r} has no https URL (http only on a loopback address)"


def _webhooks(configuration: Configuration) -> Iterator[Finding]:
    for position, anchor in enumerate(configuration.recordings.anchors):
        if anchor.webhook is not None and not _safe_url(anchor.webhook):
            problem = "expects an https URL (http only on a loopback address)"
            yield ("recordings", "anchors", position, "webhook"), problem


def _safe_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.username is not None or parts.password is not None or not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def _state_address(configuration: Configuration) -> Iterator[Finding]:
    try:
        parse_address(configuration.state)
    except StateError as error:
        yield ("state",), str(error).removeprefix("state: ")


def _azure_ids(configuration: Configuration) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for position, resource in enumerate(configuration.resources):
        if not resource.azure:
            continue
        path: Path = ("resources", position, "azure")
        if not _AZURE_ID.fullmatch(resource.azure):
            yield path, "expects /subscriptions/…/resourceGroups/…/providers/…/TYPE/NAME, as the Azure portal shows it"
        first = seen.setdefault(resource.azure.lower().rstrip("/"), resource.name)
        if first != resource.name:
            yield path, f"{first!r} has the same Azure id"


# ── protocols ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _known_kinds(configuration: Configuration, kinds: Mapping[str, ProtocolKind]) -> Iterator[Finding]:
    for position, resource in enumerate(configuration.resources):
        if resource.kind not in kinds:
            problem = f"no protocol of the kind {resource.kind!r}" + did_you_mean(resource.kind, kinds)
            yield ("resources", position, "kind"), problem


def _known_scopes(configuration: Configuration, kinds: Mapping[str, ProtocolKind]) -> Iterator[Finding]:
    """Report tokens of which nobody says what they are made for."""
    for position, resource in enumerate(configuration.resources):
        protocol = kinds.get(resource.kind)
        for number, credential in enumerate(resource.credentials):
            entra = credential.entra
            if protocol is not None and entra is not None and entra.scope is None and not protocol.scope:
                problem = (
                    f"give `scope`, what the token is made for: a resource of the kind {resource.kind!r} may be any"
                )
                yield (*_credential_path(resource, position, number), "entra"), problem


def _known_packs(configuration: Configuration, kinds: Mapping[str, ProtocolKind]) -> Iterator[Finding]:
    packs = [kind for kind, protocol in kinds.items() if protocol.pack is not None]
    seen: set[str] = set()
    for position, entry in enumerate(configuration.packs or ()):
        name = entry if isinstance(entry, str) else next(iter(entry))
        if name not in packs:
            yield ("packs", position), f"no pack is named {name!r}" + did_you_mean(name, packs)
        if name in seen:
            yield ("packs", position), f"the pack {name!r} stands twice"
        seen.add(name)


_CHECKS: tuple[Callable[[Configuration], Iterator[Finding]], ...] = (
    _unique_names,
    _known_issuers,
    _distinct_matches,
    _readable_matches,
    _known_groups,
    _role_groups,
    _one_credential_each,
    _tokens_over_tls,
    _budgets,
    masked_resources,
    masked_columns,
    _listen_addresses,
    _plain_text,
    _issuer_urls,
    _sign_in,
    _webhooks,
    _notifications,
    _state_address,
    _azure_ids,
)
