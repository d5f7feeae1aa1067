from __future__ import annotations

import pytest

from blastwall.masking.configured import ConfiguredMasking, MaskEntry
from blastwall.model.masks import NO_MASKS, ColumnRule, DetectRule, MaskStyle
from blastwall.model.principal import Principal, PrincipalKind
from blastwall.model.resource import Address, Resource
from blastwall.model.statement import Parameter, Statement

KEY = b"a key that is long enough for it"
MAILS = ColumnRule("mails", "public.customers.email", MaskStyle.TOKEN)
PII = DetectRule("pii", ("email",), MaskStyle.REDACT)
PROD = Resource("pg-prod", "any", Address("db.example", 1))
TEST = Resource("pg-test", "any", Address("db.example", 1))
ENTRIES = [MaskEntry("pg-prod", MAILS, frozenset({"fraud"})), MaskEntry("pg-prod", PII)]


def agent(*groups: str) -> Principal:
    return Principal(PrincipalKind.AGENT, "ci", "github", "sub", frozenset(groups))


def test_rules_are_those_of_the_resource_less_what_a_group_is_exempt_from() -> None:
    masking = ConfiguredMasking(ENTRIES, KEY)
    everybody = masking.rules(agent("ci"), PROD)
    assert (everybody.columns, everybody.detect, everybody.key) == ((MAILS,), (PII,), KEY)
    exempt = masking.rules(agent("ci", "fraud"), PROD)
    assert (exempt.columns, exempt.detect) == ((), (PII,))
    assert masking.rules(agent("ci"), TEST) is NO_MASKS
    assert masking.rules(agent("ci"), PROD) is everybody


def test_nobody_is_exempt_from_redaction_in_recordings() -> None:
    masking = ConfiguredMasking([MaskEntry("pg-prod", PII, frozenset({"ci"}))], KEY)
    asked = Statement("SELECT 'a@b.co'", (), "SELECT", "shop", (Parameter("a@b.co"),))
    assert masking.redact(PROD, asked).text == "SELECT '[redacted:email]'"
    assert masking.redact(TEST, asked).text == asked.text


def test_a_bad_reload_leaves_the_old_rules_in_force() -> None:
    masking = ConfiguredMasking(ENTRIES, KEY)
    before = masking.rules(agent(), PROD)
    for entries, key in (
        ([MaskEntry("pg-prod", ColumnRule("x", "email", MaskStyle.REDACT))], KEY),
        ([MaskEntry("pg-prod", DetectRule("x", ("fingerprint",), MaskStyle.REDACT))], KEY),
        (ENTRIES, b""),
    ):
        with pytest.raises(ValueError, match=r"column|detector|key"):
            masking.replace(entries, key)
        assert masking.rules(agent(), PROD) is before
    masking.replace([], KEY)
    assert masking.rules(agent(), PROD) is NO_MASKS


def test_the_key_shows_nowhere() -> None:
    masking = ConfiguredMasking(ENTRIES, KEY)
    assert "long enough" not in repr(masking) + repr(masking.rules(agent(), PROD)) + repr(ENTRIES)
