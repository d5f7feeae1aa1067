"""Gateway tokens: signed here, good here alone and for what they were asked for, never more than their agent today."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.identity.conftest import HERE, PG, an_agent, an_issuer
from tests.identity.issuer import Clock, LoopbackIssuer, base64url, rsa_key

from blastwall.config.callers import Agent, Issuer, User
from blastwall.config.gateway_tokens import GatewayTokenSettings
from blastwall.config.model import PassSettings
from blastwall.gate.ports import Identified, IPAddress, Refusal
from blastwall.identity import IssuedToken, Minting, OidcIdentity, OwnKeys, Targets, Unavailable
from blastwall.identity.logins import LoginKind
from blastwall.identity.own_keys import PREFIX, header_of
from blastwall.model.resource import Address, Resource
from blastwall.store.containments import Contained, ContainmentTable, Kind
from blastwall.store.database import Store
from blastwall.store.passes import PassTable
from blastwall.store.signing_keys import SigningKeyTable

TENANT = "5f1c2a40-7d0e-4c55-9d0a-0f3b6f1c2a40"
URL = "https://gw.example:8443"
ELSEWHERE = ip_address("203.0.113.9")
ARM = Resource("arm", "azure-arm", Address("management.azure.com", 443))
BLOB = Resource("files", "azure-blob", Address("files.blob.core.windows.net", 443))
VAULT = Resource("kv", "azure-keyvault", Address("kv.vault.azure.net", 443))
OTHER_VAULT = Resource("kv-other", "azure-keyvault", Address("other.vault.azure.net", 443))
FOR_ARM = Targets(("azure-arm",))


@dataclass
class World:
    """A gateway's identity that signs tokens; `node` makes another over the same state."""

    store: Store
    clock: Clock
    issuer: LoopbackIssuer
    revoked: set[str] = field(default_factory=set)
    made: list[OidcIdentity] = field(default_factory=list)
    sealing: bytes = b"s" * 32
    tenant: str = TENANT

    def node(
        self,
        *,
        agents: list[Agent] | None = None,
        users: list[User] | None = None,
        issuers: list[Issuer] | None = None,
        settings: dict[str, object] | None = None,
    ) -> OidcIdentity:
        keys = OwnKeys(SigningKeyTable(self.store), self.sealing, self.clock.wall, self.clock)
        chosen = GatewayTokenSettings.model_validate(settings or {})
        self.made.append(
            OidcIdentity(
                issuers or [an_issuer(self.issuer.url)],
                [an_agent()] if agents is None else agents,
                users or [],
                PassSettings(),
                store=PassTable(self.store),
                now=self.clock.wall,
                steady=self.clock,
                minting=Minting(keys, self.tenant, chosen, self.revoked.__contains__),
            )
        )
        return self.made[-1]


@pytest.fixture
async def world(store: Store, clock: Clock, issuer: LoopbackIssuer) -> AsyncIterator[World]:
    made = World(store, clock, issuer)
    yield made
    for each in made.made:
        await each.close()


@pytest.fixture
def node(world: World) -> OidcIdentity:
    return world.node()


async def given(node: OidcIdentity, token: bytes, targets: Targets = FOR_ARM, source: IPAddress = HERE) -> IssuedToken:
    return await node.issue_token(await node.verify(token, source), targets, URL)


async def use(node: OidcIdentity, token: IssuedToken | bytes, resource: Resource = ARM) -> Identified:
    return await node.identify(token if isinstance(token, bytes) else token.secret.encode(), resource, HERE)


def parts(token: IssuedToken) -> tuple[dict[str, object], dict[str, object], bytes]:
    header, body, signature = token.secret.encode().split(b".")
    return _read(header), _read(body), signature


def _read(segment: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4)))
    return found


def rewritten(token: IssuedToken, change: Callable[[dict[str, object]], None]) -> bytes:
    """The token with other claims under the signature that it had."""
    header, _, signature = token.secret.encode().split(b".")
    claims = parts(token)[1]
    change(claims)
    return b".".join([header, base64url(json.dumps(claims).encode()), signature])


# ── what an honest agent has of it ───────────────────────────────────────────────────────────────────────────────────


async def test_a_gateway_token_is_its_agent(node: OidcIdentity, issuer: LoopbackIssuer) -> None:
    token = issuer.token()
    by_token = await node.identify(token, ARM, HERE)
    found = await use(node, issued := await given(node, token))
    assert found.principal == by_token.principal
    assert (found.proof, found.pass_id) == ("gateway_token", issued.id)
    assert found.lasts == found.good_for == issued.lifetime == 600
    assert found.outlived
    assert found.issued == by_token.issued
    assert issued.secret not in repr(issued)


async def test_it_is_of_the_form_that_azures_clients_read(node: OidcIdentity, issuer: LoopbackIssuer) -> None:
    header, claims, _ = parts(issued := await given(node, issuer.token()))
    assert (header["alg"], header["typ"]) == ("ES256", "gateway+jwt")
    assert claims["tid"] == TENANT
    assert claims["iss"] == f"{URL}/{TENANT}/v2.0"
    assert claims["oid"] == claims["sub"] == claims["appid"]
    assert claims["idtyp"] == "app"
    (key,) = await node.tokens.keys()
    public = jwt.PyJWK(key)
    read = jwt.decode(
        issued.secret,
        public,
        algorithms=["ES256"],
        audience=f"api://blastwall/{TENANT}",
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},  # by the test's clock
    )
    assert read == claims


async def test_one_token_gives_as_many_as_an_agents_clients_ask_for(node: OidcIdentity, issuer: LoopbackIssuer) -> None:
    token = issuer.token()
    first, second = await given(node, token), await given(node, token)
    other = await given(node, token, Targets(("azure-blob",)))
    assert first.id != second.id
    assert (await use(node, first)).principal == (await use(node, second)).principal
    assert (await use(node, other, BLOB)).principal.name == "shop-ci"


@pytest.mark.parametrize(("lifetime", "expected"), [("5m", 300), ("1h", 600)])
async def test_it_lives_no_longer_than_configured_nor_than_its_token(
    world: World, issuer: LoopbackIssuer, clock: Clock, lifetime: str, expected: int
) -> None:
    node = world.node(settings={"lifetime": lifetime})
    issued = await given(node, issuer.token())
    assert issued.lifetime == expected
    clock.at += expected - 1
    await use(node, issued)
    clock.at += 1
    with pytest.raises(Refusal, match="has ended"):
        await use(node, issued)


@pytest.mark.parametrize("jump", [-7200.0, -86_400.0])
async def test_a_wall_clock_set_back_makes_no_ended_one_good(
    node: OidcIdentity, issuer: LoopbackIssuer, clock: Clock, jump: float
) -> None:
    issued = await given(node, issuer.token())
    clock.jump = jump
    clock.at += 600
    with pytest.raises(Refusal, match="has ended"):
        await use(node, issued)


async def test_another_node_takes_it_without_having_seen_it(world: World, issuer: LoopbackIssuer) -> None:
    one, two = world.node(), world.node()
    early = await given(two, issuer.token())
    issued = await given(one, issuer.token())
    assert (await use(two, issued)).pass_id == issued.id
    assert (await use(one, early)).pass_id == early.id
    assert parts(early)[0] == parts(issued)[0], "nodes that share a state sign with one key"


async def test_nothing_is_asked_of_the_state_at_its_use(
    node: OidcIdentity, issuer: LoopbackIssuer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = await given(node, issuer.token())
    for name in ("read", "write"):
        monkeypatch.setattr(store, name, lambda: pytest.fail("the state was asked"))
    assert (await use(node, issued)).pass_id == issued.id


# ── what it is good for ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("targets", "good", "bad"),
    [
        (Targets(("azure-arm",)), [ARM], [BLOB, VAULT, PG]),
        (Targets(("azure-blob", "azure-arm")), [ARM, BLOB], [VAULT, PG]),
        (Targets((), ("kv",)), [VAULT], [OTHER_VAULT, ARM, PG]),
        (Targets((), ("pg-prod",)), [PG], [ARM, VAULT]),
        (Targets(("kv", "arm")), [], [ARM, VAULT]),  # names of resources are no kinds
        (Targets((), ("azure-arm",)), [], [ARM]),  # nor kinds names
    ],
)
async def test_it_is_good_for_what_it_was_asked_for_alone(
    node: OidcIdentity, issuer: LoopbackIssuer, targets: Targets, good: list[Resource], bad: list[Resource]
) -> None:
    issued = await given(node, issuer.token(), targets)
    for resource in good:
        assert (await use(node, issued, resource)).pass_id == issued.id
    for resource in bad:
        with pytest.raises(Refusal, match=f"not for {resource.name}"):
            await use(node, issued, resource)


async def test_it_is_no_proof_where_a_token_is_wanted(node: OidcIdentity, issuer: LoopbackIssuer) -> None:
    issued = await given(node, issuer.token())
    with pytest.raises(Refusal, match="where a token is wanted"):
        await node.verify(issued.secret.encode(), HERE)


async def test_it_is_no_proof_there_though_the_gateway_were_configured_as_an_issuer_of_its_own(
    world: World, issuer: LoopbackIssuer
) -> None:
    """Its type alone bars it from the way that tokens of issuers take."""
    issued = await given(world.node(), issuer.token())
    claims = parts(issued)[1]
    own = an_issuer(str(claims["iss"]), audience=f"api://blastwall/{TENANT}", algorithms=["ES256"], max_lifetime="24h")
    agent = an_agent(match={"tid": TENANT})
    node = world.node(issuers=[own], agents=[agent])
    with pytest.raises(Refusal, match="where a token is wanted"):
        await node.verify(issued.secret.encode(), HERE)
    untyped = jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256", {"typ": "gateway+jwt", "kid": "x"})
    with pytest.raises(Refusal, match="typ"):
        await node.verify(untyped.encode(), HERE)


# ── what a thief tries ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_altered_one_is_refused(node: OidcIdentity, issuer: LoopbackIssuer) -> None:
    issued = await given(node, issuer.token())

    def longer(claims: dict[str, object]) -> None:
        claims["exp"] = int(str(claims["exp"])) + 3600

    def another(claims: dict[str, object]) -> None:
        inner = claims["blastwall"]
        assert isinstance(inner, dict)
        inner["name"] = "root-ci"

    def everywhere(claims: dict[str, object]) -> None:
        inner = claims["blastwall"]
        assert isinstance(inner, dict)
        inner["kinds"] = ["azure-arm", "postgres"]

    for change in (longer, another, everywhere):
        with pytest.raises(Refusal, match="signature does not verify"):
            await use(node, rewritten(issued, change))
    for cut in (issued.secret[:-1], issued.secret.rpartition(".")[0], issued.secret.rpartition(".")[0] + "."):
        with pytest.raises(Refusal, match="refused"):
            await use(node, cut.encode())


async def test_no_other_algorithm_counts(node: OidcIdentity, issuer: LoopbackIssuer) -> None:
    """`none`, and HMAC under the public key: the header is compared as a whole, so neither is even read."""
    issued = await given(node, issuer.token())
    header, claims, _ = parts(issued)
    kid = str(header["kid"])
    found = await node.tokens._keys.find(header_of(kid))
    assert found is not None
    pem = found.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    body = base64url(json.dumps(claims).encode())
    for algorithm in ("none", "None", "HS256", "RS256", "ES384"):
        forged = base64url(json.dumps({**header, "alg": algorithm}, separators=(",", ":")).encode())
        signed = forged + b"." + body
        mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
        for signature in (b"", base64url(mac.sign(signed, pem))):
            with pytest.raises(Refusal):
                await use(node, signed + b"." + signature)
    same_header = header_of(kid) + b"." + body
    with pytest.raises(Refusal, match="signature does not verify"):
        await use(node, same_header + b"." + base64url(mac.sign(same_header, pem)))


@pytest.mark.parametrize(
    "more",
    [
        {"jwk": {"kty": "EC"}},
        {"jku": "https://thief.example/keys"},
        {"x5u": "https://thief.example/chain"},
        {"crit": ["exp"], "exp": 1},
        {"kid": "../../../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"kid": ""},
    ],
)
async def test_a_header_that_says_more_or_names_another_key_is_refused(
    node: OidcIdentity, issuer: LoopbackIssuer, more: dict[str, object]
) -> None:
    header, claims, _ = parts(await given(node, issuer.token()))
    thief = ec.generate_private_key(ec.SECP256R1())
    forged = jwt.encode(claims, thief, "ES256", {**header, **more})
    with pytest.raises(Refusal):
        await use(node, forged.encode())
    ordered = base64url(json.dumps({**header, **more}, separators=(",", ":")).encode())
    assert ordered.startswith(PREFIX)
    with pytest.raises(Refusal, match="no key of this gateway"):
        await use(node, b".".join([ordered, *forged.encode().split(b".")[1:]]))


async def test_a_thiefs_own_key_in_the_state_verifies_nothing(
    world: World, issuer: LoopbackIssuer, clock: Clock
) -> None:
    """Whoever can write the state, but has not the gateway's sealing key."""
    header, claims, _ = parts(await given(world.node(), issuer.token()))
    thief = World(world.store, clock, issuer, sealing=b"t" * 32)
    await given(thief.node(settings={"rotate": "30d"}), issuer.token())
    (theirs,) = [key for key in await thief.made[0].tokens.keys() if key["kid"] != header["kid"]]
    key = await thief.made[0].tokens._keys.find(header_of(str(theirs["kid"])))
    assert key is not None
    forged = jwt.encode(claims, key.private, "ES256", {"typ": "gateway+jwt", "kid": key.id})
    honest = world.node()
    with pytest.raises(Refusal):
        await use(honest, forged.encode())
    with pytest.raises(Refusal, match="no key of this gateway"):
        await use(honest, header_of(key.id) + b"." + forged.encode().partition(b".")[2])
    await thief.made[0].close()


async def test_a_token_of_another_gateway_is_refused(world: World, issuer: LoopbackIssuer) -> None:
    """With the very key of this one: a state that was copied, under a tenant of its own."""
    world.tenant = "00000000-0000-4000-8000-000000000000"
    foreign = await given(world.node(), issuer.token())
    world.tenant = TENANT
    with pytest.raises(Refusal, match="made for another gateway"):
        await use(world.node(), foreign)


async def test_azures_token_is_refused_unless_its_issuer_is_configured(
    node: OidcIdentity, issuer: LoopbackIssuer
) -> None:
    azure = issuer.token(
        iss="https://sts.windows.net/8ea3a1c5-0000-4000-8000-000000000000/", aud="https://management.azure.com/"
    )
    with pytest.raises(Refusal, match="unknown issuer"):
        await node.identify(azure, ARM, HERE)


async def test_an_old_key_verifies_until_its_last_token_has_ended(
    world: World, issuer: LoopbackIssuer, clock: Clock
) -> None:
    node = world.node(settings={"lifetime": "10m", "rotate": "1h"})
    old = await given(node, issuer.token())
    clock.at += 3595
    last = await given(node, issuer.token())
    assert parts(last)[0] == parts(old)[0]
    clock.at += 10
    fresh = await given(node, issuer.token())
    assert parts(fresh)[0] != parts(old)[0]
    assert len(await node.tokens.keys()) == 2
    assert (await use(node, last)).pass_id == last.id
    clock.at += 600
    assert [key["kid"] for key in await node.tokens.keys()] == [parts(fresh)[0]["kid"]]
    with pytest.raises(Refusal):
        await use(node, last)


async def test_a_successor_signs_once_every_node_knows_it(world: World, issuer: LoopbackIssuer, clock: Clock) -> None:
    one, two = (world.node(settings={"lifetime": "10m", "rotate": "1h"}) for _ in range(2))
    first = await given(one, issuer.token())
    clock.at += 3350
    before = await given(one, issuer.token())
    assert parts(before)[0] == parts(first)[0], "its successor was made just now"
    assert len(await one.tokens.keys()) == 2
    clock.at += 100
    after = await given(one, issuer.token())
    assert parts(after)[0] != parts(first)[0]
    assert (await given(two, issuer.token())).id
    assert len(await two.tokens.keys()) == 2, "nodes make one successor together"
    assert (await use(two, after)).pass_id == after.id


async def test_no_token_outlives_its_key_though_lifetimes_grew(
    world: World, issuer: LoopbackIssuer, clock: Clock
) -> None:
    node = world.node(settings={"lifetime": "5m", "rotate": "1h"})
    first = await given(node, issuer.token())
    node.tokens.reconfigure(GatewayTokenSettings.model_validate({"lifetime": "2h", "rotate": "1h"}))
    second = await given(node, issuer.token(exp=int(clock()) + 7200))
    assert second.lifetime == 7200
    assert parts(first)[0] != parts(second)[0]
    clock.at += 7100
    assert (await use(node, second)).pass_id == second.id


async def test_a_revoked_one_is_worth_nothing(world: World, issuer: LoopbackIssuer, store: Store) -> None:
    node = world.node()
    issued = await given(node, issuer.token())
    assert await node.give_back(issued.secret.encode())
    (told,) = await ContainmentTable(store).in_force(world.clock())
    assert (told.kind, told.name) == (Kind.PASS, issued.id), "every node hears of it, and ends its sessions"
    world.revoked.add(issued.id)
    with pytest.raises(Refusal, match="was revoked"):
        await use(node, issued)
    assert not await node.give_back(issued.secret.encode())
    assert not await node.give_back(issued.secret.encode()[:-4] + b"AAAA")


async def test_a_containment_bars_the_exchange_and_spoils_what_was_given(
    world: World, issuer: LoopbackIssuer, store: Store, clock: Clock
) -> None:
    node = world.node()
    token = issuer.token()
    issued = await given(node, token)
    clock.at += 5
    await ContainmentTable(store).add(Contained(Kind.AGENT, "shop-ci", "stolen", "ana", clock()))
    with pytest.raises(Refusal, match="before a containment"):
        await given(node, token)
    found = await use(node, issued)
    assert found.issued < clock(), "so old is the proof, by which the gate finds it spoiled"


async def test_a_token_exchanged_here_is_worth_nothing_from_another_address(
    node: OidcIdentity, issuer: LoopbackIssuer
) -> None:
    token = issuer.token()
    await given(node, token)
    with pytest.raises(Refusal, match="may have been stolen"):
        await given(node, token, source=ELSEWHERE)
    spent = issuer.token()
    await node.issue(await node.verify(spent, HERE), PG.name)
    with pytest.raises(Refusal, match="may have been stolen"):
        await given(node, spent, source=ELSEWHERE)


async def test_a_client_in_a_loop_fills_no_state(
    node: OidcIdentity, issuer: LoopbackIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blastwall.identity.gateway_tokens.MOST_WORKING", 3)
    token = issuer.token()
    first = await given(node, token)
    for _ in range(2):
        await given(node, token)
    with pytest.raises(Refusal, match="work already"):
        await given(node, token)
    await node.give_back(first.secret.encode())
    await given(node, token)


async def test_a_persons_clients_in_a_loop_fill_none_either(
    world: World, issuer: LoopbackIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each exchange of a login stands under a name of its own in the state; they count together all the same."""
    monkeypatch.setattr("blastwall.identity.gateway_tokens.MOST_WORKING", 2)
    node = world.node(users=[User(name="ana", issuer="github", match={"oid": "5f1c"})])
    person = (await node.verify(issuer.token(oid="5f1c", repository_id=None), HERE)).person
    login, other = [await node.sign_in(LoginKind.CLI, person, HERE, idle=600, lifetime=600) for _ in range(2)]
    for _ in range(2):
        await node.issue_token_for_login(login.secret.encode(), FOR_ARM, HERE, URL)
    with pytest.raises(Refusal, match="work already"):
        await node.issue_token_for_login(login.secret.encode(), FOR_ARM, HERE, URL)
    await node.issue_token_for_login(other.secret.encode(), FOR_ARM, HERE, URL)


async def test_it_is_no_pass_that_bars_another(node: OidcIdentity, issuer: LoopbackIssuer) -> None:
    """A token for a resource by its name (what `connect` asks for first) leaves the one pass to it to be had."""
    token = issuer.token()
    await given(node, token, Targets((), (PG.name,)))
    claimant = await node.verify(token, HERE)
    await node.issue(claimant, PG.name)
    with pytest.raises(Refusal, match="exchanged"):
        await node.issue(claimant, PG.name)


@pytest.mark.parametrize("agents", [[], [an_agent(match={"repository_id": "124"})], [an_agent(name="other-ci")]])
async def test_it_ends_with_what_its_agent_was(world: World, issuer: LoopbackIssuer, agents: list[Agent]) -> None:
    issued = await given(world.node(), issuer.token())
    with pytest.raises(Refusal, match="configuration has changed"):
        await use(world.node(agents=agents), issued)


async def test_it_is_what_its_agent_is_today(world: World, issuer: LoopbackIssuer) -> None:
    issued = await given(world.node(), issuer.token())
    node = world.node(agents=[an_agent(groups=["readers"], networks=["10.0.0.0/8"], session_max="1m")])
    with pytest.raises(Refusal, match="outside its `networks`"):
        await use(node, issued)
    found = await node.identify(issued.secret.encode(), ARM, ip_address("10.1.1.1"))
    assert (found.principal.groups, found.session_max) == (frozenset({"readers"}), 60.0)


async def test_an_issuer_configured_anew_is_another_one(world: World, issuer: LoopbackIssuer) -> None:
    issued = await given(world.node(), issuer.token())
    with pytest.raises(Refusal, match="configuration has changed"):
        await use(world.node(issuers=[an_issuer(issuer.url, audience="another")]), issued)


async def test_claims_beyond_the_limit_are_refused_at_the_exchange(node: OidcIdentity, issuer: LoopbackIssuer) -> None:
    token = issuer.token(groups=["g" * 60] * 182)
    assert len(token) < 16 << 10
    with pytest.raises(Refusal, match="longer than"):
        await given(node, token)


async def test_without_the_state_none_is_given(node: OidcIdentity, issuer: LoopbackIssuer, store: Store) -> None:
    claimant = await node.verify(issuer.token(), HERE)
    async with store.write() as connection:
        await connection.exec_driver_sql("DROP TABLE signing_keys")
    with pytest.raises(Unavailable, match="signing_keys"):
        await node.issue_token(claimant, FOR_ARM, URL)


async def test_a_pass_and_a_token_are_no_gateway_token(node: OidcIdentity, issuer: LoopbackIssuer) -> None:
    token = issuer.token(rsa_key(), header={"typ": "gateway+jwt"})
    with pytest.raises(Refusal, match="typ"):
        await node.identify(token, ARM, HERE)
    issued = await node.issue(await node.verify(issuer.token(), HERE), "arm")
    assert (await node.identify(issued.secret.encode(), ARM, HERE)).proof == "pass"
