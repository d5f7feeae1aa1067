"""What `policy check` finds in a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.control.policy_world import CONFIGURATION, POLICIES, Words, write_world

from blastwall.config.load import load
from blastwall.control.policy import PackLine, check, load_policies
from blastwall.policy.load import PolicyError
from blastwall.protocols.kind import ProtocolKind

KINDS: Mapping[str, ProtocolKind] = {"words": Words()}


def test_check_lists_what_is_in_force(tmp_path: Path) -> None:
    report = check(load(write_world(tmp_path), KINDS), KINDS)
    first, deletes = report.policies[:2]
    assert (first.id, first.effect, first.mode) == ("ci-reads", "permit", "enforce")
    assert (deletes.approvals, deletes.where) == (("dba:1",), f"{tmp_path}/policies/desk.cedar:4")
    assert report.packs == (PackLine("words", ()),)
    assert [one.where for one in report.policies[3:]] == ["pack words:1", "pack words:5"]


def test_check_warns_of_approvers_that_nobody_is(tmp_path: Path) -> None:
    report = check(load(write_world(tmp_path), KINDS), KINDS)
    [warning] = report.warnings
    assert warning.startswith(
        "1 of the group 'approvers' (default packs ask it) may be asked for approval, but no users"
    )


def test_check_warns_of_too_few_approvers(tmp_path: Path) -> None:
    text = CONFIGURATION.replace("groups: [dba]", "groups: [dba, approvers]")
    path = write_world(tmp_path, POLICIES.replace("dba:1", "dba:2"), text)
    [warning] = check(load(path, KINDS), KINDS).warnings
    assert "2 of the group 'dba' may be asked for approval, but 1 user is in it" in warning


def test_check_warns_where_nothing_is_permitted(tmp_path: Path) -> None:
    report = check(load(write_world(tmp_path, "// nothing yet\n"), KINDS), KINDS)
    assert report.warnings[0] == "no policy permits anything: every login will be refused"


@pytest.mark.parametrize(
    ("packs", "expected"),
    [
        ("packs: []", ()),
        ("packs: [words]", ("words-drop", "words-unclassified")),
        ("packs: [{words: {except: [words-drop]}}]", ("words-unclassified",)),
    ],
)
def test_packs_are_chosen_by_the_configuration(tmp_path: Path, packs: str, expected: tuple[str, ...]) -> None:
    path = write_world(tmp_path, configuration=f"{CONFIGURATION}{packs}\n")
    rules = load_policies(load(path, KINDS), KINDS).rules.values()
    assert tuple(rule.id for rule in rules if rule.pack) == expected


def test_an_exception_shows_in_check(tmp_path: Path) -> None:
    text = f"{CONFIGURATION}packs: [{{words: {{except: [words-drop]}}}}]\n"
    report = check(load(write_world(tmp_path, configuration=text), KINDS), KINDS)
    assert report.packs == (PackLine("words", ("words-drop",)),)


def test_names_of_the_configuration_are_known_and_no_others(tmp_path: Path) -> None:
    wrong = POLICIES.replace("desk/shop", "desk/stok").replace('Group::"ci"', 'Group::"cl"')
    with pytest.raises(PolicyError) as refused:
        load_policies(load(write_world(tmp_path, wrong), KINDS), KINDS)
    assert len(refused.value.problems) == 4
    assert "has no database 'stok'; did you mean 'stock'?" in str(refused.value)
