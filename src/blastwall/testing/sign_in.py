"""The development issuer's sign-in: a page with a choice of test persons, and the token endpoint behind it.

It keeps to what a real issuer does with a code: for one client and redirect URI, bound to the PKCE challenge, once.
"""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qsl, urlencode

AUTHORIZE = "/authorize"
TOKEN = "/token"
_NEEDED = ("response_type", "client_id", "redirect_uri", "state", "nonce", "code_challenge", "code_challenge_method")


class Signs(Protocol):
    """Signs a token: `DevIssuer.token`."""

    def __call__(
        self, subject: str = ..., *, audience: str | None = ..., claims: Mapping[str, object] | None = ...
    ) -> str: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer: JSON, or HTML as text, or a way to go on."""

    status: int
    body: Mapping[str, object] | str
    location: str = ""


@dataclass(frozen=True, slots=True)
class _Grant:
    person: str
    asked: Mapping[str, str]


@dataclass
class SignIn:
    """The endpoints. `people` are who may sign in; tests may put other things into `answer` or `claims`.

    `answer` is added to what the browser brings back, `claims` to what the ID token says.
    """

    sign: Signs
    people: Mapping[str, Mapping[str, object]]
    answer: dict[str, str] = field(default_factory=dict)
    claims: dict[str, object] = field(default_factory=dict)
    _codes: dict[str, _Grant] = field(default_factory=dict)

    def authorize(self, query: str, issuer: str) -> Reply:
        """Show who may sign in; once one is chosen (`person`), send the browser back with a code."""
        asked = dict(parse_qsl(query))
        missing = [name for name in _NEEDED if not asked.get(name)]
        if missing or asked["response_type"] != "code" or asked["code_challenge_method"] != "S256":
            return Reply(400, f"<!doctype html><p>Not a sign-in: {html.escape(', '.join(missing))}</p>")
        person = asked.pop("person", None)
        if person is None:
            return Reply(200, self._choice(asked))
        back = {"state": asked["state"], "iss": issuer}
        if person in self.people:
            code = secrets.token_urlsafe(16)
            self._codes[code] = _Grant(person, asked)
            back["code"] = code
        else:
            back["error"] = "access_denied"
        joined = "&" if "?" in asked["redirect_uri"] else "?"
        return Reply(303, "", f"{asked['redirect_uri']}{joined}{urlencode({**back, **self.answer})}")

    def _choice(self, asked: Mapping[str, str]) -> str:
        links = []
        for name in self.people:
            to = html.escape(f"{AUTHORIZE}?" + urlencode({**asked, "person": name}))
            links.append(f'<li><a id="{html.escape(name)}" href="{to}">{html.escape(name)}</a></li>')
        head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Development sign-in</title>'
        return f"{head}<main><h1>Development sign-in</h1><p>Who are you?</p><ul>{''.join(links)}</ul></main></html>"

    def redeem(self, form: str) -> Reply:
        """Give the tokens for a code, once."""
        sent = dict(parse_qsl(form))
        grant = self._codes.pop(sent.get("code", ""), None)
        if grant is None:
            return Reply(400, {"error": "invalid_grant"})
        challenge = base64.urlsafe_b64encode(hashlib.sha256(sent.get("code_verifier", "").encode()).digest())
        same = all(sent.get(name) == grant.asked[name] for name in ("client_id", "redirect_uri"))
        if not same or challenge.decode().rstrip("=") != grant.asked["code_challenge"]:
            return Reply(400, {"error": "invalid_grant"})
        claims = {"nonce": grant.asked["nonce"], **self.people[grant.person], **self.claims}
        token = self.sign(grant.person, audience=sent["client_id"], claims=claims)
        answer = {"id_token": token, "access_token": secrets.token_urlsafe(16), "token_type": "Bearer"}
        return Reply(200, {**answer, "expires_in": 600})
