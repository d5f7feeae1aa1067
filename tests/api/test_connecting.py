"""GET /api/v1/connect/{resource}: where a listener is, for who may connect there, and for nobody else."""

from __future__ import annotations

from tests.api.conftest import Gateway


async def asked(gateway: Gateway, resource: str, token: bytes | None) -> tuple[int, dict[str, object]]:
    headers = {} if token is None else {"Authorization": f"Bearer {token.decode()}"}
    async with gateway.http.get(f"{gateway.url}/api/v1/connect/{resource}", headers=headers) as response:
        return response.status, await response.json()


async def test_an_agent_learns_where_its_resource_is(gateway: Gateway) -> None:
    status, answer = await asked(gateway, "pg-prod", gateway.issuer.token())
    assert status == 200
    assert answer["resource"] == "pg-prod"
    assert answer["port"] == 15432


async def test_what_one_may_not_connect_to_looks_like_what_there_is_not(gateway: Gateway) -> None:
    gateway.policy.permitted = set()
    refused = [await asked(gateway, name, gateway.issuer.token()) for name in ("pg-prod", "nothing")]
    assert refused[0] == refused[1]
    assert refused[0][0] == 404


async def test_nobody_learns_anything_without_a_token(gateway: Gateway) -> None:
    for token in (None, b"x.y.z"):
        status, answer = await asked(gateway, "pg-prod", token)
        assert status == 401
        assert "15432" not in str(answer)
