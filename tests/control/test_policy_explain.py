"""`policy explain`: who decided, and what would change it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest
from tests.control.policy_world import POLICIES, Words, write_world

from blastwall.config.load import load
from blastwall.control.masks import masking_of
from blastwall.control.policy import load_policies
from blastwall.control.policy_explain import Explanation, classified, explain
from blastwall.control.policy_subject import Who, subject_of
from blastwall.model.principal import PrincipalKind
from blastwall.model.ruling import Decision
from blastwall.protocols.kind import ProtocolKind

KINDS: Mapping[str, ProtocolKind] = {"words": Words()}
CI = Who(PrincipalKind.AGENT, "shop-ci")


class Ask(Protocol):
    def __call__(self, text: str, who: Who = CI, policies: str = POLICIES) -> tuple[Explanation, ...]: ...


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    def ask_one(text: str, who: Who = CI, policies: str = POLICIES) -> tuple[Explanation, ...]:
        configuration = load(write_world(tmp_path, policies), KINDS)
        subject = subject_of(configuration, KINDS, who, resource="desk")
        return explain(
            load_policies(configuration, KINDS), subject, classified(KINDS, subject, text, masking_of(configuration))
        )

    return ask_one


def test_an_allowed_effect_names_its_permit_and_the_objects_id(ask: Ask) -> None:
    [one] = ask("read public.Orders")
    [effect] = one.effects
    assert (one.decision, effect.object) == (Decision.ALLOW, 'Object::"desk/shop/public/%4frders"')
    [policy] = effect.decided_by
    assert (policy.id, policy.where.rsplit("/")[-1]) == ("ci-reads", "desk.cedar:1")
    assert policy.text.startswith('@id("ci-reads")')
    assert effect.changes == ()


def test_a_missing_permit_names_the_one_that_comes_nearest(ask: Ask) -> None:
    [one] = ask("delete public.orders")
    [first, *_] = one.effects[0].changes
    assert first.endswith("ci-deletes would permit it, but `when { context.filtered }` does not hold")
    assert "desk.cedar:4" in first


def test_the_wrong_principal_is_named(ask: Ask) -> None:
    [one] = ask("read public.orders", Who(PrincipalKind.USER, "ana"))
    assert one.effects[0].changes[0].endswith('ci-reads would permit it, but the principal is not in Group::"ci"')


def test_the_wrong_action_is_named(ask: Ask) -> None:
    [one] = ask("update public.orders!")
    assert {change.split(": ")[1] for change in one.effects[0].changes} == {
        "ci-deletes would permit it, but the action is not delete",
        "ci-reads would permit it, but the action is not connect or read",
    }


def test_far_permits_are_not_named(ask: Ask) -> None:
    far = '@id("far") permit (principal == User::"ana", action == Action::"read", resource == Database::"desk/stock");'
    [one] = ask("create public.orders", policies=far)
    assert one.effects[0].changes == ("no permit comes near; one is needed for this principal, action and resource",)


def test_a_forbid_is_named_with_its_line_and_conditions(ask: Ask) -> None:
    [one] = ask("reveal public.keys")
    [effect] = one.effects
    assert "desk.cedar:9: no-secrets forbids it" in effect.changes[0]
    assert 'action == Action::"reveal"' in effect.decided_by[0].text


def test_a_hold_names_who_approves(ask: Ask) -> None:
    [one] = ask("delete public.orders!")
    assert one.decision is Decision.HOLD
    assert "ci-deletes asks for approval by 1 of dba" in one.effects[0].changes[0]


def test_a_packs_policy_can_be_switched_off(ask: Ask) -> None:
    permit = '@id("all") permit (principal, action, resource in Resource::"desk");'
    [one] = ask("drop public.orders", policies=permit)
    assert one.effects[0].changes[0] == (
        "pack words:1: words-drop asks for approval by 1 of approvers; "
        "`packs: [{words: {except: [words-drop]}}]` switches it off"
    )


def test_an_erring_policy_is_named(ask: Ask) -> None:
    broken = '@id("b") forbid (principal, action, resource) when { 9223372036854775807 + 1 == 3 };'
    [one] = ask("read public.orders", policies=POLICIES + broken)
    assert "b cannot be evaluated here" in one.effects[0].changes[0]


def test_observed_policies_are_named(ask: Ask) -> None:
    watched = '@id("w") @mode("observe") forbid (principal, action == Action::"read", resource);'
    [one] = ask("read public.orders", policies=POLICIES + watched)
    assert (one.decision, one.effects[0].observed) == (Decision.ALLOW, ("w",))


def test_each_statement_of_a_text_is_explained(ask: Ask) -> None:
    assert [one.decision for one in ask("read public.a; drop public.b")] == [Decision.ALLOW, Decision.DENY]


def test_what_cannot_be_asked_is_said(ask: Ask) -> None:
    [one] = ask("read public.\ud800")
    assert (one.decision, one.effects) == (Decision.DENY, ())
    assert "entity deserialization" in one.reason
