"""What the tests' API answers to each route: the contract's shapes, kept in the lists that it is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.web import hostile, story, story_estate, story_events
from tests.web.story import Json, Thing

CSRF = "a-token-of-this-page"


class Problem(Exception):
    """Answered as a problem document."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(slots=True)
class Known:
    """What there is, and who asks; of the live session, `lag` records are not there yet."""

    roles: list[str] = field(default_factory=lambda: ["viewer", "approver", "auditor", "operator"])
    signed_in: bool = True
    approvals: list[Thing] = field(default_factory=story.approvals)
    grants: list[Thing] = field(default_factory=story.grants)
    sessions: list[Thing] = field(default_factory=story.sessions)
    lag: int = 3
    contained: list[Thing] = field(default_factory=story_estate.containment)


Query = dict[str, str]


def answer(known: Known, path: list[str], query: Query) -> Thing:
    """Answer a GET.

    Raises:
        Problem: there is no such thing.
    """
    match path:
        case [kind]:
            return _KINDS[kind](known, query)
        case ["containment", "history"]:
            return _page(known.contained, query)
        case ["sessions", number, "events"]:
            lag = known.lag if number == "01JDS0W7Q2C8" else 0
            return _events(number, query, lag)
        case ["agents", name]:
            return _one(story_estate.agents(), "name", name)
        case ["resources", name]:
            return _one(story_estate.resources(), "name", name)
        case [kind, number]:
            lists = {"approvals": known.approvals, "grants": known.grants, "sessions": known.sessions}
            return _one(lists[kind], "id", number)
        case _:
            raise Problem(404, "there is no such thing")


def _me(known: Known, _query: Query) -> Thing:
    until = story.at(hours=-7)
    groups = ["dba", "oncall"]
    return {
        "kind": "user",
        "name": "ana",
        "groups": groups,
        "roles": list(known.roles),
        "csrf": CSRF,
        "signed_in_until": until,
    }


_KINDS: dict[str, Callable[[Known, Query], Thing]] = {
    "me": _me,
    "version": lambda _known, _query: {"version": "0.4.0"},
    "health": lambda _known, _query: story_estate.HEALTH,
    "policies": lambda _known, _query: story_estate.policies(),
    "approvals": lambda known, query: _page(_in_state(known.approvals, query), query),
    "grants": lambda known, query: _page(_in_state(known.grants, query), query),
    "sessions": lambda known, query: _page([one for one in known.sessions if _wanted(one, query)], query),
    "containment": lambda known, query: _page([one for one in known.contained if not one["lifted"]], query),
    "agents": lambda _known, query: _page(story_estate.agents(), query),
    "resources": lambda _known, query: _page(story_estate.resources(), query),
}


def _page(items: list[Thing], query: Query) -> Thing:
    start, most = int(query.get("cursor", "0")), int(query.get("limit", "50"))
    after = start + most
    return {"items": items[start:after], "next": str(after) if after < len(items) else None}


def _one(items: list[Thing], key: str, value: str) -> Thing:
    for one in items:
        if one[key] == value:
            return one
    raise Problem(404, "there is no such thing")


def _in_state(items: list[Thing], query: Query) -> list[Thing]:
    if query.get("unreviewed") == "true":
        return [one for one in items if isinstance(review := one["review"], dict) and review["open"]]
    return [one for one in items if query.get("state") in {one["state"], "all"}]


def _events(number: str, query: Query, lag: int) -> Thing:
    after, most = int(query.get("after", "-1")), int(query.get("limit", "50"))
    whole = story_events.events(number)
    items = [one for one in whole[: len(whole) - lag] if int(str(one["record"])) > after]
    page = items[:most]
    return {"items": page, "next": str(page[-1]["record"]) if len(page) < len(items) else None}


def _wanted(one: Thing, query: Query) -> bool:
    who = one["principal"]
    name = who["name"] if isinstance(who, dict) else ""
    return (
        query.get("live") in {None, str(one["live"]).lower()}
        and query.get("resource") in {None, one["resource"]}
        and query.get("agent") in {None, name}
        and query.get("q", "") in json.dumps(one)
        and query.get("since", "") <= str(one["began"])
    )


def act(known: Known, path: list[str], body: Thing) -> Thing:
    """Answer a POST.

    Raises:
        Problem: it cannot be done.
    """
    match path:
        case ["approvals", number, verb]:
            return _decide(_one(known.approvals, "id", number), verb, body)
        case ["grants" | "break-glass" as kind]:
            return _granted(known, kind, body)
        case ["grants", number, verb]:
            return _grant(_one(known.grants, "id", number), verb)
        case ["containment"]:
            made: Thing = {
                **body,
                "by": "ana",
                "at": story.at(),
                "lifted": None,
                "lifted_by": None,
                "lift_reason": None,
            }
            known.contained.insert(0, made)
            return made
        case ["containment", "lift"]:
            found = next(one for one in known.contained if one["name"] == body["name"])
            return _changed(found, lifted=story.at(), lifted_by="ana", lift_reason=body["reason"])
        case ["sessions", number, "kill"]:
            ended = _one(known.sessions, "id", number)
            return _changed(ended, live=False, ended=story.at(), end_reason=f"killed by ana: {body['reason']}")
        case ["policies", "explain"]:
            return story_estate.explained(str(body["statement"]))
        case ["auth", *rest]:
            return _auth(known, rest, body)
        case _:
            raise Problem(404, "there is no such thing")


def _changed(one: Thing, **changes: Json) -> Thing:
    one.update(changes)
    return one


def _decide(found: Thing, verb: str, body: Thing) -> Thing:
    if found["state"] != "waiting":
        raise Problem(409, "somebody else decided first")
    said = {key: body.get(key) for key in ("scope", "minutes", "comment")}
    decisions = found["decisions"]
    assert isinstance(decisions, list)
    made: Thing = {"by": "ana", "at": story.at(), "decision": verb, **said}
    state = {"approve": "approved", "deny": "denied"}[verb]
    return _changed(found, state=state, ended_at=story.at(), can_decide=False, decisions=[*decisions, made])


def _granted(known: Known, kind: str, body: Thing) -> Thing:
    asked = {key: body[key] for key in ("resource", "actions", "reason", "minutes")}
    if kind == "grants":
        made = story.grant("gr-new", **asked)
    else:
        made = story.grant("gr-glass", kind="break_glass", state="open", can_decide=False, **asked)
    known.grants.insert(0, made)
    return made


def _grant(found: Thing, verb: str) -> Thing:
    review: Thing = {"open": False, "closed_by": "ana", "closed_at": story.at(), "comment": "fine"}
    changes: dict[str, Thing] = {
        "approve": {"state": "open", "starts": story.at(), "ends": story.at(hours=-1), "can_decide": False},
        "deny": {"state": "refused", "can_decide": False},
        "revoke": {"state": "revoked", "ends": story.at()},
        "review": {"review": review},
    }
    return _changed(found, **changes[verb])


def _auth(known: Known, path: list[str], body: Thing) -> Thing:
    if path == ["logout"]:
        known.signed_in = False
        return {}
    if body["user_code"] != "BKDF-QWXZ":
        raise Problem(404, "there is no such code, or it has expired")
    states = {"look": "waiting", "allow": "confirmed", "refuse": "refused"}
    state = states[str(body["decision"])]
    asked: Thing = {
        "client": hostile.MARKUP[0],
        "source": "10.9.8.7",
        "asked_at": story.at(),
        "until": story.at(minutes=-9),
    }
    return {"user_code": "BKDF-QWXZ", "state": state, **asked}
