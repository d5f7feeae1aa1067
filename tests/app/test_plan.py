from __future__ import annotations

from pathlib import Path

import pytest

from blastwall.app.advice import cautions, in_the_state, secrets, unset_variables
from blastwall.app.plan import Unusable, prepare
from blastwall.model.masks import ColumnRule, DetectRule, MaskStyle
from blastwall.store.database import open_store
from blastwall.store.grants import GrantTable, StoredGrant


def change(file: Path, old: str, new: str) -> Path:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return file


def refusal(file: Path) -> str:
    with pytest.raises(Unusable) as refused:
        prepare(file)
    return str(refused.value)


def test_a_plan_holds_everything_checked(file: Path) -> None:
    plan = prepare(file)
    assert list(plan.resources) == ["shop"]
    assert "ci-reads" in plan.policies.rules
    assert [pack.name for pack in plan.packs] == ["postgres"]
    assert [entry.rule for entry in plan.masks] == [
        ColumnRule("public.customers.email", "public.customers.email", MaskStyle.PARTIAL),
        DetectRule("card+iban", ("card", "iban"), MaskStyle.REDACT),
    ]


def test_preparing_writes_nothing(file: Path, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    prepare(file)
    assert sorted(folder.rglob("*")) == before


def test_packs_can_be_switched_off(file: Path) -> None:
    file.write_text(file.read_text() + "packs: []\n")
    plan = prepare(file)
    assert plan.packs == ()
    assert "packs: the default pack 'postgres' is off" in list(cautions(plan))


def test_one_policy_of_a_pack_can_be_switched_off(file: Path) -> None:
    name = next(rule.id for rule in prepare(file).policies.rules.values() if rule.pack)
    file.write_text(file.read_text() + f"packs: [{{postgres: {{except: ['{name}']}}}}]\n")
    plan = prepare(file)
    assert name not in plan.policies.rules
    assert f"packs: postgres: the policy {name!r} is off" in list(cautions(plan))


def test_a_misspelt_exception_is_refused(file: Path) -> None:
    file.write_text(file.read_text() + "packs: [{postgres: {except: [nothing-like-it]}}]\n")
    assert "nothing-like-it" in refusal(file)


def test_a_policy_that_names_an_unknown_group_is_refused_with_its_line(file: Path, folder: Path) -> None:
    change(folder / "policies" / "ci.cedar", 'Group::"ci"', 'Group::"cj"')
    assert f"{folder}/policies/ci.cedar:2" in refusal(file)


def test_a_claim_that_can_change_hands_is_refused(file: Path) -> None:
    change(file, 'repository_id: "123"', "email: a@b.example")
    assert "agent ci: match: email" in refusal(file)


def test_the_configurations_own_problems_come_first(file: Path) -> None:
    change(file, "upstream:", "upstrem:")
    assert "unknown key; did you mean 'upstream'?" in refusal(file)


def test_secrets_are_told_by_source_never_by_value(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    (state,) = secrets(prepare(file).configuration)
    assert (state.source, state.problem) == ("environment variable SHOP_PASSWORD", "")
    assert "hunter2" not in repr(state)


def test_unset_variables_and_missing_files(file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_PASSWORD", raising=False)
    configuration = prepare(file).configuration
    assert [state.problem for state in unset_variables(configuration)] == ["not set, or empty"]
    change(file, "{env: SHOP_PASSWORD}", "{file: secret}")
    configuration = prepare(file).configuration
    assert unset_variables(configuration) == ()
    assert [state.problem for state in secrets(configuration)] == ["cannot be read: No such file or directory"]
    (folder / "secret").touch()
    assert [state.problem for state in secrets(configuration)] == ["empty"]


def test_cautions_about_weak_choices(file: Path) -> None:
    change(file, "database: shop}", "database: shop, tls: require}\n    plain_text: true")
    said = "\n".join(cautions(prepare(file)))
    assert "without TLS" in said
    assert "not fully verified (tls: require)" in said
    assert "development CA" in said
    assert "no anchors" in said


GLASS = "break_glass: {group: incident}\n"
INCIDENT = "  - {name: bea, issuer: github, match: {oid: b}, groups: [incident]}\n"
AUDITOR = "  - {name: eva, issuer: github, match: {oid: e}, groups: [audit]}\ncontrol: {roles: {auditor: [audit]}}\n"


@pytest.mark.parametrize(("more", "warned"), [("", True), (AUDITOR, False)])
def test_a_glass_whose_review_nobody_else_could_close_is_warned_of(file: Path, more: str, warned: bool) -> None:
    text = file.read_text() + GLASS + "users:\n" + INCIDENT + more
    file.write_text(text)
    assert any("reviews may stay open for ever" in each for each in cautions(prepare(file))) is warned


async def test_what_somebody_should_look_at_is_found_in_the_state(file: Path, folder: Path) -> None:
    configuration = prepare(file).configuration
    assert await in_the_state(configuration, 1e6) == ()
    assert not (folder / "state").exists(), "looking makes no state"
    store = await open_store(configuration.state)
    broken = StoredGrant(
        "g1", "break_glass", "agent", "ci", "github", "s", "{}", "shop", "[]", "fire", 5, "[]", 1000.0, "user bea",
        1000.0, state="open", starts=1000.0, ends=1300.0, unreviewed=True,
    )  # fmt: skip
    await GrantTable(store).add(broken)
    await store.close()
    assert await in_the_state(configuration, 1000.0 + 86_400) == ()
    assert await in_the_state(configuration, 1001.0 + 86_400) == (
        "break-glass g1: its review has been open for more than a day",
    )
    [forged] = await in_the_state(configuration, 1200.0)
    assert "grant g1: it opens nothing: somebody wrote it into the state" in forged, "this store has another key"
    assert not (folder / "state" / "approvals.key").exists(), "nor does it make a key, which the gateway might not read"
