"""Whatever is asked: entities fit the schema, rulings follow the rule of combination, and nothing raises."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

import cedarpy
from hypothesis import given, settings
from hypothesis import strategies as st

from blastwall.gate.ports import Subject
from blastwall.model.effects import PSEUDO_KINDS, Action, Effect, Object
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Address, Resource
from blastwall.model.ruling import Approval, Decision
from blastwall.model.statement import Statement
from blastwall.policy.entities import Entity, base_entities, object_entities
from blastwall.policy.known import Known
from blastwall.policy.load import load
from blastwall.policy.schema import schema

RESOURCE = Resource(
    "pg-prod",
    "postgres",
    Address("db.example", 5432),
    ("shop",),
    azure="/subscriptions/0F/resourceGroups/Shop/providers/P/t/pg",
    tags={"env": "prod"},
)
AGENT = Principal(PrincipalKind.AGENT, "shop-ci", "github", "s", frozenset({"ci"}), {"ref": "x"})
SUBJECT = Subject(AGENT, RESOURCE, "shop", ip_address("10.0.0.1"))
KNOWN = Known(frozenset({"ci", "dba", "security"}), {"pg-prod": RESOURCE}, frozenset({"shop-ci"}))

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8) | st.sampled_from(
    ["@roles", "a/b", "F()"]
)
kinds = st.sampled_from(["table", "view", "function", "schema", "container", "database", *sorted(PSEUDO_KINDS)])
objects = st.builds(Object, st.lists(names, max_size=4).map(tuple), kinds)


@given(objects, st.dictionaries(names, st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=3))
@settings(max_examples=150, deadline=None)
def test_every_entity_fits_the_schema_and_is_in_its_resource(thing: Object, claims: dict[str, str]) -> None:
    subject = replace(SUBJECT, principal=replace(AGENT, claims=claims))
    entities = base_entities(subject) + list(object_entities("pg-prod", thing))
    cedarpy.Entities.from_json_str(json.dumps(entities), schema())
    parents = {_key(entity): {(up["type"], up["id"]) for up in entity["parents"]} for entity in entities}
    for key, above in parents.items():
        assert above <= set(parents)
        assert key[0] in {"Agent", "Group", "Subscription", "ResourceGroup"} or _reaches(
            parents, key, ("Resource", "pg-prod")
        )


@given(objects, objects)
@settings(max_examples=150, deadline=None)
def test_two_objects_share_an_id_only_if_their_path_is_one(one: Object, other: Object) -> None:
    if one.path != other.path:
        assert one.id_below("pg-prod") != other.id_below("pg-prod")


def _key(entity: Entity) -> tuple[str, str]:
    return (entity["uid"]["type"], entity["uid"]["id"])


def _reaches(parents: dict[tuple[str, str], set[tuple[str, str]]], key: tuple[str, str], goal: tuple[str, str]) -> bool:
    return key == goal or any(_reaches(parents, up, goal) for up in parents[key])


# ── the rule of combination, told a second time and plainly ──────────────────────────────────────────────────────────

policies_drawn = st.lists(
    st.tuples(
        st.sampled_from(["permit", "forbid"]),
        st.sampled_from(["", "dba:1", "dba:2", "security:1"]),
        st.sampled_from(["yes", "no", "error"]),
        st.booleans(),
    ),
    max_size=6,
)
CONDITIONS = {
    "yes": 'when { context.operation == "SELECT" }',
    "no": 'when { context.operation == "OTHER" }',
    "error": "when { 9223372036854775807 + 1 == 3 }",
}


@given(policies_drawn)
@settings(max_examples=60, deadline=None)
def test_rulings_follow_the_rule(drawn: list[tuple[str, str, str, bool]]) -> None:
    text = "".join(
        f'@id("p{number}") {"@approval(%r)" % who if who else ""} {"@mode(%r)" % "observe" if watched else ""}'  # noqa: UP031
        f' {effect} (principal, action, resource in Resource::"pg-prod") {CONDITIONS[holds]};\n'
        for number, (effect, who, holds, watched) in enumerate(drawn)
    ).replace("'", '"')
    with TemporaryDirectory() as folder:
        path = Path(folder, "p.cedar")
        path.write_text(text)
        policies = load([path], [], KNOWN)
    effect = Effect(Action.READ, Object(("shop", "public", "orders"), "table"))
    ruling = policies.rule(SUBJECT, Statement("orders", (effect,), "SELECT", "shop"))
    in_force = [(effect, who, holds) for effect, who, holds, watched in drawn if not watched]
    assert (ruling.decision, ruling.obligations.approvals) == _expected(in_force)


def _expected(in_force: list[tuple[str, str, str]]) -> tuple[Decision, tuple[Approval, ...]]:
    applying = [(effect, who) for effect, who, holds in in_force if holds == "yes"]
    if any(holds == "error" for *_, holds in in_force) or ("forbid", "") in applying:
        return Decision.DENY, ()
    if "permit" not in {effect for effect, _ in applying}:
        return Decision.DENY, ()
    asked = {who for _, who in applying if who} - ({"dba:1"} if any(who == "dba:2" for _, who in applying) else set())
    approvals = tuple(Approval(one.split(":")[0], int(one.split(":")[1])) for one in sorted(asked))
    return (Decision.HOLD if approvals else Decision.ALLOW), approvals
