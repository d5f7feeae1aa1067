"""The page's files, and what browsers are told."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from tests.api.test_application import ask

from blastwall.api.page import BrowserHeaders, mount


def an_app(folder: Path) -> FastAPI:
    static = folder / "static"
    (static / "js").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html>")
    (static / "js" / "app.js").write_text("export {}")
    (static / "notes.py").write_text("secret")
    (folder / "outside.txt").write_text("secret")
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.add_middleware(BrowserHeaders, sign_in=lambda: "https://issuer.example")
    mount(app, static)
    return app


async def test_files_are_served_by_their_names(tmp_path: Path) -> None:
    app = an_app(tmp_path)
    page = await ask(app, "/")
    assert (page.status, page.text, page.headers["content-type"]) == (
        200,
        "<!doctype html>",
        "text/html; charset=utf-8",
    )
    script = await ask(app, "/static/js/app.js")
    assert (script.status, script.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    again = await ask(app, "/static/js/app.js", if_none_match=f'"other", {script.headers["etag"]}')
    assert (again.status, again.text) == (304, "")
    assert script.headers["cache-control"] == "no-cache"


async def test_nothing_else_is_served(tmp_path: Path) -> None:
    app = an_app(tmp_path)
    for path in (
        "/static/",
        "/static/notes.py",
        "/static/../outside.txt",
        "/static/js/../../outside.txt",
        "/outside.txt",
    ):
        assert (await ask(app, path)).status == 404, path


async def test_what_a_browser_is_told(tmp_path: Path) -> None:
    app = an_app(tmp_path)
    for path in ("/", "/static/js/app.js", "/nowhere"):
        headers = (await ask(app, path, host="gw.example")).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "form-action 'self' https://issuer.example" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["strict-transport-security"].startswith("max-age=")


async def test_a_name_of_this_machine_is_not_held_to_https(tmp_path: Path) -> None:
    """It would be for every port of it, of which the gateway has one."""
    app = an_app(tmp_path)
    for host in ("localhost:8443", "127.0.0.1", "[::1]:8443"):
        assert "strict-transport-security" not in (await ask(app, "/", host=host)).headers
