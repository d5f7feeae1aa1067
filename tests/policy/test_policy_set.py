"""How policies rule: each test reads as the policies, the statement, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from tests.policy.conftest import Load, statement, table

from blastwall.gate.ports import Subject
from blastwall.model.effects import Action, Object
from blastwall.model.principal import PrincipalKind
from blastwall.model.ruling import NONE, Approval, Decision, Observation, Ruling
from blastwall.model.statement import Stage
from blastwall.policy.evaluation import Undecidable
from blastwall.policy.policy_set import MAX_EFFECTS

READS = (
    '@id("reads") permit (principal in Group::"ci", action == Action::"read", resource in Database::"pg-prod/shop");'
)
DELETES = (
    '@id("deletes") permit (principal in Group::"ci", action == Action::"delete",'
    ' resource in Database::"pg-prod/shop");'
)
ERRS = "when { 9223372036854775807 + 1 == 3 };"
READ = statement((Action.READ, table()))
DELETE = statement((Action.DELETE, table()), operation="DELETE")


def test_a_permit_allows_and_is_named(load_text: Load, subject: Subject) -> None:
    policies = load_text(READS)
    ruling = policies.rule(subject, READ)
    assert (ruling.decision, ruling.policies, ruling.version) == (Decision.ALLOW, ("reads",), policies.version)


def test_no_permit_denies_in_the_clients_own_words(load_text: Load, subject: Subject) -> None:
    ruling = load_text(READS).rule(subject, DELETE)
    assert (ruling.decision, ruling.policies) == (Decision.DENY, ())
    assert ruling.reason == "policy does not permit DELETE on shop.public.orders"


def test_nothing_is_permitted_without_policies(load_text: Load, subject: Subject) -> None:
    assert load_text("").rule(subject, READ).decision is Decision.DENY


def test_a_forbid_beats_every_permit_and_tells_its_reason(load_text: Load, subject: Subject) -> None:
    forbid = '@id("no") @reason("ask ana") forbid (principal, action == Action::"read", resource);'
    ruling = load_text(READS + forbid).rule(subject, READ)
    assert (ruling.decision, ruling.policies, ruling.reason) == (Decision.DENY, ("no",), "ask ana")


def test_a_refusal_says_nothing_of_a_forbids_text(load_text: Load, subject: Subject) -> None:
    forbid = (
        '@id("secret-plan") forbid (principal, action == Action::"read", resource) when { resource.name == "orders" };'
    )
    denied = load_text(READS + forbid).rule(subject, READ)
    assert denied.reason == "policy does not permit SELECT on shop.public.orders"


def test_an_approval_permit_holds(load_text: Load, subject: Subject) -> None:
    ruling = load_text('@approval("dba:2")' + DELETES).rule(subject, DELETE)
    assert (ruling.decision, ruling.obligations.approvals) == (Decision.HOLD, (Approval("dba", 2),))
    assert ruling.reason == "policy holds DELETE on shop.public.orders; it waits for approval by 2 of dba"


def test_a_plain_permit_beside_an_approval_permit_holds(load_text: Load, subject: Subject) -> None:
    both = DELETES + DELETES.replace('@id("deletes")', '@id("asks") @approval("dba:1")')
    ruling = load_text(both).rule(subject, DELETE)
    assert (ruling.decision, ruling.policies) == (Decision.HOLD, ("asks", "deletes"))


def test_a_plain_permit_beside_an_approval_forbid_holds(load_text: Load, subject: Subject) -> None:
    forbid = '@id("asks") @approval("dba:1") forbid (principal, action == Action::"delete", resource);'
    ruling = load_text(DELETES + forbid).rule(subject, DELETE)
    assert (ruling.decision, ruling.policies) == (Decision.HOLD, ("asks", "deletes"))


def test_an_approval_forbid_grants_nothing(load_text: Load, subject: Subject) -> None:
    forbid = '@id("asks") @approval("dba:1") forbid (principal, action == Action::"delete", resource);'
    assert load_text(forbid).rule(subject, DELETE).decision is Decision.DENY


def test_an_unconditional_forbid_beats_an_approval_forbid(load_text: Load, subject: Subject) -> None:
    asks = '@id("asks") @approval("dba:1") forbid (principal, action == Action::"delete", resource);'
    never = '@id("never") forbid (principal, action == Action::"delete", resource);'
    ruling = load_text(DELETES + asks + never).rule(subject, DELETE)
    assert (ruling.decision, ruling.policies, ruling.obligations.approvals) == (Decision.DENY, ("never",), ())


def test_unless_exempts_from_an_approval(load_text: Load, subject: Subject) -> None:
    asks = DELETES.replace('@id("deletes")', '@id("asks") @approval("dba:1")').replace(
        ";", " unless { context.filtered };"
    )
    policies = load_text(DELETES + asks)
    assert policies.rule(subject, DELETE).decision is Decision.HOLD
    assert policies.rule(subject, replace(DELETE, filtered=True)).decision is Decision.ALLOW


def test_every_approval_is_asked_the_largest_count_of_a_group(load_text: Load, subject: Subject) -> None:
    asks = "".join(
        f'@id("{name}") @approval("{who}") forbid (principal, action == Action::"delete", resource);'
        for name, who in (("a", "dba:1, security:1"), ("b", "dba:2"))
    )
    ruling = load_text(DELETES + asks).rule(subject, DELETE)
    assert ruling.obligations.approvals == (Approval("dba", 2), Approval("security", 1))
    assert ruling.reason.endswith("waits for approval by 2 of dba and 1 of security")


def limits(ruling: Ruling) -> tuple[int | None, int | None]:
    return ruling.obligations.limit_rows, ruling.obligations.limit_affected


def test_without_a_limit_there_is_none(load_text: Load, subject: Subject) -> None:
    ruling = load_text(READS).rule(subject, READ)
    assert limits(ruling) == (None, None)
    assert not ruling.obligations.limited


def test_the_smallest_of_all_satisfied_limits_holds(load_text: Load, subject: Subject) -> None:
    more = DELETES.replace('@id("deletes")', '@id("more") @limit_affected("500") @limit_rows("7")')
    less = DELETES.replace('@id("deletes")', '@id("less") @limit_affected("100")')
    ruling = load_text(DELETES + more + less).rule(subject, DELETE)
    assert limits(ruling) == (7, 100)
    assert ruling.obligations.limited


def test_the_limits_of_every_effect_hold_whichever_decides(load_text: Load, subject: Subject) -> None:
    asks = DELETES.replace('@id("deletes")', '@id("asks") @approval("dba:1")')
    policies = load_text(READS.replace("permit", '@limit_rows("9") permit', 1) + asks)
    both = replace(DELETE, effects=DELETE.effects + READ.effects)
    ruling = policies.rule(subject, both)
    assert (ruling.decision, limits(ruling)) == (Decision.HOLD, (9, None))


def test_a_denial_obliges_to_nothing(load_text: Load, subject: Subject) -> None:
    limited = READS.replace("permit", '@limit_rows("9") permit', 1)
    never = '@id("never") forbid (principal, action == Action::"read", resource);'
    ruling = load_text(limited + never).rule(subject, READ)
    assert (ruling.decision, ruling.obligations) == (Decision.DENY, NONE)


@pytest.mark.parametrize("annotations", ["", '@approval("dba:1")'])
@pytest.mark.parametrize("effect", ["permit", "forbid"])
def test_an_erring_policy_denies_whatever_it_is(
    load_text: Load, subject: Subject, effect: str, annotations: str
) -> None:
    broken = f'@id("broken") {annotations} {effect} (principal, action, resource in Resource::"pg-prod") {ERRS}'
    ruling = load_text(READS + broken).rule(subject, READ)
    assert (ruling.decision, ruling.policies) == (Decision.DENY, ("broken",))
    assert "could not be evaluated" in ruling.reason


def test_the_most_restrictive_effect_wins(load_text: Load, subject: Subject) -> None:
    policies = load_text(READS + '@approval("dba:1")' + DELETES)
    both = statement((Action.READ, table()), (Action.DELETE, table()), operation="DELETE")
    assert policies.rule(subject, both).decision is Decision.HOLD
    worse = statement((Action.READ, table()), (Action.DELETE, table()), (Action.DROP, table("cards")), text="cards")
    ruling = policies.rule(subject, worse)
    assert (ruling.decision, ruling.reason) == (Decision.DENY, "policy does not permit SELECT on shop.public.cards")


def test_the_order_of_effects_does_not_matter(load_text: Load, subject: Subject) -> None:
    policies = load_text(READS)
    effects = ((Action.READ, table()), (Action.DELETE, table()))
    assert {policies.rule(subject, statement(*order)).decision for order in (effects, effects[::-1])} == {Decision.DENY}


def test_a_statement_without_effects_is_denied(load_text: Load, subject: Subject) -> None:
    ruling = load_text('@id("all") permit (principal, action, resource in Resource::"pg-prod");').rule(
        subject, statement()
    )
    assert (ruling.decision, "cannot tell" in ruling.reason) == (Decision.DENY, True)


def test_too_many_effects_are_denied(load_text: Load, subject: Subject) -> None:
    many = statement(*((Action.READ, table(f"t{number}")) for number in range(MAX_EFFECTS + 1)))
    ruling = load_text(READS).rule(subject, many)
    assert (ruling.decision, "at most 512" in ruling.reason) == (Decision.DENY, True)


def test_an_object_elsewhere_is_not_in_the_database(load_text: Load, subject: Subject) -> None:
    for elsewhere in (table(database="stock"), table(database="shop/public"), Object((), "resource")):
        assert load_text(READS).rule(subject, statement((Action.READ, elsewhere))).decision is Decision.DENY


def test_a_name_cannot_imitate_a_path(load_text: Load, subject: Subject) -> None:
    policies = load_text('@id("x") permit (principal, action, resource == Object::"pg-prod/shop/public/orders");')
    for fake in (Object(("shop/public", "x", "orders"), "table"), Object(("shop", "public/orders"), "schema")):
        assert policies.rule(subject, statement((Action.READ, fake))).decision is Decision.DENY
    assert policies.rule(subject, READ).decision is Decision.ALLOW


def test_a_table_named_like_a_role_is_no_role(load_text: Load, subject: Subject) -> None:
    forbid = '@id("r") forbid (principal, action, resource in Schema::"pg-prod/shop/@roles");'
    policies = load_text(READS + forbid)
    real = statement((Action.READ, Object(("shop", "@roles", "dba"), "table")))
    role = statement((Action.READ, Object(("shop", "@roles", "dba"), "role")))
    assert (policies.rule(subject, real).decision, policies.rule(subject, role).decision) == (
        Decision.ALLOW,
        Decision.DENY,
    )


def test_two_kinds_of_one_name_are_judged_apart(load_text: Load, subject: Subject) -> None:
    forbid = '@id("v") forbid (principal, action, resource) when { resource.kind == "view" };'
    policies = load_text(READS + forbid)
    view = Object(table().path, "view")
    for effects in (((Action.READ, table()), (Action.READ, view)), ((Action.READ, view), (Action.READ, table()))):
        assert policies.rule(subject, statement(*effects)).decision is Decision.DENY


def test_a_thing_in_a_schema_is_in_the_container_of_that_name(load_text: Load, subject: Subject) -> None:
    forbid = '@id("c") forbid (principal, action, resource in Container::"pg-prod/shop/public");'
    assert load_text(READS + forbid).rule(subject, READ).decision is Decision.DENY


def test_azure_scopes_claims_and_tags_are_read(load_text: Load, subject: Subject) -> None:
    text = (
        '@id("x") permit (principal, action, resource in ResourceGroup::"/subscriptions/0f/resourcegroups/shop") when {'
        ' context.plane == "data" && principal.hasTag("ref") && principal.getTag("ref") == "refs/heads/main"'
        ' && resource.of.hasTag("env") && resource.of.getTag("env") == "prod"'
        ' && context.source.isInRange(ip("10.20.0.0/16")) };'
    )
    policies = load_text(text)
    assert policies.rule(subject, READ).decision is Decision.ALLOW
    other_ref = replace(subject, principal=replace(subject.principal, claims={"ref": "refs/heads/x"}))
    untagged = replace(subject, resource=replace(subject.resource, tags={}))
    moved = replace(subject, resource=replace(subject.resource, azure=subject.resource.azure.replace("0F", "1F")))
    elsewhere = replace(subject, source=ip_address("10.21.0.1"))
    for changed in (other_ref, untagged, moved, elsewhere, replace(subject, plane="control")):
        assert policies.rule(changed, READ).decision is Decision.DENY


@pytest.mark.parametrize("source", ["10.20.0.7", "::ffff:10.20.0.7"])
def test_a_mapped_address_is_its_ipv4_address(load_text: Load, subject: Subject, source: str) -> None:
    forbid = '@id("net") forbid (principal, action, resource) when { context.source.isInRange(ip("10.20.0.0/16")) };'
    assert load_text(READS + forbid).rule(replace(subject, source=ip_address(source)), READ).decision is Decision.DENY


def test_an_address_with_a_zone_is_judged(load_text: Load, subject: Subject) -> None:
    assert load_text(READS).rule(replace(subject, source=ip_address("fe80::1%eth0")), READ).decision is Decision.ALLOW


def test_a_user_is_no_agent(load_text: Load, subject: Subject) -> None:
    policies = load_text(READS + '@id("a") forbid (principal is Agent, action, resource);')
    user = replace(subject, principal=replace(subject.principal, kind=PrincipalKind.USER))
    assert policies.rule(subject, READ).decision is Decision.DENY
    assert policies.rule(user, READ).decision is Decision.ALLOW


def test_connect_is_judged_at_login(load_text: Load, subject: Subject) -> None:
    connects = '@id("c") permit (principal, action == Action::"connect", resource == Database::"pg-prod/shop");'
    policies = load_text(connects)
    assert policies.rule_connect(subject).decision is Decision.ALLOW
    refused = policies.rule_connect(replace(subject, database="stock"))
    assert (refused.decision, refused.reason) == (Decision.DENY, "policy does not permit CONNECT on stock")


@pytest.mark.parametrize("name", ["\ud800", "a\x00b", "x" * 5000, '"', "\\", "…/😀"])
def test_strange_names_are_judged_or_denied_never_raised(load_text: Load, subject: Subject, name: str) -> None:
    policies = load_text(READS)
    ruling = policies.rule(subject, statement((Action.DELETE, table(name)), text=name))
    assert ruling.decision is Decision.DENY
    assert len(ruling.reason) < 300
    assert ruling.reason.isprintable() or "…" in ruling.reason


def test_what_the_client_did_not_name_is_not_told(load_text: Load, subject: Subject) -> None:
    hidden = statement((Action.READ, table("salaries", "secret")), text="select * from totals")
    assert (
        load_text(READS.replace("/shop", "/stock")).rule(subject, hidden).reason == "policy does not permit this SELECT"
    )


def test_doubt_is_told_with_unclassified(load_text: Load, subject: Subject) -> None:
    unclear = statement((Action.UNCLASSIFIED, Object(("shop",), "database")), operation="EXECUTE", doubt="dynamic SQL")
    assert load_text(READS).rule(subject, unclear).reason == "policy does not permit EXECUTE on shop: dynamic SQL"


# ── observe ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_observed_forbid_is_recorded_not_enforced(load_text: Load, subject: Subject) -> None:
    watched = '@id("w") @mode("observe") forbid (principal, action == Action::"read", resource);'
    ruling = load_text(READS + watched).rule(subject, READ)
    assert (ruling.decision, ruling.policies) == (Decision.ALLOW, ("reads",))
    assert ruling.observed == (Observation("w", Decision.DENY),)


def test_an_observed_permit_grants_nothing_and_says_what_it_would(load_text: Load, subject: Subject) -> None:
    ruling = load_text('@mode("observe") @approval("dba:1")' + DELETES).rule(subject, DELETE)
    assert (ruling.decision, ruling.observed) == (Decision.DENY, (Observation("deletes", Decision.HOLD),))


def test_an_observed_permit_of_half_a_statement_would_not_allow_it(load_text: Load, subject: Subject) -> None:
    both = statement((Action.READ, table()), (Action.DELETE, table()))
    assert load_text('@mode("observe")' + READS).rule(subject, both).observed == (Observation("reads", Decision.DENY),)


def test_an_erring_observed_policy_disturbs_nothing(load_text: Load, subject: Subject) -> None:
    watched = f'@id("w") @mode("observe") forbid (principal, action, resource) {ERRS}'
    ruling = load_text(READS + watched).rule(subject, READ)
    assert (ruling.decision, ruling.observed) == (Decision.ALLOW, (Observation("w", Decision.DENY),))


# ── the cache ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_fact_that_a_policy_reads_makes_another_ruling(load_text: Load, subject: Subject) -> None:
    """Change one fact right after the unchanged question: a key that misses it would answer as before."""
    forbids = "".join(
        f'@id("f{number}") forbid (principal, action, resource) when {{ {condition} }};'
        for number, condition in enumerate(
            (
                'context.operation == "TABLE"',
                "context.filtered",
                "context.in_transaction",
                'context.stage == "prepare"',
                'context.database == "stock"',
                'context.source == ip("10.20.0.8")',
                'context.plane == "control"',
                'principal.hasTag("x")',
                'principal.subject == "other"',
                'principal.issuer == "other"',
                'resource.of.hasTag("x")',
            )
        )
    )
    policies = load_text(READS + forbids)
    agent, resource = subject.principal, subject.resource
    statements = [
        replace(READ, operation="TABLE"),
        replace(READ, filtered=True),
        replace(READ, in_transaction=True),
        replace(READ, stage=Stage.PREPARE),
        replace(READ, database="stock"),
        statement((Action.READ, table(database="stock"))),
    ]
    subjects = [
        replace(subject, source=ip_address("10.20.0.8")),
        replace(subject, plane="control"),
        replace(subject, principal=replace(agent, claims={"x": ""})),
        replace(subject, principal=replace(agent, subject="other")),
        replace(subject, principal=replace(agent, issuer="other")),
        replace(subject, principal=replace(agent, groups=frozenset())),
        replace(subject, resource=replace(resource, tags={"x": ""})),
        replace(subject, resource=replace(resource, name="pg-test")),
    ]
    for changed in statements:
        assert policies.rule(subject, READ).decision is Decision.ALLOW
        assert policies.rule(subject, changed).decision is Decision.DENY, changed
    for who in subjects:
        assert policies.rule(subject, READ).decision is Decision.ALLOW
        assert policies.rule(who, READ).decision is Decision.DENY, who


def test_a_remembered_refusal_speaks_of_this_text(load_text: Load, subject: Subject) -> None:
    policies = load_text(READS)
    named = policies.rule(subject, replace(DELETE, text="delete from orders"))
    unnamed = policies.rule(subject, replace(DELETE, text="delete from totals"))
    assert (named.reason != unnamed.reason, "orders" in unnamed.reason) == (True, False)


def test_a_new_session_of_the_same_agent_finds_its_rulings(
    load_text: Load, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = load_text(READS)
    first = policies.rule(subject, READ)
    monkeypatch.setattr(policies, "_decide", lambda *_: pytest.fail("was decided again"))
    again = replace(subject, principal=replace(subject.principal), resource=replace(subject.resource))
    assert policies.rule(again, READ) == first


def test_failure_inside_is_deny(load_text: Load, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    policies = load_text(READS)

    class Panic(BaseException):
        """What a panic of native code looks like."""

    def fall(*_: object) -> None:
        raise Panic

    monkeypatch.setattr(policies, "_decide", fall)
    ruling = policies.rule(subject, READ)
    assert (ruling.decision, ruling.version) == (Decision.DENY, policies.version)


def test_what_is_remembered_is_bounded_however_long_the_names(load_text: Load, subject: Subject) -> None:
    policies = load_text(READS)
    for number in range(12):
        policies.rule(subject, statement((Action.READ, table(f"{number}" + "x" * (1 << 20)))))
    assert len(policies._rulings) < 9


def test_an_erring_policy_about_somebody_else_disturbs_nothing(load_text: Load, subject: Subject) -> None:
    broken = f'@id("broken") forbid (principal == User::"ana", action, resource) {ERRS}'
    assert load_text(READS + broken).rule(subject, READ).decision is Decision.ALLOW


def test_an_erring_approval_forbid_is_deny_not_hold(load_text: Load, subject: Subject) -> None:
    asks = '@id("asks") @approval("dba:1") forbid (principal, action, resource);'
    broken = f'@id("broken") @approval("dba:1") forbid (principal, action, resource) {ERRS}'
    assert load_text(READS + asks).rule(subject, READ).decision is Decision.HOLD
    assert load_text(READS + asks + broken).rule(subject, READ).decision is Decision.DENY


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ('resource.name like "or*"', True),
        ('resource.name like "or\\*"', False),
        ('resource is Object in Database::"pg-prod/shop"', True),
        ('resource is Object in Database::"pg-prod/stock"', False),
        ('principal in [Group::"dba", Group::"ci"]', True),
        ('if context.filtered then false else ["table"].contains(resource.kind)', True),
        ("!(context.source.isLoopback()) && context.source.isIpv4()", True),
        ('resource has of && resource.of has kind && resource["kind"] == "table"', True),
        ('{a: resource.kind}.a != "table" || 2 - 3 > -1 * 1', False),
        ('decimal("1.5").lessThan(decimal("1.4")) || datetime("2026-01-01") > datetime("2025-01-01")', True),
    ],
)
def test_conditions_keep_their_meaning(load_text: Load, subject: Subject, condition: str, holds: bool) -> None:
    """Policies pass through Cedar's tree and back, turned into permits: what they say must not change on the way."""
    head = '(principal in Group::"ci", action == Action::"read", resource in Resource::"pg-prod")'
    for text, expected in (
        (f'@id("x") permit {head} when {{ {condition} }};', holds),
        (f'@id("x") permit {head} unless {{ {condition} }};', not holds),
        (f'{READS} @id("x") forbid {head} when {{ {condition} }};', not holds),
    ):
        decision = load_text(text).rule(subject, READ).decision
        assert decision is (Decision.ALLOW if expected else Decision.DENY)


def test_a_question_that_does_not_fit_the_schema_is_not_asked(load_text: Load, subject: Subject) -> None:
    policies = load_text(READS)
    unfit = statement((Action.READ, table()), filtered="yes")
    with pytest.raises(Undecidable, match="filtered"):
        policies.judge(subject, unfit)
    assert policies.rule(subject, unfit).decision is Decision.DENY


def with_claims(subject: Subject, **claims: str) -> Subject:
    return replace(subject, principal=replace(subject.principal, claims=claims))


def test_only_claims_that_policies_read_tell_two_tokens_apart(load_text: Load, subject: Subject) -> None:
    text = READS[:-1] + ' when { principal.hasTag("ref") && principal.getTag("ref") == "refs/heads/main" };'
    policies = load_text(text)
    for number in range(3):
        main = with_claims(subject, ref="refs/heads/main", jti=str(number))
        other = with_claims(subject, ref="refs/heads/evil", jti=str(number))
        assert policies.rule(main, READ).decision is Decision.ALLOW
        assert policies.rule(other, READ).decision is Decision.DENY
        assert policies.rule(with_claims(subject, jti=str(number)), READ).decision is Decision.DENY
    assert policies.askers == 3


@pytest.mark.parametrize("mode", ["", '@mode("observe") '])
def test_a_claim_whose_name_is_computed_may_be_any(load_text: Load, subject: Subject, mode: str) -> None:
    computed = "principal.hasTag(context.operation) && principal.getTag(context.operation) == resource.name"
    own = '@id("own") permit (principal, action, resource in Database::"pg-prod/shop") when { '
    policies = load_text(READS + mode + own + computed + " };")
    named = policies.rule(with_claims(subject, SELECT="orders"), READ)
    other = policies.rule(with_claims(subject, SELECT="others"), READ)
    seen = [one.policies + tuple(each.policy for each in one.observed) for one in (named, other)]
    assert ["own" in each for each in seen] == [True, False]
    assert policies.askers == 2
