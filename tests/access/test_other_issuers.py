"""Keycloak, Entra ID and Auth0, by the shapes of their tokens as they document them: what is taken, what is refused, and why.

The shapes are in `claims/`, with the settings that each issuer needs; a key of the test signs them.
"""

import time
from collections.abc import AsyncIterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from cdp.access.people import create_staff
from cdp.access.relying_party import Attempt, LogoutRefused, RelyingParty, SignInRefused
from cdp.access.sealing import new_secret
from cdp.access.tokens import Pool, TokenInvalid, TokenVerifier
from cdp.db.engine import connect, open_pool
from cdp.settings import Settings
from tests.access.world import World

KEY = RSAKey.generate_key(2048, {"kid": "theirs"})
SHAPES = {path.stem: orjson.loads(path.read_bytes()) for path in sorted((Path(__file__).parent / "claims").iterdir())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """Such an issuer, reached without a socket, and us as its client and as its resource."""

    name: str
    pool: Pool
    folder: Path

    @property
    def shape(self) -> dict[str, Any]:
        found: dict[str, Any] = deepcopy(SHAPES[self.name])
        return found

    def settings(self, **changed: Any) -> Settings:
        """The settings that its shapes need, changed."""
        told = {
            "oidc_issuer": self.shape["issuer"],
            "public_url": "https://api.example",
            **self.shape["settings"],
            **changed,
        }
        return Settings(**told, data_dir=self.folder)

    def signed(self, what: str, header: dict[str, Any] | None = None, **changed: Any) -> str:
        """A token of a shape, changed; None leaves a claim out."""
        shape, now = self.shape[what], int(time.time())
        claims = {"iss": self.shape["issuer"], "iat": now, "exp": now + 60, **shape["claims"], **changed}
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode({**shape["header"], "kid": "theirs", **(header or {})}, claims, KEY)

    def http(self) -> httpx2.AsyncClient:
        metadata = {"issuer": self.shape["issuer"], **self.shape["metadata"]}
        answers = {
            f"{self.shape['issuer'].rstrip('/')}/.well-known/openid-configuration": metadata,
            metadata["jwks_uri"]: {"keys": [KEY.as_dict(private=False)]},
        }
        return httpx2.AsyncClient(
            transport=httpx2.MockTransport(lambda request: httpx2.Response(200, json=answers[str(request.url)]))
        )

    def door(self, **changed: Any) -> TokenVerifier:
        return TokenVerifier(lambda: self.pool, self.settings(**changed), http=self.http())

    def party(self, **changed: Any) -> RelyingParty:
        settings = self.settings(**changed)
        return RelyingParty(
            self.http(),
            issuer=settings.issuer,
            client_id=settings.oidc_client_id or "",
            client_secret=None,
            redirect_uri="https://clients.example/auth/callback",
            subject_claim=settings.oidc_subject_claim,
        )


@pytest.fixture(params=SHAPES)
async def other(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> AsyncIterator[Other]:
    with connect(world.url) as connection:
        create_staff(connection, email="sam@elsewhere.example", name="Sam")
        shape = SHAPES[request.param]
        connection.execute(
            "UPDATE staff SET issuer = %s, subject = %s WHERE email = 'sam@elsewhere.example'",
            [shape["issuer"], shape["person_token"]["person"]],
        )
    async with open_pool(world.url, "cdp_app", max_size=2) as pool:
        yield Other(name=request.param, pool=pool, folder=tmp_path)


async def refusal(door: TokenVerifier, token: str) -> str:
    with pytest.raises(TokenInvalid) as refused:
        await door.tool(token)
    return refused.value.problem


async def test_a_client_and_a_client_for_somebody_of_our_staff_are_let_in(other: Other) -> None:
    for what in ("client_token", "person_token"):
        tool = await other.door().tool(other.signed(what))
        wanted = other.shape[what]
        assert (tool.client_id, sorted(tool.scopes), tool.acting_for) == (
            wanted["client_id"],
            wanted["scopes"],
            wanted.get("person"),
        )


async def test_a_client_for_anybody_else_is_not_let_in(other: Other) -> None:
    claim = other.settings().oidc_subject_claim
    changed: dict[str, Any] = {claim: "somebody of a client's"}
    token = other.signed("person_token", **changed)
    assert await refusal(other.door(), token) == "the person it acts for is not of our staff"


async def test_an_id_token_is_no_access_token_whatever_its_type_says(other: Other) -> None:
    audience = other.settings().oidc_audience
    for changed, problem in (
        ({"nonce": "n"}, "invalid_claim"),
        ({"nonce": "n", "aud": audience}, "it is of another type"),
        ({"nonce": None, "at_hash": "x", "aud": audience}, "it is of another type"),
    ):
        assert await refusal(other.door(), other.signed("id_token", **changed)) == problem


async def test_tokens_of_type_jwt_are_taken_only_when_that_is_set(other: Other) -> None:
    door = other.door(oidc_plain_jwt=False)
    assert await refusal(door, other.signed("client_token")) == "it is of another type"
    assert (await door.tool(other.signed("client_token", {"typ": "at+jwt"}))).scopes


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"iss": "https://evil.example"}, "invalid_claim"),
        ({"aud": "another api"}, "invalid_claim"),
        ({"aud": "https://api.example/"}, "invalid_claim"),
        ({"exp": int(time.time()) - 60}, "expired_token"),
        ({"azp": None, "client_id": None, "appid": None}, "it names no client"),
        ({"azp": 7, "client_id": 7}, "it names no client"),
        ({"scope": 7, "scp": 7}, "its scopes cannot be read"),
        ({"scope": ["graph:read", 7], "roles": [7]}, "its scopes cannot be read"),
    ],
)
async def test_what_is_wrong_with_a_token_is_found_in_any_dialect(
    other: Other, changed: dict[str, Any], problem: str
) -> None:
    assert await refusal(other.door(), other.signed("client_token", **changed)) == problem


async def test_of_keycloak_only_a_bearer_token_is_one(other: Other) -> None:
    for typ in ("ID", "Refresh", "Offline", "Logout"):
        assert await refusal(other.door(), other.signed("client_token", typ=typ)) == "it is of another type"


async def test_another_tenant_is_another_issuer(other: Other) -> None:
    for issuer in (
        "https://login.microsoftonline.com/common/v2.0",
        "https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/",
        f"{other.shape['issuer'].rstrip('/')}x",
        other.shape["issuer"].removesuffix("/") if other.name == "auth0" else f"{other.shape['issuer']}/",
    ):
        assert await refusal(other.door(), other.signed("client_token", iss=issuer)) == "invalid_claim"


async def redeem(other: Other, attempt: Attempt, *, max_age_seconds: int | None = None, **changed: Any) -> Any:
    """Who the issuer's answer speaks of; its token endpoint answers with the ID token of its shape."""
    party = other.party()
    token = other.signed("id_token", **{"nonce": attempt.nonce, **changed})
    http, endpoint = party._http, other.shape["metadata"]["token_endpoint"]

    async def post(url: str, **_given: object) -> httpx2.Response:
        assert url == endpoint
        return httpx2.Response(200, json={"id_token": token}, request=httpx2.Request("POST", url))

    http.post = post  # type: ignore[method-assign,assignment]
    return await party.redeem({"code": "c", "iss": other.shape["issuer"]}, attempt, max_age_seconds=max_age_seconds)


async def test_somebody_signs_in_by_the_claim_that_names_them(other: Other) -> None:
    attempt = Attempt(state=new_secret(), browser=new_secret())
    identity = await redeem(other, attempt)
    assert (identity.issuer, identity.subject) == (other.shape["issuer"], other.shape["id_token"]["subject"])
    assert identity.name == "Ana Lima"
    with pytest.raises(SignInRefused):
        await redeem(other, attempt, **{other.settings().oidc_subject_claim: None})


async def test_who_signed_in_without_saying_when_is_not_signed_in_lately(other: Other) -> None:
    attempt = Attempt(state=new_secret(), browser=new_secret())
    assert (await redeem(other, attempt)).authenticated_at.year == 1970
    for auth_time, reason in ((None, "auth_time_missing"), (int(time.time()) - 400, "auth_time_too_old")):
        with pytest.raises(SignInRefused) as refused:
            await redeem(other, attempt, max_age_seconds=300, auth_time=auth_time)
        assert refused.value.reason == reason
    fresh = await redeem(other, attempt, max_age_seconds=300, auth_time=int(time.time()) - 290)
    assert fresh.authenticated_at.year > 1970


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"nonce": "n"}, "it has a nonce"),
        ({"events": None}, "it speaks of no logout"),
        ({"events": {"http://schemas.openid.net/event/other": {}}}, "it speaks of no logout"),
        ({"events": "http://schemas.openid.net/event/backchannel-logout"}, "it speaks of no logout"),
        ({"jti": None}, "it names no session, no person, or not itself"),
        ({"sub": None, "sid": None}, "it names no session, no person, or not itself"),
        ({"sub": 7}, "invalid_claim"),
        ({"aud": "another"}, "invalid_claim"),
        ({"iss": "https://evil.example"}, "invalid_claim"),
        ({"exp": int(time.time()) - 60}, "expired_token"),
        ({"exp": None}, "missing_claim"),
        ({"iat": None}, "missing_claim"),
    ],
)
async def test_logout_tokens_are_read_and_bent_ones_refused(
    other: Other, changed: dict[str, Any], problem: str
) -> None:
    if "logout_token" not in other.shape:
        assert other.name == "entra-id"  # it tells browsers, not clients, so sessions end by their own limits
        return
    told = await other.party().logged_out(other.signed("logout_token"))
    assert (told.issuer, told.sid) == (other.shape["issuer"], other.shape["logout_token"]["claims"]["sid"])
    with pytest.raises(LogoutRefused) as refused:
        await other.party().logged_out(other.signed("logout_token", **changed))
    assert refused.value.problem == problem
