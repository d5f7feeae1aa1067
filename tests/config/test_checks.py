"""What no single key can be wrong about."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from blastwall.config.model import Configuration
from blastwall.model.resource import is_loopback

Refused = Callable[[str], list[str]]
Accepted = Callable[[str], Configuration]

SECOND_AGENT = "  - {name: %s, issuer: %s, match: %s}\nresources:"
SECOND_RESOURCE = """\
  - name: {name}
    kind: tape
    listen: {listen}
    upstream: {{host: other.example}}
    credential: {{user: app, password: {{env: B}}}}
"""


def with_agent(small: str, name: str = "b", issuer: str = "github", match: str = "{sub: x}") -> str:
    return small.replace("resources:", SECOND_AGENT % (name, issuer, match))


def only(problems: list[str]) -> str:
    (problem,) = problems
    return problem.partition(": ")[2]


def test_unknown_issuer_of_an_agent(refused: Refused, small: str) -> None:
    assert only(refused(with_agent(small, issuer="githib"))) == (
        "agents[1].issuer: no issuer is named 'githib'; did you mean 'github'?"
    )


def test_unknown_issuer_of_a_user(refused: Refused, small: str) -> None:
    text = small + "users:\n  - {name: ana, issuer: entra, match: {oid: x}}\n"
    assert only(refused(text)) == "users[0].issuer: no issuer is named 'entra'; known: github"


def test_two_agents_of_one_name_whatever_the_case(refused: Refused, small: str) -> None:
    assert "agents[0] has the name" in only(refused(with_agent(small, name="CI")))


def test_two_resources_of_one_name(refused: Refused, small: str) -> None:
    assert "resources[0] has the name" in only(refused(small + SECOND_RESOURCE.format(name="shop", listen=15433)))


def test_two_agents_that_match_the_same_tokens(refused: Refused, small: str) -> None:
    problem = only(refused(with_agent(small, match='{repository_id: "123"}')))
    assert problem.startswith("agents[1].match: agents[0] matches the same tokens")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("regex:([", "not a regular expression that can be used"),
        ("regex:", "must not be empty"),
        ("glob:", "must not be empty"),
        ("glob:**", "matches every token of the issuer"),
    ],
)
def test_patterns_that_cannot_be_used(refused: Refused, small: str, value: str, said: str) -> None:
    assert said in only(refused(with_agent(small, match=f"{{sub: '{value}'}}")))


RADIO = """\
  - {name: %s, kind: %s, listen: %d, upstream: {host: r.example}, credential: {password: {env: B}}%s}
"""


def radio(name: str = "radio", kind: str = "radio", port: int = 15433, more: str = "") -> str:
    return RADIO % (name, kind, port, f", {more}" if more else "")


def test_resources_whose_clients_say_a_host_name_may_share_a_port(accepted: Accepted, small: str) -> None:
    found = accepted(small + radio("a", more="hosts: [A.gw.example]") + radio("b", more="hosts: [b.gw.example, b]"))
    assert [resource.hosts for resource in found.resources] == [[], ["a.gw.example"], ["b.gw.example", "b"]]
    assert found.resources[1].credentials[0].user is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            radio("a", more="hosts: [a]") + radio("b"),
            "resources[2]: port 15433 is shared with a: give `hosts`, the names by which clients reach it",
        ),
        (
            radio("a", more="hosts: [a]") + radio("b", more="hosts: [b, A]"),
            "resources[2].hosts[1]: 'a' is a name of a already",
        ),
        (radio("a", more="hosts: [a, A]"), "resources[1].hosts[1]: 'a' is a name of a already"),
        (
            radio("a", more="hosts: [a]") + radio("b", "telex", more="hosts: [b]"),
            "resources[2].listen: port 15433 is taken by a, whose clients speak another protocol",
        ),
        (
            radio("a", more="hosts: [a]") + radio("b", more="hosts: [b], plain_text: true"),
            "resources[2].plain_text: port 15433 is shared with a, so `plain_text` must be the same",
        ),
        (radio("a", port=15432, more="hosts: [a]"), "resources[1].listen: port 15432 is taken by shop"),
        (
            radio("a", more="hosts: ['a:443']"),
            "resources[1].hosts[0]: expects a host name such as arm.gw.example, without scheme or port",
        ),
        (
            radio("a", more="hosts: ['*.gw.example']"),
            "resources[1].hosts[0]: expects a host name such as arm.gw.example, without scheme or port",
        ),
    ],
)
def test_resources_that_no_client_could_tell_apart(refused: Refused, small: str, text: str, said: str) -> None:
    assert only(refused(small + text)) == said


def test_a_host_name_that_no_client_says(refused: Refused, small: str) -> None:
    text = small.replace("    upstream:", "    hosts: [shop.gw.example]\n    upstream:")
    problem = only(refused(text))
    assert problem == "resources[0].hosts: clients of the kind 'tape' say no host name; leave `hosts` out"


def test_a_user_where_the_kind_wants_one(refused: Refused, small: str) -> None:
    problem = only(refused(small.replace("user: app, ", "")))
    assert problem == "resources[0].credential: give `user`: whose tape it is"


def test_a_token_of_which_nobody_says_what_it_is_made_for(refused: Refused, accepted: Accepted, small: str) -> None:
    text = small + radio().replace("{password: {env: B}}", "{entra: managed-identity}")
    problem = only(refused(text))
    assert problem.startswith("resources[1].credential.entra: give `scope`, what the token is made for")
    text = text.replace("managed-identity", "{scope: api://r/.default}")
    entra = accepted(text).resources[1].credentials[0].entra
    assert entra is not None
    assert entra.made_for == "api://r/.default"


def test_two_resources_on_one_port(refused: Refused, small: str) -> None:
    assert only(refused(small + SECOND_RESOURCE.format(name="b", listen=15432))) == (
        "resources[1].listen: port 15432 is taken by shop"
    )


def test_a_resource_on_the_control_port(refused: Refused, small: str) -> None:
    assert only(refused(small + "control: {port: 15432}\n")).endswith("port 15432 is taken by the control port")


def test_the_control_port_on_another_address_is_free(accepted: Accepted, small: str) -> None:
    assert accepted(small + "listen: 10.0.0.1\ncontrol: {port: 15432, listen: 127.0.0.1}\n").control.port == 15432


def test_a_group_that_nobody_has(refused: Refused, small: str) -> None:
    text = small + "masking:\n  - {resource: shop, columns: [a.b.c], except: [cj]}\n"
    assert only(refused(text)) == "masking[0].except[0]: no agent or user has the group 'cj'; known: ci"


def test_a_credential_for_a_group_that_nobody_has(refused: Refused, small: str) -> None:
    text = small.replace("{user: app, password: {env: SHOP_PASSWORD}}", "{user: a, password: {env: A}, for: [cj]}")
    assert only(refused(text)).startswith("resources[0].credential.for[0]: no agent or user has the group 'cj'")


def test_two_credentials_for_one_group_or_for_everybody(refused: Refused, small: str) -> None:
    one = "{user: a, password: {env: A}, for: [ci]}"
    rest = "{user: a, password: {env: A}}"
    text = small.replace("{user: app, password: {env: SHOP_PASSWORD}}", f"[{one}, {one}, {rest}, {rest}]")
    problems = [problem.partition(": ")[2] for problem in refused(text)]
    assert [problem.partition(":")[0] for problem in problems] == [
        "resources[0].credential[3]",
        "resources[0].credential[1]",
    ]


def test_masking_of_an_unknown_resource(refused: Refused, small: str) -> None:
    text = small + "masking:\n  - {resource: shap, columns: [a.b.c]}\n"
    assert only(refused(text)) == "masking[0].resource: no resource is named 'shap'; did you mean 'shop'?"


@pytest.mark.parametrize("column", ["customers.email", "a..b", "a.b.c.d.e", "email"])
def test_columns_that_are_not_dotted_names(refused: Refused, small: str, column: str) -> None:
    text = small + f"masking:\n  - {{resource: shop, columns: [{column}]}}\n"
    assert "is not `[database.]schema.table.column`" in only(refused(text))


@pytest.mark.parametrize("address", ["everywhere", "10.0.0.1:80", "10.0.0", ""])
def test_listen_addresses(refused: Refused, small: str, address: str) -> None:
    assert "listen: expects one of this machine's IP addresses" in only(refused(small + f"listen: '{address}'\n"))


@pytest.mark.parametrize("address", ["0.0.0.0", "10.0.0.1", "::"])
def test_plain_text_beyond_loopback_is_refused(refused: Refused, small: str, address: str) -> None:
    text = small.replace("listen: 15432", "listen: 15432\n    plain_text: true") + f"listen: '{address}'\n"
    assert "tokens would cross the network in clear" in only(refused(text))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "127.8.0.1"])
def test_plain_text_on_loopback_is_accepted(accepted: Accepted, small: str, address: str) -> None:
    text = small.replace("listen: 15432", "listen: 15432\n    plain_text: true") + f"listen: '{address}'\n"
    assert accepted(text).resources[0].plain_text


@pytest.mark.parametrize("host", ["127.evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0"])
def test_what_only_looks_like_loopback_is_not(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "url",
    ["http://token.example", "http://127.0.0.1.evil.example", "https://u:p@token.example", "ftp://x", "https://", "x"],
)
def test_issuers_whose_keys_could_be_forged(refused: Refused, small: str, url: str) -> None:
    assert "issuers[0].issuer: expects an https URL" in only(refused(small.replace("https://token.example", url)))
    keys = small.replace("audience: blastwall", f"audience: blastwall, jwks: '{url}'")
    assert "issuers[0].jwks: expects `file:PATH` or an https URL" in only(refused(keys))


def test_an_issuer_on_loopback_may_be_http(accepted: Accepted, small: str) -> None:
    text = small.replace("https://token.example", "http://127.0.0.1:9000")
    assert accepted(text).issuers[0].issuer == "http://127.0.0.1:9000"


def test_a_webhook_must_be_https(refused: Refused, small: str) -> None:
    text = small + "recordings: {anchors: [{webhook: 'http://anchor.example'}]}\n"
    assert only(refused(text)).startswith("recordings.anchors[0].webhook: expects an https URL")


@pytest.mark.parametrize("state", ["mysql://x", "sqlite:///", "sqlite:///:memory:", "state.db"])
def test_state_that_is_no_file_and_no_server(refused: Refused, small: str, state: str) -> None:
    assert only(refused(small + f"state: '{state}'\n")).startswith("state: ")


def test_a_password_in_the_state_url_is_refused_and_not_repeated(refused: Refused, small: str) -> None:
    problem = only(refused(small + "state: postgresql://u:hunter2@db/blastwall\n"))
    assert "must not carry a password" in problem
    assert "hunter2" not in problem


def test_azure_ids(refused: Refused, small: str) -> None:
    text = small.replace("listen: 15432", "listen: 15432\n    azure: /subscriptions/x")
    assert "expects /subscriptions/…" in only(refused(text))


@pytest.mark.parametrize(
    ("packs", "said"),
    [("[tap]", "no pack is named 'tap'; did you mean 'tape'?"), ("[tape, {tape: {except: [x]}}]", "stands twice")],
)
def test_packs(refused: Refused, small: str, packs: str, said: str) -> None:
    assert said in only(refused(small + f"packs: {packs}\n"))


def test_a_role_of_a_group_that_no_user_has(refused: Refused, small: str) -> None:
    """`ci` is an agent's group: it gives nobody a role."""
    users = "users:\n  - {name: ana, issuer: github, match: {oid: x}, groups: [dba]}\n"
    assert only(refused(f"{small}{users}control: {{roles: {{approver: [dba], operator: [ci]}}}}\n")) == (
        "control.roles.operator[0]: no user has the group 'ci'; known: dba"
    )


@pytest.mark.parametrize(
    "url", ["http://gw.example", "https://gw.example/path", "https://u:p@gw.example", "gw.example"]
)
def test_what_is_no_public_url(refused: Refused, small: str, url: str) -> None:
    said = only(refused(f"{small}control: {{public: '{url}'}}\n"))
    assert said == "control.public: expects https://HOST or https://HOST:PORT, without a path"


def test_a_public_url_stands_without_its_slash(accepted: Accepted, small: str) -> None:
    assert accepted(f"{small}control: {{public: 'https://gw.example:8443/'}}\n").control.public == (
        "https://gw.example:8443"
    )


MASK = "\nmasking:\n  - {resource: %s, %s}\n"


@pytest.mark.parametrize("key", ["fields", "unread"])
def test_rules_for_what_a_kind_does_not_have(refused: Refused, small: str, key: str) -> None:
    rule = 'fields: ["..email"]' if key == "fields" else 'detect: [email], unread: ["image/*"]'
    problem = only(refused(small + MASK % ("shop", rule)))
    assert problem == f"masking[0].{key}: a resource of the kind 'tape' is masked by `columns` and `detect`"


def test_media_types_that_are_none(refused: Refused, small: str) -> None:
    assert "'image' is no media type" in only(refused(small + MASK % ("shop", "detect: [email], unread: [image]")))


def test_one_thing_is_masked_by_a_rule(refused: Refused, small: str) -> None:
    assert "give one of `columns`, `fields` and `detect`" in only(
        refused(small + MASK % ("shop", 'detect: [email], fields: ["..a"]'))
    )
