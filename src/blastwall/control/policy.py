"""Policies of a configuration: loading them, and what `policy check` says of them. Local files, nobody to authorize."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from blastwall.config.checks import groups_of
from blastwall.config.files import policy_files
from blastwall.config.model import Configuration, PackChoice
from blastwall.config.resources import resources
from blastwall.model.resource import Resource
from blastwall.model.ruling import Approval
from blastwall.policy.known import APPROVERS, Known, PackSource
from blastwall.policy.load import load
from blastwall.policy.policy_set import PolicySet
from blastwall.policy.rules import Rule
from blastwall.protocols.discover import discover
from blastwall.protocols.kind import ProtocolKind


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """One policy in force, as `check` lists it; `grant_max` is in seconds."""

    id: str
    effect: str
    where: str
    mode: str
    approvals: tuple[str, ...]
    grant: tuple[str, ...] = ()
    grant_max: float | None = None


@dataclass(frozen=True, slots=True)
class PackLine:
    """One default pack in force, and which of its policies are switched off."""

    name: str
    excepted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What is in force. `warnings` is what may surprise: nothing in it is an error."""

    version: str
    policies: tuple[PolicyLine, ...]
    packs: tuple[PackLine, ...]
    warnings: tuple[str, ...]


def load_policies(configuration: Configuration, kinds: Mapping[str, ProtocolKind] | None = None) -> PolicySet:
    """Load the policies and default packs that a configuration names.

    Raises:
        PolicyError: anything is wrong with them.
    """
    protocols = discover() if kinds is None else kinds
    known = known_names(configuration, resources(configuration, protocols))
    return load(policy_files(configuration), pack_sources(configuration, protocols), known)


def known_names(configuration: Configuration, known_resources: Mapping[str, Resource]) -> Known:
    """Return the names that policies may use."""
    return Known(
        groups=groups_of(configuration),
        resources=known_resources,
        agents=frozenset(agent.name for agent in configuration.agents),
        users=frozenset(user.name for user in configuration.users),
    )


def pack_sources(configuration: Configuration, kinds: Mapping[str, ProtocolKind]) -> tuple[PackSource, ...]:
    """Return the default packs in force: those listed, or else that of each resource's kind."""
    sources: list[PackSource] = []
    for name, choice in _chosen(configuration).items():
        pack = kinds[name].pack
        if pack is not None:
            sources.append(PackSource(name, pack.read_text(encoding="utf-8"), tuple(choice.except_)))
    return tuple(sources)


def check(configuration: Configuration, kinds: Mapping[str, ProtocolKind] | None = None) -> CheckReport:
    """Load the policies and say what is in force.

    Raises:
        PolicyError: anything is wrong with them.
    """
    protocols = discover() if kinds is None else kinds
    return report(configuration, load_policies(configuration, protocols), pack_sources(configuration, protocols))


def report(configuration: Configuration, policies: PolicySet, packs: Sequence[PackSource]) -> CheckReport:
    """Say what is in force."""
    return CheckReport(
        policies.version,
        tuple(_line(rule) for rule in policies.rules.values()),
        tuple(PackLine(pack.name, pack.except_ids) for pack in packs),
        tuple(_warnings(configuration, policies)),
    )


def _chosen(configuration: Configuration) -> dict[str, PackChoice]:
    if configuration.packs is None:
        return {resource.kind: PackChoice() for resource in configuration.resources}
    chosen: dict[str, PackChoice] = {}
    for entry in configuration.packs:
        chosen.update({entry: PackChoice()} if isinstance(entry, str) else entry)
    return chosen


def _line(rule: Rule) -> PolicyLine:
    return PolicyLine(
        rule.id,
        rule.tree.effect,
        rule.source.place(),
        "observe" if rule.observe else "enforce",
        _written(rule.approvals),
        _written(rule.grant),
        rule.grant_max,
    )


def _written(approvals: Iterable[Approval]) -> tuple[str, ...]:
    return tuple(f"{approval.group}:{approval.count}" for approval in approvals)


def _warnings(configuration: Configuration, policies: PolicySet) -> Iterator[str]:
    rules = policies.rules.values()
    if all(rule.forbids or rule.observe for rule in rules):
        yield "no policy permits anything: every login will be refused"
    needed: dict[str, int] = {}
    for approval in (approval for rule in rules if not rule.observe for approval in (*rule.approvals, *rule.grant)):
        needed[approval.group] = max(approval.count, needed.get(approval.group, 0))
    for group, count in sorted(needed.items()):
        members = sum(group in user.groups for user in configuration.users)
        if members < count:
            asked = f"{count} of the group {group!r}{' (default packs ask it)' if group == APPROVERS else ''}"
            having = f"{members or 'no'} {'user is' if members == 1 else 'users are'} in it"
            yield f"{asked} may be asked for approval, but {having}: nobody can give it, so what needs it stays refused"
