"""A reload swaps the whole set at once."""

from __future__ import annotations

from tests.policy.conftest import Load, statement, table

from blastwall.gate.ports import Policy, Subject
from blastwall.model.effects import Action
from blastwall.model.ruling import Decision
from blastwall.policy.policies import Policies

PERMIT = '@id("p") permit (principal, action, resource in Resource::"pg-prod");'
READ = statement((Action.READ, table()))


def test_a_new_set_rules_at_once_and_is_another_version(load_text: Load, subject: Subject) -> None:
    before, after = load_text(PERMIT), load_text("")
    policies = Policies(before)
    port: Policy = policies
    assert (port.rule(subject, READ).decision, port.version) == (Decision.ALLOW, before.version)
    policies.replace(after)
    ruling = port.rule(subject, READ)
    assert (ruling.decision, ruling.version, port.version) == (Decision.DENY, after.version, after.version)
    assert port.rule_connect(subject).decision is Decision.DENY
    assert policies.current is after
