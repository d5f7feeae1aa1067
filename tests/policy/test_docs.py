"""Every Cedar example in the policy guide loads, and the guide speaks of all that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blastwall.model.effects import Action
from blastwall.model.resource import Address, Resource
from blastwall.policy.known import Known
from blastwall.policy.load import load
from blastwall.policy.rules import _READERS
from blastwall.policy.schema import schema_text

GUIDE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```cedar\n(.*?)```", GUIDE, re.DOTALL)
RESOURCE = Resource(
    "pg-prod",
    "postgres",
    Address("db.example", 5432),
    ("shop",),
    azure="/subscriptions/9a1b2c3d-0000-4000-8000-000000000001/resourceGroups/shop/providers/p/t/pg-prod",
)
KNOWN = Known(frozenset({"ci", "dba"}), {"pg-prod": RESOURCE}, frozenset({"shop-ci"}), frozenset({"ana"}))


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_loads(tmp_path: Path, example: str) -> None:
    path = tmp_path / "example.cedar"
    path.write_text(example)
    assert load([path], [], KNOWN).rules


def test_the_examples_together_load(tmp_path: Path) -> None:
    path = tmp_path / "all.cedar"
    path.write_text("\n".join(EXAMPLES))
    assert len(load([path], [], KNOWN).rules) >= len(EXAMPLES) > 4


def test_every_action_context_entity_and_annotation_is_explained() -> None:
    context = re.search(r"type Asked = \{(.*?)\n\};", schema_text(), re.DOTALL)
    assert context is not None
    attributes = re.findall(r"^\s+(\w+):", context[1], re.MULTILINE)
    entities = set(re.findall(r"^entity (\w+)", schema_text(), re.MULTILINE)) - {"Tenant"}
    assert len(attributes) == 10
    assert [one for one in attributes if f"`context.{one}`" not in GUIDE] == []
    assert [one.value for one in Action if f"`{one.value}`" not in GUIDE] == []
    assert [one for one in entities if f"`{one}" not in GUIDE] == []
    assert [one for one in _READERS if f"`@{one}(" not in GUIDE] == []
