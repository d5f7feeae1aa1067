"""What stops a load, and that it says where. Each of these mistakes passes Cedar's own validation, or names no line."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.policy.conftest import Load

from blastwall.policy.known import Known, PackSource
from blastwall.policy.load import PolicyError, load

GOOD = '@id("ok") permit (principal in Group::"ci", action == Action::"read", resource in Database::"pg-prod/shop");\n'
HEAD = 'permit (principal in Group::"ci", action == Action::"read", resource in Database::"pg-prod/shop")'
ONE, SEVERAL = 'action == Action::"read"', 'action in [Action::"delete", Action::"drop", Action::"execute"]'
NEVER = '@id("x") forbid (principal, action, resource)'


def never_in(entity: str) -> str:
    return NEVER.replace("resource", f"resource in {entity}") + ";"


SHOP_GROUP = 'ResourceGroup::"/subscriptions/0f/resourcegroups/shop"'

MISTAKES = {
    # ── annotations ──
    "missing id": (f"{HEAD};", "needs a name"),
    "empty id": (f"@id {HEAD};", "@id('')"),
    "strange id": (f'@id("a b") {HEAD};', "use letters"),
    "misspelt annotation": (
        f'@id("x") @aproval("dba:1") {HEAD};',
        "@aproval: no such annotation; did you mean 'approval'?",
    ),
    "unknown annotation": (
        f'@id("x") @zzz {HEAD};',
        "@zzz: no such annotation; known: approval, grant, grant_max, id, limit_affected, limit_rows, mode, reason",
    ),
    "misspelt limit": (f'@id("x") @limit_row("5") {HEAD};', "did you mean 'limit_rows'?"),
    "empty limit": (f'@id("x") @limit_rows {HEAD};', "@limit_rows('') expects a number of rows"),
    "no rows": (f'@id("x") @limit_affected("0") {HEAD};', "@limit_affected('0') expects a number of rows"),
    "negative limit": (f'@id("x") @limit_rows("-5") {HEAD};', "expects a number of rows"),
    "endless limit": (f'@id("x") @limit_rows("9999999999") {HEAD};', "expects a number of rows"),
    "limit on a forbid": (f'@id("x") @limit_rows("5") {NEVER[9:]};', "put it on a permit"),
    "observed limit": (f'@id("x") @mode("observe") @limit_rows("5") {HEAD};', "is not observed, only enforced"),
    "limit on what nobody counts": (
        f'@id("x") @limit_affected("5") {HEAD.replace(ONE, SEVERAL)};',
        "not of drop, execute; give those a policy of their own",
    ),
    "limit on every action": (
        f'@id("x") @limit_affected("5") {HEAD.replace(ONE, "action")};',
        "not of admin, define, drop",
    ),
    "mode": (f'@id("x") @mode("off") {HEAD};', 'the only mode is "observe"'),
    "empty mode": (f'@id("x") @mode {HEAD};', 'the only mode is "observe"'),
    "empty approval": (f'@id("x") @approval {HEAD};', "expects GROUP:COUNT"),
    "no approver": (f'@id("x") @approval("dba:0") {HEAD};', "expects GROUP:COUNT"),
    "half an approval": (f'@id("x") @approval("dba:1,") {HEAD};', "expects GROUP:COUNT"),
    "twice the group": (f'@id("x") @approval("dba:1, dba:2") {HEAD};', "twice"),
    "unknown approvers": (
        f'@id("x") @approval("dbas:1") {HEAD};',
        "no agent or user has the group 'dbas'; did you mean 'dba'?",
    ),
    "misspelt grant": (f'@id("x") @grnt("dba:1") {HEAD};', "@grnt: no such annotation; did you mean 'grant'?"),
    "misspelt longest": (
        f'@id("x") @grant("dba:1") @grant_mx("4h") {HEAD};',
        "@grant_mx: no such annotation; did you mean 'grant_max'?",
    ),
    "empty grant": (f'@id("x") @grant {HEAD};', "@grant('') expects GROUP:COUNT"),
    "grant by nobody": (f'@id("x") @grant("dba:0") {HEAD};', "@grant('dba:0') expects GROUP:COUNT"),
    "grant by strangers": (
        f'@id("x") @grant("dbas:1") {HEAD};',
        "@grant: no agent or user has the group 'dbas'; did you mean 'dba'?",
    ),
    "grant on a forbid": (f'@id("x") @grant("dba:1") {NEVER[9:]};', "@grant opens a permit, and this policy forbids"),
    "observed grant": (f'@id("x") @mode("observe") @grant("dba:1") {HEAD};', "@grant is not observed, only enforced"),
    "endless grant": (f'@id("x") @grant("dba:1") @grant_max("long") {HEAD};', "expects minutes, hours or days"),
    "grant of no time": (f'@id("x") @grant("dba:1") @grant_max("0h") {HEAD};', "expects minutes, hours or days"),
    "longest of nothing": (f'@id("x") @grant_max("4h") {HEAD};', "@grant_max bounds a grant, and there is none"),
    "empty reason": (f'@id("x") @reason("") {NEVER[9:]};', "@reason expects one line"),
    "reason in lines": (f'@id("x") @reason("a\\nb") {NEVER[9:]};', "@reason expects one line"),
    "idle reason": (f'@id("x") @reason("a") {HEAD};', "a plain permit does neither"),
    "annotated twice": (f'@id("x") @id("y") {HEAD};', "duplicate annotation"),
    # ── names ──
    "group": (
        GOOD.replace('"ci"', '"cii"').replace("ok", "x"),
        "no agent or user has the group 'cii'; did you mean 'ci'?",
    ),
    "group in a condition": (f'{NEVER} unless {{ principal in Group::"dbaa" }};', "the group 'dbaa'"),
    "agent": ('@id("x") forbid (principal == Agent::"shop", action, resource);', "no agent is named 'shop'"),
    "user": (
        '@id("x") forbid (principal == User::"anna", action, resource);',
        "no user is named 'anna'; did you mean 'ana'?",
    ),
    "resource": (never_in('Resource::"pg-prd"'), "no resource is named 'pg-prd'"),
    "database": (f'@id("x") {HEAD.replace("/shop", "/shp")};', "has no database 'shp'; did you mean 'shop'?"),
    "schema elsewhere": (
        never_in('Schema::"pg-prod/shp/public"'),
        "no database 'shp'",
    ),
    "capital": (never_in('Object::"pg-prod/shop/public/Orders"'), "%4frders"),
    "too short": (
        never_in('Object::"pg-prod/shop/orders"'),
        "RESOURCE/DATABASE/SCHEMA/NAME",
    ),
    "too long": (f'@id("x") {HEAD.replace("/shop", "/shop/public")};', "the id of a Database is RESOURCE/DATABASE"),
    "empty segment": (f'@id("x") {HEAD.replace("/shop", "/")};', "the id of a Database is RESOURCE/DATABASE"),
    "group elsewhere": (
        never_in('ResourceGroup::"/subscriptions/0f/resourcegroups/shp"'),
        "no resource is in the resource group",
    ),
    "group in capitals": (
        never_in('ResourceGroup::"/subscriptions/0f/resourceGroups/shop"'),
        "lower case",
    ),
    "subscription": (
        never_in('Subscription::"0f"'),
        "no resource is in the subscription",
    ),
    "tenant": (never_in('Tenant::"t"'), "name its subscription instead"),
    # ── what can never apply, or reaches too far ──
    "contradiction": (
        '@id("x") forbid (principal is Agent, action, resource) when { principal is User };',
        "can never apply",
    ),
    "false": (f"{NEVER} when {{ 1 == 1 }} when {{ false }};", "can never apply"),
    "always exempt": (f"{NEVER} unless {{ true }};", "can never apply"),
    "plane": ('@id("x") permit (principal, action, resource);', "must state the plane"),
    "plane of a type": ('@id("x") permit (principal, action, resource is Object);', "must state the plane"),
    "plane of a group": (
        '@id("x") permit (principal, action, resource in ResourceGroup::"/subscriptions/0f/resourcegroups/shop");',
        "must state the plane",
    ),
    "plane not demanded": (
        '@id("x") permit (principal, action, resource) when { context.plane == "data" || context.filtered };',
        "must state the plane",
    ),
    "plane denied": (
        '@id("x") permit (principal, action, resource) unless { context.plane == "data" };',
        "must state the plane",
    ),
    "no such plane": (
        f'{NEVER} when {{ context.plane == "dta" }};',
        "never 'dta'; it is one of data, control",
    ),
    "no such stage": (f'{NEVER} unless {{ context.stage != "run" }};', "never 'run'"),
    # ── Cedar's own complaints, with a line ──
    "action": (f'@id("x") {HEAD.replace("read", "reed")};', 'unrecognized action `Action::"reed"`'),
    "attribute": (f"{NEVER} when {{ resource.size > 1 }};", "size"),
    "unguarded tag": (f'{NEVER} when {{ principal.getTag("ref") == "x" }};', "unable to guarantee safety"),
    "type": (f'{NEVER} when {{ context.filtered == "yes" && 1 + "" == 2 }};', "compatible"),
    "address": (f'{NEVER} when {{ context.source.isInRange(ip("10.0.0.0/99")) }};', "10.0.0.0/99"),
    "syntax": ('@id("x") permit (principal, action, resourc);', "resourc"),
    "template": ('@id("x") permit (principal == ?principal, action, resource);', "templates"),
    "unended": (f'@id("x") {HEAD}', "unexpected end"),
    "unended string": ('@id("x) permit (principal, action, resource);', "invalid token"),
    "empty policy": (";", "unexpected token `;`"),
}


@pytest.mark.parametrize(("text", "complaint"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_stops_the_load_and_names_its_line(load_text: Load, text: str, complaint: str) -> None:
    with pytest.raises(PolicyError) as refused:
        load_text(f'// a comment; with "signs\n\n{GOOD}{text}')
    assert complaint in str(refused.value)
    assert all("p.cedar:4: " in problem for problem in refused.value.problems)


def test_the_good_beside_the_mistakes_is_good(load_text: Load) -> None:
    assert list(load_text(GOOD).rules) == ["ok"]


@pytest.mark.parametrize(
    "text",
    [
        f'@id("x") {HEAD} when {{ resource has of }};',
        '@id("x") permit (principal, action, resource) when { context.plane == "data" };',
        '@id("x") permit (principal, action, resource) when { ["data", "control"].contains(context.plane) };',
        '@id("x") permit (principal, action, resource is Object in Resource::"pg-prod");',
        '@id("x") permit (principal, action, resource == Object::"pg-prod/shop/public/%4frders");',
        '@id("x") permit (principal, action, resource == Object::"pg-prod/shop/public/f()");',
        '@id("x") permit (principal, action, resource in Schema::"pg-prod/shop/@roles");',
        '@id("x") permit (principal, action, resource in Schema::"pg-prod/shop/%40roles");',
        '@id("x") @approval("approvers:1") forbid (principal, action, resource);',
        '@id("x") @reason("why: \\"; no // end") forbid (principal, action, resource); // and so on;',
        '@id("x") forbid (principal, action, resource) when { principal is Agent || principal is User };',
    ],
)
def test_what_is_meant_loads(load_text: Load, text: str) -> None:
    assert list(load_text(text).rules) == ["x"]


def test_lines_inside_a_policy_are_named(load_text: Load) -> None:
    with pytest.raises(PolicyError, match=r"p\.cedar:5: .*'cii'"):
        load_text(NEVER.replace(" forbid (principal", '\n// why\nforbid (\n  principal\n  in Group::"cii"') + ";")


def test_every_problem_is_told_at_once(load_text: Load) -> None:
    with pytest.raises(PolicyError) as refused:
        load_text(f"{HEAD};\n" * 3)
    assert [problem.split(": ")[0][-2:] for problem in refused.value.problems] == [":1", ":2", ":3"]


def test_one_id_stands_once_across_files_and_packs(tmp_path: Path, known: Known) -> None:
    paths = [tmp_path / "a.cedar", tmp_path / "b.cedar"]
    for path in paths:
        path.write_text(GOOD)
    pack = PackSource("p", '@id("ok") forbid (principal, action, resource);')
    with pytest.raises(PolicyError) as refused:
        load(paths, [pack], known)
    assert [problem.split(": ")[0] for problem in refused.value.problems] == [f"{paths[1]}:1", "pack p:1"]


def test_unreadable_files_are_named(tmp_path: Path, known: Known) -> None:
    binary = tmp_path / "b.cedar"
    binary.write_bytes(b"// \n// \xff")
    with pytest.raises(PolicyError) as refused:
        load([tmp_path / "none.cedar", binary], [], known)
    assert [problem.split(": ", 1)[1] for problem in refused.value.problems] == [
        "cannot be read: No such file or directory",
        "not UTF-8 text",
    ]


@pytest.mark.parametrize("levels", [120, 490, 100_000])
@pytest.mark.parametrize(
    ("before", "after"), [("(", ")"), ("true && ", ""), ("if true then ", " else false"), ("!", "")]
)
def test_deep_nesting_is_a_problem_not_a_crash(load_text: Load, before: str, after: str, levels: int) -> None:
    with pytest.raises(PolicyError, match=r"p\.cedar:1: "):
        load_text(f"{NEVER} when {{ {before * levels}1 == 2{after * levels} }};")


# ── packs ────────────────────────────────────────────────────────────────────────────────────────────────────────────

PACK = (
    '@id("a") forbid (principal, action == Action::"drop", resource);\n'
    '@id("b") @approval("approvers:1") forbid (principal, action == Action::"drop", resource);'
)


def test_a_pack_with_a_permit_is_refused(load_text: Load) -> None:
    with pytest.raises(PolicyError, match="pack p:1: policy 'ok': a default pack holds forbids only"):
        load_text("", [PackSource("p", GOOD)])


def test_an_exception_opens_one_policy(load_text: Load) -> None:
    assert list(load_text("", [PackSource("p", PACK)]).rules) == ["a", "b"]
    assert list(load_text("", [PackSource("p", PACK, ("a",))]).rules) == ["b"]


def test_an_exception_that_names_no_policy_is_refused(load_text: Load) -> None:
    with pytest.raises(PolicyError, match="no policy of the pack is named 'c'; known: a, b"):
        load_text(GOOD.replace("ok", "c"), [PackSource("p", PACK, ("c",))])


def test_the_version_is_a_digest_of_all_that_decides(load_text: Load) -> None:
    sets = [
        load_text(""),
        load_text(GOOD),
        load_text(GOOD + " "),
        load_text(GOOD, [PackSource("p", PACK)]),
        load_text(GOOD, [PackSource("p", PACK, ("a",))]),
        load_text(GOOD, [PackSource("q", PACK)]),
    ]
    assert len({policies.version for policies in sets}) == len(sets)
    assert load_text(GOOD).version == sets[1].version


def test_the_order_of_files_is_no_other_version(tmp_path: Path, known: Known) -> None:
    paths = [tmp_path / "a.cedar", tmp_path / "b.cedar"]
    for path in paths:
        path.write_text(GOOD.replace("ok", path.stem))
    assert load(paths, [], known).version == load(paths[::-1], [], known).version
