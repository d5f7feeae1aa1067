"""The client of the API that the commands use: whom it speaks to, as whom, and what it makes of what goes wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from tests.cli.api_server import ApiServer, api_server

from blastwall.cli.logins import Login, Logins, login_file, read_logins, write_logins
from blastwall.cli.remote import Remote, RemoteFailed, connected
from blastwall.cli.servers import server_at


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server(tmp_path) as server:
        yield server


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person without any login or variable of Blastwall's."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("BLASTWALL_SERVER", "BLASTWALL_CA", "BLASTWALL_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def remote(api: ApiServer, token: str = "secret") -> Remote:
    return Remote(server_at(api.url, "--server", api.ca), token)


def kept_login(api: ApiServer, ends: float = 3600) -> Login:
    login = Login(api.url, "bwl_kept", time.time() + ends, "ana", str(api.ca))
    write_logins(read_logins().having(login))
    return login


class TestTalking:
    def test_get_with_parameters_and_the_token(self, api: ApiServer) -> None:
        api.answer("GET /api/v1/sessions?live=true&limit=5", (200, {"items": [], "next": None}))
        assert remote(api).get("/sessions", {"live": True, "limit": 5, "q": None}) == {"items": [], "next": None}
        assert api.asked[0].headers["Authorization"] == "Bearer secret"

    def test_post_is_done_once_although_its_connection_broke(self, api: ApiServer) -> None:
        api.answer("POST /api/v1/grants", (201, {"id": "g1"}))
        api.drop = 1
        assert remote(api).post("/grants", {"reason": "why"}) == {"id": "g1"}
        first, second = api.asked
        assert json.loads(second.body) == {"reason": "why"}
        assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]

    def test_a_list_is_followed_page_by_page_to_its_limit(self, api: ApiServer) -> None:
        page = [{"id": str(number)} for number in range(200)]
        api.answer("GET /api/v1/sessions?limit=200", (200, {"items": page, "next": "c1"}))
        api.answer("GET /api/v1/sessions?limit=50&cursor=c1", (200, {"items": page[:50], "next": "c2"}))
        assert len(list(remote(api).items("/sessions", limit=250))) == 250
        assert len(api.asked) == 2

    @pytest.mark.parametrize("path", ["/approvals/a b", "/approvals/../token", "/approvals/a?x=1", "/approvals/"])
    def test_an_id_cannot_lead_to_another_path(self, api: ApiServer, path: str) -> None:
        with pytest.raises(RemoteFailed, match="no name or id"):
            remote(api).get(path)
        assert api.asked == []


class TestRefusals:
    def test_a_problem_is_told_in_the_gateways_words(self, api: ApiServer) -> None:
        problem = {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": "you asked for it yourself"}
        api.answer("POST /api/v1/approvals/a1/approve", (403, problem))
        with pytest.raises(RemoteFailed, match="refused: you asked for it yourself") as failed:
            remote(api).post("/approvals/a1/approve", {"scope": "once"})
        assert (failed.value.status, failed.value.problem, failed.value.code) == (403, problem, 1)

    def test_who_is_not_known_is_told_to_log_in(self, api: ApiServer) -> None:
        api.answer("GET /api/v1/me", (401, {"title": "Unauthorized", "detail": "the login has ended"}))
        with pytest.raises(RemoteFailed, match=r"the login has ended; run `blastwall login`"):
            remote(api).get("/me")

    def test_too_many_requests(self, api: ApiServer) -> None:
        api.headers["Retry-After"] = "7"
        api.answer("GET /api/v1/me", (429, {"detail": "slowly"}))
        with pytest.raises(RemoteFailed, match="slowly; wait 7 s"):
            remote(api).get("/me")

    def test_something_else_than_a_gateway(self, api: ApiServer) -> None:
        with pytest.raises(RemoteFailed, match="404 without JSON"):
            remote(api).get("/me")

    def test_a_resources_port_is_told_from_the_control_port(self, api: ApiServer) -> None:
        """What a port of Azure's answers, where it was taken for the gateway's control port."""
        said = {"error": {"code": "InvalidHost", "message": "no resource by the name that the request is for"}}
        api.answer("GET /api/v1/connect/arm", (421, said))
        with pytest.raises(RemoteFailed, match=r"a resource's port.*give the control port with --server") as failed:
            remote(api).get("/connect/arm")
        assert "{" not in str(failed.value)

    def test_a_redirect_is_not_followed(self, api: ApiServer) -> None:
        api.headers["Location"] = "https://evil.example/"
        api.answer("GET /api/v1/me", (302, b""))
        with pytest.raises(RemoteFailed, match="302"):
            remote(api).get("/me")
        assert len(api.asked) == 1

    def test_a_gateway_that_does_not_verify_gets_no_token(self, api: ApiServer) -> None:
        with pytest.raises(RemoteFailed, match=r"certificate does not verify .* give its CA"):
            Remote(server_at(api.url, "--server"), "secret").get("/me")
        assert api.asked == []

    def test_nobody_there(self) -> None:
        with pytest.raises(RemoteFailed, match=r"cannot be reached: .*; is the gateway running"):
            Remote(server_at("https://localhost:1", "--server"), "secret").get("/me")

    def test_an_answer_without_end_is_cut(self, api: ApiServer) -> None:
        api.answer("GET /api/v1/me", (200, b'{"a": "' + b"x" * (17 << 20)))
        with pytest.raises(RemoteFailed, match="longer than 16 MiB"):
            remote(api).get("/me")


class TestWhoAndWhere:
    def test_the_last_login_says_where_as_whom_and_by_which_ca(self, api: ApiServer) -> None:
        kept_login(api)
        api.answer("GET /api/v1/me", (200, {"name": "ana"}))
        with connected(None, None, None) as found:
            assert found.get("/me") == {"name": "ana"}
        assert api.asked[0].headers["Authorization"] == "Bearer bwl_kept"

    def test_a_login_is_never_shown_to_another_gateway(
        self, api: ApiServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        kept_login(api)
        with pytest.raises(typer.Exit) as ended, connected("https://localhost:1", None, None):
            pass
        assert ended.value.exit_code == 2
        assert "not logged in at https://localhost:1" in capsys.readouterr().err

    def test_variables_and_files(self, api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        api.answer("GET /api/v1/me", (200, {}))
        kept_login(api)
        monkeypatch.setenv("BLASTWALL_TOKEN", "from-the-environment")
        (tmp_path / "token").write_text("from-the-file\n")
        for file in (None, str(tmp_path / "token")):
            with connected(api.url, file, api.ca) as found:
                found.get("/me")
        sent = [each.headers["Authorization"] for each in api.asked]
        assert sent == ["Bearer from-the-environment", "Bearer from-the-file"]

    def test_a_login_that_has_ended(self, api: ApiServer, capsys: pytest.CaptureFixture[str]) -> None:
        kept_login(api, ends=-1)
        with pytest.raises(typer.Exit), connected(None, None, None):
            pass
        assert "has ended; run `blastwall login`" in capsys.readouterr().err

    def test_nothing_says_where(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(typer.Exit) as ended, connected(None, None, None):
            pass
        assert ended.value.exit_code == 2
        assert "BLASTWALL_SERVER" in capsys.readouterr().err

    def test_a_failure_ends_the_command_with_its_code(self, api: ApiServer, capsys: pytest.CaptureFixture[str]) -> None:
        kept_login(api)
        api.answer("GET /api/v1/me", (403, {"detail": "no viewer"}))
        with pytest.raises(typer.Exit) as ended, connected(None, None, None) as found:
            found.get("/me")
        assert ended.value.exit_code == 1
        assert "no viewer" in capsys.readouterr().err

    @pytest.mark.parametrize("text", ["two words", "with\nnewline", "smørrebrød"])
    def test_what_is_no_token_is_not_sent_nor_repeated(
        self, api: ApiServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
    ) -> None:
        monkeypatch.setenv("BLASTWALL_TOKEN", text)
        with pytest.raises(typer.Exit), connected(api.url, None, api.ca):
            pass
        assert text not in capsys.readouterr().err


class TestLogins:
    def test_several_gateways_are_kept_apart_and_the_newest_is_the_default(self) -> None:
        one, two = (Login(f"https://{name}:1", f"bwl_{name}", 1.0) for name in ("one", "two"))
        write_logins(Logins().having(one).having(two))
        kept = read_logins()
        assert (kept.last, kept.at(one.server), kept.at("https://three:1")) == (two.server, one, None)
        left = kept.without(two.server)
        assert (left.last, left.logins) == (one.server, (one,))

    def test_the_file_is_its_owners_alone_and_one_that_is_not_is_refused(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_logins(Logins().having(Login("https://one:1", "bwl_one", 1.0)))
        assert login_file().stat().st_mode & 0o777 == 0o600
        assert login_file().parent.stat().st_mode & 0o077 == 0
        login_file().chmod(0o644)
        with pytest.raises(typer.Exit):
            read_logins()
        assert "chmod 600" in capsys.readouterr().err

    @pytest.mark.parametrize("text", ["", "[]", '{"last": "x"}', '{"last": "", "logins": [{"server": "x"}]}'])
    def test_a_damaged_file(self, text: str, capsys: pytest.CaptureFixture[str]) -> None:
        write_logins(Logins())
        login_file().write_text(text)
        with pytest.raises(typer.Exit):
            read_logins()
        assert "is damaged" in capsys.readouterr().err

    def test_no_token_is_in_a_repr(self, api: ApiServer) -> None:
        login = kept_login(api)
        assert login.token not in repr(login) + repr(read_logins()) + repr(server_at(api.url, "--server"))
