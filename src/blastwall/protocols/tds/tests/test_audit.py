"""`check --dial`: what a server says of ways around the gateway."""

from __future__ import annotations

from typing import cast

from blastwall.protocols.kind import AUDIT, Finding, Weight
from blastwall.protocols.tds.answers import done, error
from blastwall.protocols.tds.audit import AuditFailed, TdsAuditor
from blastwall.protocols.tds.audit_findings import AUTHENTICATION, FIREWALL, MEMBERS, OTHERS, OWN, QUESTIONS
from blastwall.protocols.tds.catalog_queries import SECURE
from blastwall.protocols.tds.tests.asking import Asking
from blastwall.protocols.tds.tests.server import TinyServer, table

REFUSED = error(229, "The SELECT permission was denied.") + done(status=2)
SAFE = {
    AUTHENTICATION: table([("1",)], 1) + done(),
    OWN: table([("gateway", "0", "0", "0", "0", "0")], 6) + done(),
    OTHERS: table([], 3) + done(),
    MEMBERS: table([], 2) + done(),
    FIREWALL: table([], 3) + done(),
}


def auditor(**answers: bytes) -> Asking:
    server = TinyServer()
    names = dict(zip(("authentication", "own", "others", "members", "firewall"), QUESTIONS, strict=True))
    server.replies = {SECURE: done(), **SAFE, **{names[name]: reply for name, reply in answers.items()}}
    return Asking(server, lambda opening, credential: TdsAuditor(opening, credential, "shop"))


def found(**answers: bytes) -> list[Finding]:
    play = auditor(**answers)
    play.ask(AUDIT)
    (answer,) = play.answers
    assert play.closed == "asked"
    return list(cast("tuple[Finding, ...]", answer.reply))


def warnings(**answers: bytes) -> str:
    return " | ".join(finding.what for finding in found(**answers) if finding.weight is Weight.WARNING)


def test_a_server_that_cannot_be_gone_around_gives_no_warning() -> None:
    assert warnings() == ""
    assert [finding.weight for finding in found()] == [Weight.GOOD] * 4


def test_passwords_that_open_it_are_a_way_around() -> None:
    assert warnings(authentication=table([("0",)], 1) + done()).startswith("SQL logins open it")
    assert warnings(authentication=table([(None,)], 1) + done()).startswith("SQL logins open it")


def test_a_gateways_user_that_may_do_more_is_named() -> None:
    told = warnings(own=table([("dbo", "1", "0", "0", "1", "0")], 6) + done())
    assert told == "the gateway's own user dbo may do more than agents need: member of db_owner, db_ddladmin"


def test_other_users_are_named_and_so_are_their_roles() -> None:
    others = table([(f"user{number}", "SQL_USER", "DATABASE") for number in range(12)], 3) + done()
    assert "user9 and 2 more" in warnings(others=others)
    members = table([("db_owner", "ana"), ("db_datareader", "ben")], 2) + done()
    assert warnings(members=members) == "other users with far-reaching roles go around the gateway: ana (db_owner)"


def test_wide_firewall_rules_are_named() -> None:
    rules = table(
        [
            ("AllowAllWindowsAzureIps", "0.0.0.0", "0.0.0.0"),
            ("office", "10.0.0.1", "10.0.0.1"),
            ("all", "0.0.0.0", "255.255.255.255"),
        ],
        3,
    )
    told = warnings(firewall=rules + done())
    assert "AllowAllWindowsAzureIps lets all of Azure in" in told
    assert "all lets 0.0.0.0 to 255.255.255.255 in" in told
    assert "office" not in told


def test_what_may_not_be_asked_is_said_and_the_rest_is_answered() -> None:
    findings = found(firewall=REFUSED, members=REFUSED)
    assert sum("the server did not say" in finding.what for finding in findings) == 2
    assert any("Entra alone" in finding.what for finding in findings)


def test_a_server_that_cannot_be_asked_is_told() -> None:
    server = TinyServer()
    server.login = error(18456, "Login failed for user 'app'.") + done(status=2)
    server.slow = True
    play = Asking(server, lambda opening, credential: TdsAuditor(opening, credential, "shop"))
    play.ask(AUDIT)
    play.go_on()
    assert isinstance(play.answers[0].reply, AuditFailed)
