"""`notifications:` in the configuration."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from blastwall.config.model import Configuration
from blastwall.model.told import Topic

Refused = Callable[[str], list[str]]
Accepted = Callable[[str], Configuration]

SECTION = "notifications:\n  - {%s}\n"


def test_what_is_left_out_is_said_by_default(accepted: Accepted, small: str) -> None:
    (slack,) = accepted(small + SECTION % "slack: {env: SLACK_URL}").notifications
    assert (slack.called, slack.kind, slack.private) == ("slack", "slack", False)
    assert [topic for topic in Topic if slack.wants(topic, "shop")] == [t for t in Topic if t is not Topic.DENIED]


def test_only_of_some_resources_and_of_what_concerns_all(accepted: Accepted, small: str) -> None:
    text = small + SECTION % "teams: {env: URL}, for: [containment], resources: [shop]"
    (teams,) = accepted(text).notifications
    wanted = [teams.wants(Topic.CONTAINMENT, resource) for resource in ("shop", "other", "")]
    assert wanted == [True, False, True]
    assert not teams.wants(Topic.APPROVAL, "shop")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("for: [denied]", "give one of `slack`, `teams` and `webhook`"),
        ("slack: {env: A}, teams: {env: B}", "give one of"),
        ("webhook: 'https://ops.example/hook'", "`webhook` needs `secret`"),
        ("slack: {env: A}, secret: {env: B}", "`webhook` needs `secret`"),
        ("webhook: 'http://ops.example/hook', secret: {env: K}", "expects an https URL"),
        ("webhook: 'https://me:pw@ops.example/', secret: {env: K}", "must not carry user"),
        ("slack: {env: A}, for: [denials]", "expects 'approval'"),
        ("slack: {env: A}, for: []", "must not be empty"),
        ("slack: 'https://hooks.slack.com/services/T0/B0/XXXX'", "slack"),
        ("slack: {env: A}, resources: [shopp]", "no resource is named 'shopp'; did you mean 'shop'?"),
        ("slack: {env: A}}\n  - {slack: {env: B}", "notifications[0] is called 'slack' too; give one of them a `name`"),
    ],
)
def test_what_is_refused(refused: Refused, small: str, entry: str, said: str) -> None:
    problems = refused(small + SECTION % entry)
    assert any(said in problem for problem in problems), problems
    assert not any("XXXX" in problem for problem in problems)
