"""A permit with `@grant` counts only while its principal holds an open grant for that action, and no other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.policy.conftest import Load, statement, table

from blastwall.gate.ports import Subject
from blastwall.model.effects import Action
from blastwall.model.grant import OpenGrant
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Address, Resource
from blastwall.model.ruling import Approval, Decision
from blastwall.policy.foreseen import Foreseen, foreseen, together
from blastwall.policy.known import PackSource
from blastwall.policy.load import PolicyError

CONNECT = '@id("in") permit (principal in Group::"ci", action == Action::"connect", resource in Resource::"pg-prod");\n'
READ = (
    '@id("reads") permit (principal in Group::"ci", action == Action::"read", resource in Database::"pg-prod/shop");\n'
)
GRANT = (
    '@id("deletes") @grant("dba:1") @grant_max("4h") '
    'permit (principal in Group::"ci", action == Action::"delete", resource in Database::"pg-prod/shop");\n'
)
DELETE = statement((Action.DELETE, table()), operation="DELETE")


def grant(
    *actions: Action,
    given: tuple[Approval, ...] | None = (Approval("dba"),),
    seconds: float = 3600,
    ends: float = 5000,
    name: str = "g1",
) -> OpenGrant:
    return OpenGrant(name, frozenset(actions), given, seconds, ends)


def test_without_a_grant_it_is_refused_and_said_that_a_grant_would_mend_it(load_text: Load, subject: Subject) -> None:
    ruling = load_text(CONNECT + GRANT).rule(subject, DELETE)
    assert (ruling.decision, ruling.grantable, ruling.grants) == (Decision.DENY, ("delete",), ())
    assert ruling.reason == "policy does not permit DELETE on shop.public.orders without a grant"


def test_with_an_open_grant_it_is_permitted_by_that_grant(load_text: Load, subject: Subject) -> None:
    policies = load_text(CONNECT + GRANT)
    ruling = policies.rule(replace(subject, granted=(grant(Action.DELETE),)), DELETE)
    assert (ruling.decision, ruling.grants, ruling.policies) == (Decision.ALLOW, ("g1",), ("deletes",))


def test_rulings_that_are_remembered_see_a_grant_come_and_go(load_text: Load, subject: Subject) -> None:
    policies, held = load_text(CONNECT + GRANT), replace(subject, granted=(grant(Action.DELETE),))
    decisions = [policies.rule(one, DELETE).decision for one in (subject, held, subject, held, subject)]
    assert decisions == [Decision.DENY, Decision.ALLOW, Decision.DENY, Decision.ALLOW, Decision.DENY]


@pytest.mark.parametrize(
    "other",
    [
        grant(Action.READ, Action.UPDATE),
        grant(Action.DELETE, given=()),
        grant(Action.DELETE, given=(Approval("security"),)),
        grant(Action.DELETE, seconds=4 * 3600 + 1),
    ],
    ids=["of other actions", "approved by nobody", "approved by another group", "longer than the policy allows"],
)
def test_another_grant_opens_nothing(load_text: Load, subject: Subject, other: OpenGrant) -> None:
    assert load_text(CONNECT + GRANT).rule(replace(subject, granted=(other,)), DELETE).decision is Decision.DENY


def test_a_policy_that_asks_more_than_was_approved_stays_closed_after_a_reload(
    load_text: Load, subject: Subject
) -> None:
    held = replace(subject, granted=(grant(Action.DELETE),))
    assert load_text(GRANT).rule(held, DELETE).decision is Decision.ALLOW
    assert load_text(GRANT.replace("dba:1", "dba:2")).rule(held, DELETE).decision is Decision.DENY
    assert load_text(GRANT.replace("dba:1", "dba:1, security:1")).rule(held, DELETE).decision is Decision.DENY
    assert load_text(GRANT.replace("4h", "30m")).rule(held, DELETE).decision is Decision.DENY


def test_break_glass_opens_what_asks_for_approval(load_text: Load, subject: Subject) -> None:
    broken = replace(subject, granted=(grant(Action.DELETE, given=None),))
    assert load_text(GRANT.replace("dba:1", "dba:2, security:1")).rule(broken, DELETE).decision is Decision.ALLOW


def test_a_forbid_holds_against_a_grant(load_text: Load, subject: Subject) -> None:
    policies = load_text(GRANT + '@id("never") forbid (principal, action == Action::"delete", resource);')
    ruling = policies.rule(replace(subject, granted=(grant(Action.DELETE, given=None),)), DELETE)
    assert (ruling.decision, ruling.policies, ruling.grantable) == (Decision.DENY, ("never",), ())


def test_an_approval_is_asked_besides_the_grant(load_text: Load, subject: Subject) -> None:
    policies = load_text(GRANT.replace("@grant(", '@approval("security:2") @grant('))
    ruling = policies.rule(replace(subject, granted=(grant(Action.DELETE),)), DELETE)
    assert (ruling.decision, ruling.obligations.approvals) == (Decision.HOLD, (Approval("security", 2),))
    assert ruling.grants == ("g1",)


def test_what_a_plain_permit_allows_rests_on_no_grant(load_text: Load, subject: Subject) -> None:
    policies = load_text(READ + READ.replace('"reads"', '"reads-too"').replace("permit", '@grant("dba:1") permit'))
    ruling = policies.rule(replace(subject, granted=(grant(Action.READ),)), statement((Action.READ, table())))
    assert (ruling.decision, ruling.grants) == (Decision.ALLOW, ())


def test_a_grant_that_would_mend_only_a_part_is_not_offered(load_text: Load, subject: Subject) -> None:
    both = statement((Action.DELETE, table()), (Action.READ, table("customers")), operation="DELETE")
    ruling = load_text(CONNECT + GRANT).rule(subject, both)
    assert (ruling.decision, ruling.grantable) == (Decision.DENY, ())
    assert "without a grant" not in ruling.reason


def test_of_several_grants_the_one_that_ends_last_is_named(load_text: Load, subject: Subject) -> None:
    several = (grant(Action.DELETE, name="short", ends=10), grant(Action.DELETE, name="long", ends=20))
    assert load_text(GRANT).rule(replace(subject, granted=several), DELETE).grants == ("long",)


def test_a_login_tells_that_it_needs_a_grant(load_text: Load, subject: Subject) -> None:
    policies = load_text(CONNECT.replace("permit", '@grant("dba:1") @reason("ask first") permit'))
    refused = policies.rule_connect(subject)
    assert (refused.decision, refused.grantable, refused.reason) == (Decision.DENY, ("connect",), "ask first")
    admitted = policies.rule_connect(replace(subject, granted=(grant(Action.CONNECT),)))
    assert (admitted.decision, admitted.grants) == (Decision.ALLOW, ("g1",))


def test_a_default_pack_never_grants(load_text: Load) -> None:
    with pytest.raises(PolicyError, match="holds forbids only"):
        load_text("", [PackSource("postgres", GRANT)])


# ── what may be asked for ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def agent(subject: Subject) -> Principal:
    return subject.principal


def test_what_a_policy_foresees_is_asked_of_everybody_whom_any_policy_asks(
    load_text: Load, agent: Principal, resource: Resource
) -> None:
    more = GRANT.replace('"deletes"', '"more"').replace("dba:1", "dba:2, security:1").replace("4h", "30m")
    rules = load_text(CONNECT + GRANT + more).rules.values()
    found = foreseen(rules, agent, resource, Action.DELETE)
    assert found == Foreseen((Approval("dba", 2), Approval("security", 1)), 1800)


def test_what_no_policy_foresees_cannot_be_granted(load_text: Load, agent: Principal, resource: Resource) -> None:
    rules = load_text(CONNECT + READ + GRANT).rules.values()
    elsewhere = Resource("pg-other", "postgres", Address("db", 5432), ("shop",))
    stranger = Principal(PrincipalKind.AGENT, "other", "github", "s", frozenset({"dba"}))
    user = replace(agent, kind=PrincipalKind.USER, groups=frozenset())
    assert foreseen(rules, agent, resource, Action.READ) is None
    assert foreseen(rules, agent, resource, Action.DROP) is None
    assert foreseen(rules, agent, elsewhere, Action.DELETE) is None
    assert foreseen(rules, stranger, resource, Action.DELETE) is None
    assert foreseen(rules, user, resource, Action.DELETE) is None


AZURE_GROUP = 'ResourceGroup::"/subscriptions/0f/resourcegroups/shop"'


@pytest.mark.parametrize(
    "head",
    [
        'principal == Agent::"shop-ci", action, resource == Resource::"pg-prod"',
        'principal is Agent, action, resource in Schema::"pg-prod/shop/public"',
        'principal is Agent in Group::"ci", action in [Action::"delete"], resource is Object in Resource::"pg-prod"',
        'principal in Agent::"shop-ci", action, resource in Object::"pg-prod/stock/public/orders"',
        f'principal, action, resource in {AZURE_GROUP}) when {{ context.plane == "data" }};//',
    ],
)
def test_heads_of_every_form_foresee(load_text: Load, agent: Principal, resource: Resource, head: str) -> None:
    rules = load_text(f'@id("x") @grant("dba:1") permit ({head});').rules.values()
    assert foreseen(rules, agent, resource, Action.DELETE) == Foreseen((Approval("dba"),), None)


def test_several_actions_need_what_each_needs() -> None:
    parts = [Foreseen((Approval("dba"),), None), Foreseen((Approval("dba", 2),), 60), Foreseen((Approval("ci"),), 90)]
    assert together(parts) == Foreseen((Approval("ci"), Approval("dba", 2)), 60)
