from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from blastwall.config.files import policy_files
from blastwall.config.load import ConfigurationError, load
from blastwall.config.model import Configuration
from blastwall.config.resources import resources
from blastwall.protocols.kind import ProtocolKind

Accepted = Callable[[str], Configuration]
Refused = Callable[[str], list[str]]
Write = Callable[[str], Path]


# ── what is right ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_small_configuration_has_the_documented_defaults(accepted: Accepted, small: str, tmp_path: Path) -> None:
    found = accepted(small)
    assert found.state == f"sqlite:///{tmp_path}/state/blastwall.db"
    assert found.recordings.to == tmp_path / "state/recordings"
    assert (found.listen, found.control.port) == ("127.0.0.1", 8443)
    assert found.hold.timeout == timedelta(minutes=5)
    assert found.hold.in_transaction == timedelta(seconds=30)


def test_resources_carry_the_protocols_port_and_settings(
    accepted: Accepted, small: str, kinds: Mapping[str, ProtocolKind]
) -> None:
    text = small.replace("{host: tape.example}", "{host: tape.example, database: b, databases: [a, b]}")
    shop = resources(accepted(text + "    settings: {speed: 3}\n"), kinds)["shop"]
    assert str(shop.upstream) == "tape.example:7"
    assert shop.databases == ("b", "a")
    assert shop.settings is not None
    assert shop.settings.model_dump() == {"speed": 3}


def test_relative_paths_are_read_against_the_files_folder(
    accepted: Accepted, small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    (tmp_path / "keys.json").write_text("{}")
    (tmp_path / "rules").mkdir()
    for name in ("b.cedar", "a.cedar"):
        (tmp_path / "rules" / name).touch()
    found = accepted(
        small.replace("audience: blastwall", "audience: blastwall, jwks: 'file:keys.json'").replace(
            "{env: SHOP_PASSWORD}", "{file: secret}"
        )
        + "policies: [rules/b*.cedar, 'rules/*.cedar']\nrecordings: {to: here}\nstate: sqlite:///s.db\n"
    )
    assert found.issuers[0].jwks == f"file:{tmp_path}/keys.json"
    password = found.resources[0].credentials[0].password
    assert password is not None
    assert password.file == tmp_path / "secret"
    assert [file.name for file in policy_files(found)] == ["b.cedar", "a.cedar"]
    assert found.recordings.to == tmp_path / "here"
    assert found.state == f"sqlite:///{tmp_path}/s.db"


def test_absolute_paths_stay(accepted: Accepted, small: str) -> None:
    assert accepted(small + "state: sqlite:////var/lib/b.db\n").state == "sqlite:////var/lib/b.db"


def test_a_short_hold_shortens_the_one_in_a_transaction(accepted: Accepted, small: str) -> None:
    assert accepted(small + "hold: {timeout: 10s}\n").hold.in_transaction == timedelta(seconds=10)


def test_the_secret_is_never_read(accepted: Accepted, small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    assert "hunter2" not in repr(accepted(small))


# ── what one key gets wrong ──────────────────────────────────────────────────────────────────────────────────────────

MISTAKES = [
    (
        "upstream: {host: tape.example}",
        "upstream: {host: h, prot: 1}",
        "9: resources[0].upstream.prot",
        "unknown key; did you mean 'port'?",
    ),
    ("upstream: {host: tape.example}", "upstream: {}", "9: resources[0].upstream", "give either `host` or `hosts`"),
    ("upstream: {host: tape.example}", "upstream:", "9: resources[0].upstream", "has no value"),
    (
        "upstream: {host: tape.example}",
        "upstream: {host: h, port: '5432'}",
        "9: resources[0].upstream.port",
        "expects a whole number, without quotes",
    ),
    (
        "upstream: {host: tape.example}",
        "upstream: {host: h, tls: full}",
        "9: resources[0].upstream.tls",
        "expects 'disable', 'require', 'verify-ca' or 'verify-full'",
    ),
    ('"123"', "123", "4: agents[0].match.repository_id", "expects text; put it in quotes"),
    ('{repository_id: "123"}', "{}", "4: agents[0].match", "must not be empty"),
    ('{repository_id: "123"}', '{repository_id: ""}', "4: agents[0].match.repository_id", "must not be empty"),
    ("groups: [ci]", "groups: ci", "4: agents[0].groups", "expects a list"),
    (
        "groups: [ci]",
        "networks: [10.20.0.1/16]",
        "4: agents[0].networks[0]",
        "expects a network such as 10.20.0.0/16, without host bits",
    ),
    ("groups: [ci]", "session_max: 0s", "4: agents[0].session_max", "must be longer than 0s"),
    (
        "groups: [ci]",
        "session_max: 60",
        "4: agents[0].session_max",
        "write a number and a unit: 500ms, 30s, 5m, 1h or 7d",
    ),
    ("groups: [ci]", "session_max: 999999999999d", "4: agents[0].session_max", "longer than a hundred years"),
    (
        "name: ci",
        "name: c i",
        "4: agents[0].name",
        "use letters, digits, `.`, `_` and `-`, at most 63 of them, the first a letter or digit",
    ),
    ("15432", "0", "8: resources[0].listen", "must be at least 1"),
    ("15432", "true", "8: resources[0].listen", "expects a whole number, without quotes"),
    (
        "{env: SHOP_PASSWORD}",
        "hunter2",
        "10: resources[0].credential.password",
        "expects keys and values: `env`, `file`, `keyvault`, `identity`, `refresh`, …",
    ),
    (
        "{env: SHOP_PASSWORD}",
        "{env: hunter-2}",
        "10: resources[0].credential.password.env",
        "give the name of an environment variable, never the secret itself",
    ),
    (
        "{env: SHOP_PASSWORD}",
        "{env: A, file: b}",
        "10: resources[0].credential.password",
        "give one of `env`, `file` and `keyvault`",
    ),
    ("kind: tape", "kind: tap", "7: resources[0].kind", "no protocol of the kind 'tap'; did you mean 'tape'?"),
    (
        "listen: 15432",
        "listen: 15432\n    settings: {sped: 2}",
        "9: resources[0].settings.sped",
        "unknown key; did you mean 'speed'?",
    ),
    (
        "listen: 15432",
        "listen: 15432\n    settings: {speed: 12}",
        "9: resources[0].settings.speed",
        "must be at most 9",
    ),
]


@pytest.mark.parametrize(("right", "wrong", "where", "said"), MISTAKES)
def test_mistake_is_named_with_line_and_key(
    refused: Refused, small: str, right: str, wrong: str, where: str, said: str
) -> None:
    assert right in small
    assert refused(small.replace(right, wrong)) == [f"blastwall.yaml:{where}: {said}"]


def test_all_problems_are_told_at_once_in_the_order_of_lines(refused: Refused, small: str) -> None:
    problems = refused(small.replace('"123"', "123").replace("15432", "0") + "lisen: x\n")
    assert [problem.split(":")[1] for problem in problems] == ["4", "8", "11"]


def test_no_message_repeats_a_value(refused: Refused, small: str) -> None:
    for wrong in (
        "hunter2",
        "[hunter2]",
        "{env: [hunter2]}",
        "{env: {hunter2: 1}}",
        "{file: 0123456}",
        "{env: 'hunter2 '}",
    ):
        said = "\n".join(refused(small.replace("{env: SHOP_PASSWORD}", wrong)))
        assert "hunter2" not in said
        assert "0123456" not in said


# ── what the file itself gets wrong ──────────────────────────────────────────────────────────────────────────────────


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"none\.yaml: there is no such file; give the configuration's with -c"
    ):
        load(tmp_path / "none.yaml", {})


def test_folder_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigurationError, match=r"b\.yaml:2: not UTF-8 text"):
        load(path, {})


@pytest.mark.parametrize("text", ["", "just text", "- a\n- b\n"])
def test_not_keys_and_values(refused: Refused, text: str) -> None:
    assert "expects keys and values" in refused(text)[0]


# ── the files that it names ──────────────────────────────────────────────────────────────────────────────────────────


def make_certificate(folder: Path, name: str, *more: str) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=gw",
         "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem", *(more or ("-nodes",))],
        check=True, capture_output=True,
    )  # fmt: skip


def test_certificate_and_key_that_fit(accepted: Accepted, small: str, tmp_path: Path) -> None:
    make_certificate(tmp_path, "gw")
    found = accepted(small + "tls: {certificate: gw.pem, key: gw.key}\n")
    assert found.tls is not None
    assert found.tls.key == tmp_path / "gw.key"


def test_key_of_another_certificate(refused: Refused, small: str, tmp_path: Path) -> None:
    make_certificate(tmp_path, "gw")
    make_certificate(tmp_path, "other")
    assert "does not belong to the certificate" in refused(small + "tls: {certificate: gw.pem, key: other.key}\n")[0]


def test_encrypted_key_is_refused_rather_than_asked_for(refused: Refused, small: str, tmp_path: Path) -> None:
    make_certificate(tmp_path, "gw", "-passout", "pass:secret")
    assert "is encrypted" in refused(small + "tls: {certificate: gw.pem, key: gw.key}\n")[0]


def test_files_that_are_missing_or_of_the_wrong_kind(refused: Refused, small: str, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    text = small.replace("host: tape.example", "host: h, ca: ca.pem").replace(
        "audience: blastwall", "audience: b, jwks: file:keys.json"
    )
    problems = refused(text + "tls: {certificate: gw.pem, key: gw.key}\npolicies: [none/*.cedar]\n")
    assert [problem.split(":")[1] for problem in problems] == ["2", "9", "11", "11", "12"]
    assert "ca.pem holds no PEM certificate" in problems[1]
    assert "no file matches" in problems[4]


def test_the_example_is_accepted() -> None:
    load(Path(__file__).parents[2] / "examples" / "blastwall.yaml")
