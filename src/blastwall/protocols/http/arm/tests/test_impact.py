"""What people who decide about a group's deletion are told: asked of the resource in plain HTTP/1.1."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from blastwall.model.azure import azure_object
from blastwall.model.credential import Credential
from blastwall.model.effects import Action, Effect
from blastwall.protocols.contract import UPSTREAM, Answered, Close, Dial, Opening, Output, Send, StartTls
from blastwall.protocols.http.arm.impact import NAME, ArmImpact, ImpactUnknown, WhatLiesIn, question_of
from blastwall.protocols.http.arm.tests.asking import ARM, GROUP
from blastwall.protocols.kind import Estimated

QUESTION = WhatLiesIn(GROUP)
OTHER = f"{GROUP}2"


class Conversation:
    """One companion and what it has said."""

    def __init__(self) -> None:
        opening = Opening("impact", ARM, lambda count: b"\0" * count)
        self.companion = ArmImpact(opening, Credential("", b"azure-token", token=True), NAME)
        self.out: list[Output] = list(self.companion.start())

    def ask(self, number: int = 1, question: object = QUESTION) -> None:
        self.out += self.companion.look_up(number, question)

    def answer(self, document: object, status: int = 200, step: int = 7) -> None:
        body = json.dumps(document).encode()
        whole = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        for start in range(0, len(whole), step):
            self.out += self.companion.receive(UPSTREAM, whole[start : start + step])

    def sent(self) -> list[str]:
        return [bytes(each.span).decode() for each in self.out if isinstance(each, Send)]

    def replies(self) -> list[object]:
        return [each.reply for each in self.out if isinstance(each, Answered)]

    @property
    def estimate(self) -> Estimated:
        [reply] = self.replies()
        assert isinstance(reply, Estimated)
        return reply


def resources(*kinds: str, following: str | None = None) -> dict[str, object]:
    found: dict[str, object] = {"value": [{"id": "x", "type": kind} for kind in kinds]}
    return found if following is None else found | {"nextLink": following}


def locks(*levels: str) -> dict[str, object]:
    return {"value": [{"name": f"keep{number}", "properties": {"level": each}} for number, each in enumerate(levels)]}


VM, DISK = "Microsoft.Compute/virtualMachines", "Microsoft.Compute/disks"


def test_the_resources_of_a_group_are_counted_and_its_locks_named() -> None:
    talk = Conversation()
    talk.ask()
    assert [type(each) for each in talk.out] == [Dial, StartTls, Send]
    [asked] = talk.sent()
    assert asked.startswith(f"GET {GROUP}/resources?api-version=2021-04-01 HTTP/1.1\r\nHost: management.azure.com\r\n")
    assert "Authorization: Bearer azure-token\r\n" in asked
    talk.answer(resources(VM, VM, DISK))
    assert talk.sent()[1].startswith(f"GET {GROUP}/providers/Microsoft.Authorization/locks?")
    talk.answer(locks("CanNotDelete"))
    assert (talk.estimate.rows, talk.estimate.counted) == (3, True)
    assert talk.estimate.note == (
        "resources in the group: 2 Microsoft.Compute/virtualMachines, 1 Microsoft.Compute/disks; "
        "locked, so it will fail: keep0 (CanNotDelete)"
    )


def test_an_empty_group_without_locks() -> None:
    talk = Conversation()
    talk.ask()
    talk.answer(resources())
    talk.answer(locks())
    assert (talk.estimate.rows, talk.estimate.note) == (0, "resources in the group; no lock in it stands in the way")


def test_pages_are_followed_at_the_resource_and_nowhere_else() -> None:
    talk = Conversation()
    talk.ask()
    talk.answer(resources(VM, following=f"https://management.azure.com{GROUP}/resources?$skiptoken=2&x=%2B"))
    assert talk.sent()[1].startswith(f"GET {GROUP}/resources?$skiptoken=2&x=%2B HTTP/1.1\r\n")
    talk.answer(resources(VM, following="https://elsewhere.example/resources"))
    assert "/locks?" in talk.sent()[2]
    talk.answer(locks())
    assert talk.estimate.rows == 2
    assert "elsewhere" not in "".join(talk.sent())


def test_a_group_without_end_is_not_counted_without_end() -> None:
    talk = Conversation()
    talk.ask()
    for _ in range(20):
        talk.answer(resources(VM, following=f"https://management.azure.com{GROUP}/resources?$skiptoken=2"), step=999)
    talk.answer(locks())
    assert talk.estimate.note.startswith("resources in the group and more: 20 ")


def test_names_of_others_making_are_made_plain() -> None:
    talk = Conversation()
    talk.ask()
    talk.answer({"value": [{"type": "Evil\x1b[31m<b>"}, {"type": 7}, "x"]})
    talk.answer({"value": [{"name": "a\nb; fine", "properties": "x"}]})
    assert talk.estimate.note == ("resources in the group: 1 Evil??31m?b?, 1 ?; locked, so it will fail: a?b? fine (?)")


def test_locks_that_cannot_be_read_are_said_to_be_unknown() -> None:
    talk = Conversation()
    talk.ask()
    talk.answer(resources(VM))
    talk.answer({"error": {"code": "AuthorizationFailed"}}, 403)
    assert talk.estimate.note.endswith("its locks cannot be read")


@pytest.mark.parametrize(("document", "status"), [({"error": {}}, 403), ({"error": {}}, 404), ([], 200), ({}, 200)])
def test_a_group_that_cannot_be_read_is_not_guessed(document: object, status: int) -> None:
    talk = Conversation()
    talk.ask()
    talk.answer(document, status)
    [reply] = talk.replies()
    assert isinstance(reply, ImpactUnknown)


def test_questions_wait_for_each_other_and_a_lost_connection_fails_them_all() -> None:
    talk = Conversation()
    talk.ask(1)
    talk.ask(2, WhatLiesIn(OTHER))
    talk.answer(resources(VM))
    talk.answer(locks())
    assert talk.sent()[-1].startswith(f"GET {OTHER}/resources?")
    talk.ask(3)
    talk.out += talk.companion.receive_eof(UPSTREAM)
    assert [type(reply) for reply in talk.replies()] == [Estimated, ImpactUnknown, ImpactUnknown]
    assert isinstance(talk.out[-1], Close)


@pytest.mark.parametrize("ends", ["dial", "401", "garbage", "flood"])
def test_what_cannot_go_on_is_closed_and_opened_anew_by_the_next_question(ends: str) -> None:
    talk = Conversation()
    talk.ask()
    if ends == "dial":
        talk.out += talk.companion.dial_failed(UPSTREAM, "refused")
    elif ends == "401":
        talk.answer({"error": {}}, 401)
    elif ends == "garbage":
        talk.out += talk.companion.receive(UPSTREAM, b"SSH-2.0-x\r\n\r\n")
    else:
        talk.out += talk.companion.receive(
            UPSTREAM, b"HTTP/1.1 200 X\r\nContent-Length: 9000000\r\n\r\n" + b" " * 5_000_000
        )
    assert isinstance(talk.replies()[0], ImpactUnknown)
    assert isinstance(talk.out[-1], Close)


def effects(*pairs: tuple[Action, str]) -> Sequence[Effect]:
    return [Effect(action, azure_object(identity)) for action, identity in pairs]


def test_only_the_deletion_of_one_group_is_asked_about() -> None:
    assert question_of(effects((Action.DROP, GROUP))) == (NAME, QUESTION)
    assert question_of(effects((Action.READ, OTHER), (Action.DROP, GROUP))) == (NAME, QUESTION)
    assert question_of(effects((Action.DROP, GROUP), (Action.DROP, OTHER))) is None
    assert question_of(effects((Action.READ, GROUP))) is None
    assert question_of(effects((Action.DROP, f"{GROUP}/providers/microsoft.storage/storageaccounts/x"))) is None
    assert question_of(effects((Action.DROP, "/subscriptions/s1"))) is None
