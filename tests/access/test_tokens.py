"""Bearer tokens at our doors: the right one opens, a bent one does not, and checking is cheap."""

import asyncio
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import httpx2
import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from cdp.access.keys import REFETCH_SECONDS, IssuerKeys, UntrustedToken
from cdp.access.people import create_client
from cdp.access.sealing import unseal
from cdp.access.tokens import TokenInvalid, require
from cdp.access.viewer import Scope
from cdp.db.engine import connect
from cdp.errors import InvalidField
from tests.access.world import API, ISSUER, Stage, api_application, client_token, with_public_key_as_secret


async def ask(visitor: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await visitor.get(f"{API}/graph", headers={"Authorization": f"Bearer {token}"})


async def right_claims(visitor: httpx2.AsyncClient, stage: Stage) -> tuple[dict[str, Any], RSAKey]:
    """The claims of a good token, and the issuer's own key to sign bent ones with."""
    token = (await client_token(visitor, stage.world.tool)).json()["access_token"]
    sealed = bytes(stage.world.execute("SELECT sealed_private_jwk FROM signing_key")[0][0])
    plain = unseal(stage.world.settings.secret_key or "", "signing key", sealed)
    assert plain is not None
    key = RSAKey.import_key(orjson.loads(plain))
    return jwt.decode(token, key, algorithms=["RS256"]).claims, key


def signed(claims: dict[str, Any], key: RSAKey, **header: object) -> str:
    full = {"alg": "RS256", "typ": "at+jwt", "kid": key.kid, **header}
    full = {name: value for name, value in full.items() if value is not None}
    return jwt.encode(full, claims, key, algorithms=[str(full["alg"])])


async def test_a_tool_is_let_in_with_the_scopes_of_its_token(visitor: httpx2.AsyncClient, stage: Stage) -> None:
    token = (await client_token(visitor, stage.world.tool, "graph:read")).json()["access_token"]
    answer = await ask(visitor, token)
    assert answer.json() == {
        "client_id": stage.world.tool.client_id,
        "scopes": ["graph:read"],
        "acting_for": None,
    }


async def test_without_a_token_the_challenge_says_bearer(visitor: httpx2.AsyncClient, stage: Stage) -> None:
    token = (await client_token(visitor, stage.world.tool)).json()["access_token"]
    for answer in (
        await visitor.get(f"{API}/graph"),
        await visitor.get(f"{API}/graph?access_token={token}"),
        await visitor.get(f"{API}/graph", headers={"Authorization": f"Basic {token}"}),
    ):
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json()["code"] == "token_missing"


async def test_a_token_without_the_scope_is_forbidden(visitor: httpx2.AsyncClient, stage: Stage) -> None:
    token = (await client_token(visitor, stage.world.tool, "ledger:read")).json()["access_token"]
    answer = await ask(visitor, token)
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="graph:read"'


def test_a_door_without_a_scope_is_a_mistake_and_an_empty_set_grants_nothing() -> None:
    with pytest.raises(AssertionError):
        require({Scope.ADMIN}, [])


BENT: list[dict[str, object]] = [
    {"iss": "https://evil.example"},
    {"iss": None},
    {"aud": "https://evil.example"},
    {"aud": f"{API}/"},
    {"aud": None},
    {"exp": "long ago"},
    {"exp": None},
    {"exp": timedelta(seconds=-31)},
    {"iat": timedelta(seconds=40)},
    {"nbf": timedelta(seconds=40)},
    {"client_id": None},
    {"client_id": 7},
    {"scope": ["graph:read"]},
    {"sub": None},
]


async def test_a_bent_claim_is_refused_even_with_the_right_signature(
    visitor: httpx2.AsyncClient, stage: Stage, subtests: pytest.Subtests
) -> None:
    claims, key = await right_claims(visitor, stage)
    assert (await ask(visitor, signed(claims, key))).status_code == 200
    for changed in BENT:
        with subtests.test(changed=changed):
            now = {name: time.time() + by.total_seconds() for name, by in changed.items() if isinstance(by, timedelta)}
            bent = {name: value for name, value in {**claims, **changed, **now}.items() if value is not None}
            answer = await ask(visitor, signed(bent, key))
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')


async def test_a_wrong_type_algorithm_or_key_is_refused(visitor: httpx2.AsyncClient, stage: Stage) -> None:
    claims, key = await right_claims(visitor, stage)
    stranger = RSAKey.generate_key(2048, {"kid": str(key.kid)})
    unsigned = signed(claims, key).split(".")
    for token in (
        signed(claims, key, typ="JWT"),
        signed(claims, key, typ=None),
        signed(claims, stranger),
        signed(claims, stranger, jwk=stranger.as_dict(private=False)),
        signed(claims, stranger, jku="https://evil.example/jwks"),
        with_public_key_as_secret(claims, key),
        signed(claims, key, kid="' OR 1=1 --"),
        f"eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{unsigned[1]}.",
        f"{unsigned[0]}.{unsigned[1]}.",
        ".".join([*unsigned, "x"]),
        "garbage",
    ):
        answer = await ask(visitor, token)
        assert answer.status_code == 401, token
        assert answer.json()["code"] == "token_invalid"


async def test_a_token_ends_with_its_time_although_it_is_remembered(
    visitor: httpx2.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await client_token(visitor, stage.world.tool)).json()["access_token"]
    assert (await ask(visitor, token)).status_code == 200
    later = time.time() + 631
    monkeypatch.setattr("cdp.access.tokens.time.time", lambda: later)
    monkeypatch.setattr("joserfc._rfc7519.claims.time.time", lambda: later)
    assert (await ask(visitor, token)).status_code == 401


async def test_a_disabled_client_is_out_within_seconds(
    visitor: httpx2.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await client_token(visitor, stage.world.tool)).json()["access_token"]
    assert (await ask(visitor, token)).status_code == 200
    stage.world.execute("UPDATE oauth_client SET disabled_at = now() WHERE client_id = %s", stage.world.tool.client_id)
    soon = time.monotonic() + 3
    monkeypatch.setattr("cdp.access.tokens.time.monotonic", lambda: soon)
    assert (await ask(visitor, token)).json()["problem"] == "it was revoked"
    assert (await client_token(visitor, stage.world.tool)).json()["error"] == "invalid_client"


async def test_a_remembered_token_costs_next_to_nothing(visitor: httpx2.AsyncClient, stage: Stage) -> None:
    token = (await client_token(visitor, stage.world.tool)).json()["access_token"]
    verifier = api_application(stage.world, stage.pool).state.tokens
    first = await verifier.tool(token)
    began = time.perf_counter()
    for _ in range(1000):
        assert await verifier.tool(token) is first
    assert (time.perf_counter() - began) / 1000 < 0.0005


async def test_no_more_than_a_fixed_number_is_remembered(
    visitor: httpx2.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdp.access.tokens.MOST_REMEMBERED", 3)
    verifier = api_application(stage.world, stage.pool).state.tokens
    for _ in range(5):
        await verifier.tool((await client_token(visitor, stage.world.tool)).json()["access_token"])
    assert len(verifier._accepted) == 3


async def test_a_revoked_token_is_refused_by_a_process_that_just_started(
    visitor: httpx2.AsyncClient, stage: Stage
) -> None:
    token = (await client_token(visitor, stage.world.tool)).json()["access_token"]
    client_id, secret = stage.world.tool.client_id, stage.world.tool.client_secret or ""
    assert (await visitor.post(f"{ISSUER}/revoke", data={"token": token}, auth=(client_id, secret))).status_code == 200
    verifier = api_application(stage.world, stage.pool).state.tokens
    answers = await asyncio.gather(*(verifier.tool(token) for _ in range(10)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {TokenInvalid}


def test_a_client_without_a_scope_cannot_be_made(database_url: str) -> None:
    with connect(database_url) as connection, pytest.raises(InvalidField, match="scope"):
        create_client(connection, name="Nothing", scopes=[])


async def test_spoofed_hosts_change_neither_issuer_nor_links(visitor: httpx2.AsyncClient) -> None:
    spoofed = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    answer = await visitor.get(f"{ISSUER}/.well-known/openid-configuration", headers=spoofed)
    assert "evil.example" not in answer.text
    assert answer.json()["issuer"] == ISSUER


async def test_unknown_keys_have_the_issuers_keys_fetched_again_at_most_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever sends tokens with made-up key names makes us fetch no more often than that, also many at once."""
    made, later, fetched = RSAKey.generate_key(2048), RSAKey.generate_key(2048), 0
    for key in (made, later):
        key.ensure_kid()
    published = [made]

    async def load() -> KeySet:
        nonlocal fetched
        fetched += 1
        await asyncio.sleep(0)
        return KeySet(list(published))

    keys = IssuerKeys(load)
    assert (await keys.key(made.kid)).kid == made.kid
    outcomes = await asyncio.gather(*(keys.key(f"made-up-{number}") for number in range(50)), return_exceptions=True)
    assert {type(each) for each in outcomes} == {UntrustedToken}
    assert fetched == 1
    published.append(later)
    with pytest.raises(UntrustedToken):
        await keys.key(later.kid)
    clock = time.monotonic() + REFETCH_SECONDS + 1
    monkeypatch.setattr("cdp.access.keys.time", SimpleNamespace(monotonic=lambda: clock))
    found = await asyncio.gather(*(keys.key(later.kid) for _ in range(50)))
    assert {each.kid for each in found} == {later.kid}
    assert fetched == 2
