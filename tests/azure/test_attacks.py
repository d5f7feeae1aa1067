"""What a thief with an agent's token tries over HTTP: none of it reaches anything, and the gateway stays up."""

from __future__ import annotations

import gzip
import json
import ssl
import time
from contextlib import ExitStack, suppress

import pytest
from tests.azure.world import ARM, FILES, VAULT, World
from tests.waiting import promised

from blastwall.testing.arm_estate import SUBSCRIPTION
from blastwall.testing.azurite import ACCOUNT

PATH = f"/subscriptions/{SUBSCRIPTION}?api-version=2021-04-01"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/shop?api-version=2021-04-01"


def said(line: ssl.SSLSocket, answers: int = 1) -> str:
    """Read until the gateway closes, or says nothing for a while after it has answered so often."""
    got = b""
    with suppress(OSError):
        while data := line.recv(65536):
            got += data
            if got.count(b"HTTP/1.1 ") >= answers:
                line.settimeout(0.5)
    return got.decode("latin-1")


def asked(world: World, host: str, text: str, answers: int = 1) -> str:
    with world.line(host) as line:
        line.sendall(text.encode("latin-1"))
        return said(line, answers)


def written(world: World, line: str, *fields: str, host: str = ARM, repository: str = "42", body: str = "") -> str:
    """Write a request that shows the agent's token."""
    token = world.token(repository)
    return "\r\n".join([f"{line} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {token}", *fields, "", body])


def requests(world: World) -> int:
    return len(world.arm.asked) + len(world.vault.asked)


def status(answer: str) -> int:
    return int(answer.split(" ", 2)[1]) if answer.startswith("HTTP/") else 0


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254", "localhost", "127.0.0.1:22", "management.azure.com", "evil.example", "[::1]",
        "metadata.google.internal", "arm.gw.example.evil.example",
        "arm.gw.example@evil.example", "arm.gw.example, evil.example", "",
    ],
)  # fmt: skip
def test_a_host_that_is_no_resource_leads_nowhere(world: World, host: str) -> None:
    before = requests(world)
    answer = asked(world, ARM, written(world, f"GET {PATH}", host=host))
    assert status(answer) in (0, 400, 421)
    assert requests(world) == before


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/metadata/instance?api-version=2021-02-01",
        "https://evil.example/",
        "http://localhost:22/",
        "//evil.example/x",
        "*",
        "evil.example:443",
    ],
)
def test_an_absolute_form_does_not_choose_the_server(world: World, target: str) -> None:
    before = requests(world)
    method = "CONNECT" if target.endswith(":443") else "GET"
    answer = asked(world, ARM, written(world, f"{method} {target}"))
    assert status(answer) in (0, 400, 403, 405, 421, 501)
    assert requests(world) == before


def test_two_hosts_or_a_name_that_differs_from_the_targets(world: World) -> None:
    before = requests(world)
    for text in (
        written(world, f"GET {PATH}", f"Host: {VAULT}"),
        written(world, f"GET https://{VAULT}:{world.port}/secrets"),
    ):
        assert status(asked(world, ARM, text)) in (0, 400, 421)
    assert requests(world) == before


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        " Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ],
)
def test_nothing_is_smuggled(world: World, framing: str) -> None:
    before = requests(world)
    hidden = f"DELETE {GROUP} HTTP/1.1\r\nHost: {ARM}\r\n\r\n"
    body = f"0\r\n\r\n{hidden}"
    answer = asked(world, ARM, written(world, f"POST {PATH}", framing, body=body))
    assert status(answer) in (0, 400, 501)
    assert answer.count("HTTP/1.1 ") <= 1
    assert requests(world) == before


def test_a_header_is_not_broken_out_of(world: World) -> None:
    before = requests(world)
    for bad in ("X-A: b\nX-Forwarded-For: 1.2.3.4", "X-A: \0", "X A: b", ": b", "X-A: b\r\n folded"):
        text = written(world, f"GET {PATH}", bad)
        assert status(asked(world, ARM, text)) in (0, 400), bad
    assert requests(world) == before


def test_whom_a_request_is_for_is_not_said_by_a_header(world: World) -> None:
    forwarded = ("X-Forwarded-Host: evil.example", "Forwarded: host=evil.example", "X-Original-Host: evil.example")
    text = written(world, f"GET {GROUP}", *forwarded)
    assert status(asked(world, ARM, text)) == 200
    sent = world.arm.asked[-1]
    assert sent.method == "GET"
    assert not {"x-forwarded-host", "forwarded"} & set(sent.headers)
    before = requests(world)
    override = written(world, f"GET {GROUP}", "X-HTTP-Method-Override: DELETE")
    assert status(asked(world, ARM, override)) == 400
    assert requests(world) == before


def test_a_longer_body_than_was_said_is_no_second_request(world: World) -> None:
    before = len(world.arm.asked)
    hidden = f"DELETE {GROUP} HTTP/1.1\r\nHost: {ARM}\r\n\r\n"
    asked(world, ARM, written(world, f"PATCH {GROUP}", "Content-Length: 2", body="{}" + hidden))
    assert [one.method for one in world.arm.asked[before:] if one.method == "DELETE"] == []


def test_a_shorter_body_than_was_said_is_never_sent_as_whole(world: World) -> None:
    before = len(world.arm.asked)
    body = json.dumps({"tags": {"by": "a thief"}})
    with world.line(ARM) as line:
        line.sendall(written(world, f"PATCH {GROUP}", "Content-Length: 5000", body=body).encode())
        time.sleep(0.5)
    assert [one for one in world.arm.asked[before:] if one.method == "PATCH"] == []


def test_a_compressed_body_that_swells_is_refused(world: World) -> None:
    """A gigabyte of zeros in a megabyte: the template in it would have to be read to be judged."""
    before = len(world.arm.asked)
    bomb = gzip.compress(b"0" * (256 << 20), 9)
    path = (
        f"/subscriptions/{SUBSCRIPTION}/resourcegroups/shop/providers/Microsoft.Resources/deployments/d?api-version=1"
    )
    fields = ("Content-Encoding: gzip", "Content-Type: application/json", f"Content-Length: {len(bomb)}")
    head = written(world, f"PUT {path}", *fields)
    began = time.monotonic()
    with world.line(ARM) as line:
        with suppress(OSError):
            line.sendall(head.encode() + bomb)
        answer = said(line)
    assert status(answer) in (0, 400, 403, 413, 415)
    assert time.monotonic() - began < promised(20)
    assert len(world.arm.asked) == before
    assert world.curl(f"https://{ARM}:{world.port}{PATH}")[0] == 200


def test_slow_requests_hold_up_nobody(world: World) -> None:
    """Heads and bodies that never come to their end, while others are answered."""
    whole = written(
        world, f"PUT /{ACCOUNT}/slow/a", "x-ms-blob-type: BlockBlob", "Content-Length: 99", host=FILES, body="x"
    )
    with ExitStack() as lines:
        for number in range(20):
            line = lines.enter_context(world.line(FILES))
            line.sendall(whole[: -5 if number % 2 else None].encode())
        began = time.monotonic()
        assert world.curl(f"https://{ARM}:{world.port}{PATH}")[0] == 200
        assert time.monotonic() - began < promised(10)


def test_one_connection_two_resources_each_judged_by_its_own_policy(world: World) -> None:
    text = "".join(
        written(world, f"GET {path}", host=f"{host}:{world.port}")
        for host, path in ((ARM, PATH), (VAULT, "/secrets/one?api-version=7.5"), (ARM, PATH))
    )
    answer = asked(world, ARM, text, 3)
    assert [int(part.split(" ", 1)[0]) for part in answer.split("HTTP/1.1 ")[1:]] == [200, 403, 200]


def test_one_connection_two_principals(world: World) -> None:
    """Whose proof a request shows is who asks: the second one's requests are not recorded as the first one's."""
    text = "".join(
        written(world, f"GET {PATH}&x={mark}", host=f"{ARM}:{world.port}", repository=repository)
        for repository, mark in (("42", "first"), ("43", "second"), ("42", "third"))
    )
    asked(world, ARM, text, 3)
    who = {one.text.rpartition("x=")[2]: one.principal for one in world.recorded() if "&x=" in one.text}
    assert who == {"first": "shop-ci", "second": "cleared-ci", "third": "shop-ci"}
