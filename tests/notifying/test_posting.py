"""Where a message may go: to the place that the operator meant, over https, and nowhere inside the network."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from tests.cli.api_server import ApiServer

from blastwall.notifying.posting import NotSent, Post, Reach, post


async def test_a_post_arrives(server: ApiServer) -> None:
    server.answer("POST /hook/s3cret", (200, b"ok"))
    await post(Post(f"{server.url}/hook/s3cret", b"{}", {"webhook-id": "m"}), Reach(private=True, ca=server.ca))
    (asked,) = server.asked
    assert (asked.body, asked.headers["webhook-id"], asked.headers["Content-Type"]) == ("{}", "m", "application/json")


@pytest.mark.parametrize("status", [302, 400, 404, 500])
async def test_other_answers_are_failures_and_a_redirect_is_not_followed(server: ApiServer, status: int) -> None:
    server.headers["Location"] = f"{server.url}/elsewhere"
    server.answer("POST /hook/s3cret", (status, b""))
    with pytest.raises(NotSent, match=f"answered {status}") as failed:
        await post(Post(f"{server.url}/hook/s3cret", b"{}"), Reach(private=True, ca=server.ca))
    assert "s3cret" not in str(failed.value)
    assert len(server.asked) == 1


async def test_how_long_a_place_asks_to_wait(server: ApiServer) -> None:
    server.headers["Retry-After"] = "17"
    server.answer("POST /hook", (429, b""))
    with pytest.raises(NotSent) as failed:
        await post(Post(f"{server.url}/hook", b"{}"), Reach(private=True, ca=server.ca))
    assert failed.value.wait == 17


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/s3cret",
        "https://user:s3cret@hooks.example/",
        "https://127.0.0.1/s3cret",
        "https://localhost/s3cret",
        "https://10.0.0.1/s3cret",
        "https://[::1]/s3cret",
        "https://[::ffff:10.0.0.1]/s3cret",
        "https://169.254.169.254/s3cret",
        "file:///etc/passwd",
        "https://hooks.example/a b s3cret",
        "",
    ],
)
async def test_where_nothing_is_sent_and_the_error_keeps_the_secret(url: str) -> None:
    with pytest.raises(NotSent) as failed:
        await post(Post(url, b"{}"), Reach())
    assert "s3cret" not in str(failed.value)


async def test_a_server_that_does_not_verify_gets_nothing(server: ApiServer) -> None:
    with pytest.raises(NotSent, match="certificate does not verify"):
        await post(Post(f"{server.url}/s3cret", b"{}"), Reach(private=True))
    assert server.asked == []


@pytest.mark.parametrize(
    ("address", "private", "permitted"),
    [
        ("93.184.216.34", False, True),
        ("10.1.2.3", False, False),
        ("10.1.2.3", True, True),
        ("169.254.169.254", True, False),
        ("fe80::1", True, False),
        ("127.0.0.1", True, False),
        ("64:ff9b::a9fe:a9fe", True, False),
        ("::", True, False),
    ],
)
def test_a_name_that_resolves_into_the_network(address: str, private: bool, permitted: bool) -> None:
    assert Reach(private).permits("hooks.example", ip_address(address)) is permitted
