"""The API against its own OpenAPI document: generated requests, good and bad, by somebody who may do everything.

Nothing that is sent may make the gateway fail, and every answer is one that the document has: its status, its media
type, its shape. What the document forbids is refused.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from tests.api.live import ROLES, Live, running

CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
SECONDS = 40.0
EXAMPLES = 8
NOT_CALLED = {
    "GET /api/v1/events": "it never ends; see test_events",
    "POST /auth/logout": "it ends the login that asks; see test_signing_in",
}


class Called(Protocol):
    """A generated request."""

    def call(
        self,
        base_url: str,
        session: requests.Session,
        headers: dict[str, str],
        *,
        timeout: float,
        allow_redirects: bool,
        verify: str,
    ) -> Response: ...
    def validate_response(self, response: Response, checks: list[CheckFunction]) -> None: ...


class Operation(Protocol):
    """An operation of the document."""

    label: str

    def as_strategy(self, generation_mode: GenerationMode) -> SearchStrategy[Called]: ...


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    everything = {role: ["oncall"] for role in ROLES}
    control = {"port": 0, "roles": everything, "login": {"issuer": "dev"}}
    async with running(tmp_path, control=control) as found:
        yield found


@pytest.mark.timeout(300)
async def test_the_document_keeps_its_word(live: Live) -> None:
    async with live.http.get(f"{live.api}/openapi.json") as response:
        document = await response.json()
    browser = await live.browser("olga")
    headers = {
        "Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items()),
        "X-CSRF-Token": await browser.csrf(),
    }
    for operation in (each for methods in document["paths"].values() for each in methods.values()):
        del operation["security"]  # else it would make up proofs of its own
    schema = schemathesis.openapi.from_dict(document)
    found = [each for each in schema.get_all_operations() if isinstance(each, Ok)]
    operations: list[Operation] = [each.ok() for each in found]
    assert len(operations) == sum(len(methods) for methods in document["paths"].values())
    assert set(NOT_CALLED) <= {operation.label for operation in operations}
    wanted = [operation for operation in operations if operation.label not in NOT_CALLED]
    answered = await asyncio.to_thread(try_all, live, wanted, headers, time.monotonic() + SECONDS)
    assert set(answered) == {operation.label for operation in wanted}
    assert {200, 404, 422} <= {status for statuses in answered.values() for status in statuses}
    assert not {label for label, statuses in answered.items() if statuses & {401, 429}}, "it was not signed in"


def try_all(
    live: Live, operations: Sequence[Operation], headers: Mapping[str, str], ends: float
) -> dict[str, set[int]]:
    """Try each operation with good and bad requests; beyond the time, each with one of both. Return the statuses."""
    answered: dict[str, set[int]] = {}
    with requests.Session() as session:
        session.trust_env = False
        for operation in operations:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                examples = EXAMPLES if time.monotonic() < ends else 1
                seen = answered.setdefault(operation.label, set())
                try_one(live, operation, mode, dict(headers), session, examples, seen)
    return answered


def try_one(
    live: Live,
    operation: Operation,
    mode: GenerationMode,
    headers: dict[str, str],
    session: requests.Session,
    examples: int,
    seen: set[int],
) -> None:
    """Send generated requests of one kind, and look at the answers. Without parameters there is no bad request."""
    strategy = operation.as_strategy(generation_mode=mode)

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def send(case: Called) -> None:
        ca = str(live.folder / "ca.pem")
        response = case.call(
            base_url=live.url, headers=headers, session=session, timeout=30, allow_redirects=False, verify=ca
        )
        seen.add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    try:
        send()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, f"{operation.label} takes no good request"


async def test_the_document_is_complete(live: Live) -> None:
    """Each operation says who may call it, what it answers, and what each of its parameters is."""
    async with live.http.get(f"{live.api}/openapi.json") as response:
        document = await response.json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert "security" in operation, where
            if operation["security"]:
                assert {"401", "403", "429", "503"} <= set(operation["responses"]), where
            for parameter in operation.get("parameters", ()):
                assert parameter.get("description"), (where, parameter["name"])
    for name, model in document["components"]["schemas"].items():
        if name == "Problem" or name.startswith("Page_"):
            continue
        assert model.get("description"), name
        for key, field in model.get("properties", {}).items():
            assert field.get("description") or "$ref" in field, (name, key)
    assert "secret" not in json.dumps(document["components"]["schemas"]).lower()
