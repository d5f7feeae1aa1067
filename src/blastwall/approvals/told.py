"""What people are told of a new request."""

from __future__ import annotations

import json

from blastwall.approvals.requests import needed_of
from blastwall.model.told import Told, Topic
from blastwall.store.approvals import StoredRequest

_EFFECTS_SHOWN = 8
_CLAIMS_SHOWN = ("repository", "ref", "sha", "run_id", "project_path", "pipeline_id", "def_id")


def told(request: StoredRequest) -> Told:
    """Return the message of a new request; the link leads to a login, and never decides by itself."""
    effects = [f"{action} {'.'.join(names)}" for action, names, _ in json.loads(request.effects)]
    more = len(effects) - _EFFECTS_SHOWN
    claims = json.loads(request.claims)
    needed = " and ".join(f"{each.count} of {each.group}" for each in needed_of(request))
    place = f"{request.resource}, database {request.database}" if request.database else request.resource
    facts = [
        ("who", f"{request.kind} {request.principal}"),
        ("resource", place),
        ("would", ", ".join(effects[:_EFFECTS_SHOWN]) + (f" and {more} more" if more > 0 else "")),
        ("needs", needed),
        ("reason", request.reason),
        *((name, str(claims[name])) for name in _CLAIMS_SHOWN if name in claims),
        ("session", request.session),
    ]
    return Told(
        topic=Topic.APPROVAL,
        id=request.id,
        title=f"{request.principal} waits for approval at {request.resource}",
        facts=tuple((label, value) for label, value in facts if value),
        text=request.text,
        resource=request.resource,
        link=f"#/approvals/{request.id}",
        who=f"{request.kind} {request.principal}",
    )
