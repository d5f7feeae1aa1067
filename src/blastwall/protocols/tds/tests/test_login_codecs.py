"""PRELOGIN, LOGIN7, federated tokens and transaction requests."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastwall.protocols.tds import login7, prelogin
from blastwall.protocols.tds.fedauth import ADAL, SECURITY_TOKEN, FedAuth, read_fedauth, read_token, write_fedauth
from blastwall.protocols.tds.fedauth import write_token as written_token
from blastwall.protocols.tds.headers import read_headers, with_transaction, write_headers
from blastwall.protocols.tds.login7 import Login7, conceal, read_login7, reveal, write_login7
from blastwall.protocols.tds.prelogin import Encryption, Prelogin, read_prelogin, write_prelogin
from blastwall.protocols.tds.tests import dumps
from blastwall.protocols.tds.transactions import DISTRIBUTED, Verb, read_transaction, write_transaction
from blastwall.wire.reader import Malformed

TEXT = st.text(st.characters(codec="utf-16-le"), max_size=20)
LOGINS = {
    "7.2": dumps.LOGIN,
    "federated": dumps.LOGIN_FEDAUTH,
    "recovery": dumps.LOGIN_RECOVERY,
    "azure": dumps.LOGIN_AZURE,
}


def test_a_prelogin_is_read_as_the_specification_says() -> None:
    found = read_prelogin(dumps.PRELOGIN[8:])
    assert found.encryption == Encryption.ON
    assert found.data(prelogin.MARS) == b"\1"
    assert found.fedauth_required is None
    assert found.data(prelogin.VERSION) == bytes.fromhex("090000000000")


@given(
    options=st.dictionaries(st.integers(8, 254), st.binary(max_size=40), max_size=6),
    version=st.binary(min_size=6, max_size=6),
)
def test_a_prelogin_comes_out_as_it_went_in(options: dict[int, bytes], version: bytes) -> None:
    written = Prelogin(((prelogin.VERSION, version), *options.items()))
    assert read_prelogin(write_prelogin(written)) == written


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "do not end"),
        (b"\xff", "begin with its version"),
        (b"\x01\0\x06\0\x01\xff\0", "begin with its version"),
        (b"\x00\0\x06\0\x06\xff123", "not within it"),
        (b"\x00\0\x00\0\x06\xff123456", "not within it"),
        (b"\x00\0\x06\0\x05\xff12345", "has 5 bytes"),
        (b"\x00\0\x0b\0\x06\x00\0\x0b\0\x06\xff123456", "twice"),
        (b"\x00\0\x06\0\x06" * 40, "do not end"),
        (b"\0" * 5000, "5000 bytes"),
    ],
)
def test_a_prelogin_that_does_not_agree_with_itself_is_malformed(payload: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        read_prelogin(payload)


@pytest.mark.parametrize("name", LOGINS)
def test_a_login_of_the_examples_is_read_and_written(name: str) -> None:
    found = read_login7(LOGINS[name][8:])
    assert read_login7(write_login7(found)) == found


def test_a_login_is_read_as_the_specification_says() -> None:
    found = read_login7(dumps.LOGIN[8:])
    assert (found.user, found.password, found.application, found.library) == ("sa", "", "OSQL-32", "ODBC")
    assert found.tds == login7.TDS_7_2
    assert not found.integrated
    assert found.ordinary
    federated = read_login7(dumps.LOGIN_FEDAUTH[8:])
    assert federated.feature(login7.FEDAUTH) is not None
    recovering = read_login7(dumps.LOGIN_RECOVERY[8:])
    assert recovering.feature(login7.SESSION_RECOVERY)
    azure = read_login7(dumps.LOGIN_AZURE[8:])
    assert azure.feature(8) == b"\1"


@given(
    login=st.builds(
        Login7,
        tds=st.sampled_from([login7.TDS_7_2, login7.TDS_7_3, login7.TDS_7_4, login7.TDS_8_0]),
        packet_size=st.integers(0, 2**32 - 1),
        time_zone=st.integers(-(2**31), 2**31 - 1),
        host=TEXT,
        user=TEXT,
        password=TEXT.map(lambda text: text * 40),
        database=TEXT,
        attach=TEXT,
        new_password=TEXT,
        sspi=st.binary(max_size=100),
        features=st.dictionaries(st.integers(0, 254), st.binary(max_size=60), max_size=5).map(
            lambda found: tuple(found.items())
        ),
    )
)
def test_a_login_comes_out_as_it_went_in(login: Login7) -> None:
    flags3 = login.flags3 | login7.EXTENSION if login.features else login.flags3
    assert read_login7(write_login7(login)) == replace(login, flags3=flags3)


def test_sspi_data_may_be_long() -> None:
    login = Login7(sspi=b"x" * 70000)
    assert read_login7(write_login7(login)).sspi == login.sspi


@given(TEXT)
def test_a_password_is_revealed(password: str) -> None:
    assert reveal(conceal(password)) == password


def test_a_password_is_concealed_as_drivers_do() -> None:
    assert conceal("a") == bytes((0xB3, 0xA5))


def test_secrets_are_not_represented() -> None:
    shown = repr(Login7(password="hunter2", new_password="hunter3", features=((2, b"hunter4"),), sspi=b"hunter5"))
    assert "hunter" not in shown
    assert "hunter" not in repr(FedAuth(SECURITY_TOKEN, echo=False, token="hunter2"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data[:93], "93 bytes"),
        (lambda data: data + b"x", "says it has"),
        (lambda data: data[:4] + b"\x01\x00\x00\x71" + data[8:], "TDS version 0x71000001"),
        (lambda data: data[:36] + b"\xff\xff\x01\x00" + data[40:], "outside itself"),
        (lambda data: data[:36] + b"\x10\x00\x01\x00" + data[40:], "outside itself"),
        (lambda data: data[:40] + b"\x5e\x00\x90\x00" + data[44:] + b"\0" * 400, "name of 144 characters"),
        (lambda data: data[:27] + b"\x10" + data[28:], "extension has 0 bytes"),
        (lambda data: data[:27] + b"\x10" + data[28:56] + b"\x5e\0\4\0" + data[60:], "features"),
    ],
)
def test_a_login_that_does_not_agree_with_itself_is_malformed(change: object, reason: str) -> None:
    assert callable(change)
    data = change(write_login7(Login7(user="someone", password="secret", database="shop")))
    if reason not in ("93 bytes", "says it has"):
        data = len(data).to_bytes(4, "little") + data[4:]
    with pytest.raises(Malformed, match=reason):
        read_login7(data)


# ── federated authentication ─────────────────────────────────────────────────────────────────────────────────────────


@given(
    st.one_of(
        st.builds(
            FedAuth,
            library=st.just(SECURITY_TOKEN),
            echo=st.booleans(),
            token=st.text("abc.", min_size=1, max_size=3000),
            nonce=st.sampled_from([b"", b"n" * 32]),
        ),
        st.builds(FedAuth, library=st.just(ADAL), echo=st.booleans(), workflow=st.integers(0, 255)),
    )
)
def test_federated_data_comes_out_as_it_went_in(fedauth: FedAuth) -> None:
    assert read_fedauth(write_fedauth(fedauth)) == fedauth


@pytest.mark.parametrize("nonce", [b"", b"n" * 32])
def test_a_token_message_comes_out_as_it_went_in(nonce: bytes) -> None:
    assert read_token(written_token("eyJ.abc", nonce)) == ("eyJ.abc", nonce)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "ends too early"),
        (b"\x00", "library 0"),
        (b"\xff", "library 127"),
        (b"\x02\0\0\0\0", "token of 0 bytes"),
        (b"\x02\xff\xff\xff\xff", "token of 4294967295 bytes"),
        (b"\x02\x02\0\0\0a\0n", "ends too early"),
        (b"\x04\x01x", "1 bytes after"),
        (b"\x02\x02\0\0\0\0\xd8", "not UTF-16"),
    ],
)
def test_federated_data_of_another_form_is_malformed(data: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        read_fedauth(data)


def test_a_token_message_whose_lengths_differ_is_malformed() -> None:
    with pytest.raises(Malformed, match="says it has"):
        read_token(written_token("abc") + b"x")


# ── headers and transactions ─────────────────────────────────────────────────────────────────────────────────────────


def test_headers_are_read_as_the_specification_says() -> None:
    found = read_headers(dumps.BATCH[8:])  # as published, with the two fields run into each other
    assert (found.transaction, found.outstanding, found.size) == (1 << 56, 0, 22)
    assert dumps.BATCH[30:].decode("utf-16-le") == "\nselect 'foo' as 'bar'\n        "


@given(old=st.integers(0, 2**64 - 1), new=st.integers(0, 2**64 - 1), rest=st.binary(max_size=9), traced=st.booleans())
def test_a_transaction_is_replaced_and_nothing_else(old: int, new: int, rest: bytes, traced: bool) -> None:
    def request(transaction: int) -> bytes:
        trace = b"\x1a\0\0\0\x03\0" + b"t" * 20 if traced else b""
        headers = trace + write_headers(transaction)[4:]
        return (4 + len(headers)).to_bytes(4, "little") + headers + rest

    assert with_transaction(request(old), new) == request(new)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\x16\0", "without its headers"),
        (b"\x16\0\0\0", "22 bytes in a request of 4"),
        (b"\x03\0\0\0\0\0", "headers of 3 bytes"),
        (b"\x0a\0\0\0\x05\0\0\0\x02\0", "header of 5 bytes"),
        (b"\x0a\0\0\0\x16\0\0\0\x02\0", "longer than all"),
        (b"\x0a\0\0\0\x06\0\0\0\x09\0", "unknown type 9"),
        (b"\x0a\0\0\0\x06\0\0\0\x02\0", "0 bytes of data"),
        (b"\x10\0\0\0\x06\0\0\0\x03\0\x06\0\0\0\x03\0", "comes twice"),
        (b"\x0c\0\0\0\x06\0\0\0\x03\0\0\0", "longer than all"),
    ],
)
def test_headers_that_do_not_agree_are_malformed(payload: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        read_headers(payload)


def test_the_published_transaction_request_is_of_no_known_type() -> None:
    with pytest.raises(Malformed, match="unknown type 22"):
        read_transaction(dumps.TRANSACTION[8:])


def test_a_distributed_transaction_is_told_from_others() -> None:
    found = read_transaction(write_headers(0) + b"\0\0\0\0")
    assert found.verb in DISTRIBUTED


@given(
    verb=st.sampled_from([Verb.BEGIN, Verb.COMMIT, Verb.ROLLBACK, Verb.SAVE]),
    transaction=st.integers(0, 2**64 - 1),
    name=st.text("abcé", min_size=1, max_size=32),
    isolation=st.integers(0, 5),
)
def test_a_transaction_request_comes_out_as_it_went_in(verb: Verb, transaction: int, name: str, isolation: int) -> None:
    found = read_transaction(write_transaction(verb, transaction, name, isolation))
    assert (found.verb, found.headers.transaction, found.name) == (verb, transaction, name)
    assert found.isolation == (isolation if verb is Verb.BEGIN else 0)


def test_a_transaction_may_begin_where_another_ends() -> None:
    found = read_transaction(write_headers(7) + b"\x07\0\0\x01\x05\x02b\0")
    assert (found.verb, found.begins, found.isolation, found.begun) == (Verb.COMMIT, True, 5, "b")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "ends too early"),
        (b"\x02\0", "unknown type 2"),
        (b"\x05\0\x06\0", "isolation level 6"),
        (b"\x05\0\x00\x01a", "not UTF-16"),
        (b"\x07\0\0\x02", "unknown flags 0x2"),
        (b"\x08\0\0\0\0", "1 bytes after"),
        (b"\x09\0\0", "without a name"),
    ],
)
def test_a_transaction_request_of_another_form_is_malformed(body: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        read_transaction(write_headers(0) + body)
