"""The relying party against an issuer that lies: only a token that is right in everything is believed."""

import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cdp.access.relying_party import Attempt, InsecureIssuer, IssuerUnavailable, RelyingParty, SignInRefused
from cdp.access.sealing import base64url, new_secret
from tests.access.world import with_public_key_as_secret

ISSUER = "http://localhost:9999"
KEY = RSAKey.generate_key(2048, {"kid": "right"})
OTHER = RSAKey.generate_key(2048, {"kid": "right"})


class Liar:
    """An issuer that answers with whatever a test wants."""

    def __init__(self) -> None:
        self.keys: list[Key] = [KEY]
        self.metadata: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/jwks",
            "authorization_response_iss_parameter_supported": True,
        }
        self.id_token: str | None = None
        self.jwks_asked = 0
        self.attempt = Attempt(state=new_secret(), browser=new_secret())

    def claims(self, **changed: Any) -> dict[str, Any]:
        """The right claims, changed; None removes."""
        now = int(time.time())
        right = {"iss": ISSUER, "aud": "us", "sub": "fina", "iat": now, "exp": now + 60, "nonce": self.attempt.nonce}
        return {name: value for name, value in {**right, **changed}.items() if value is not None}

    def signed(self, key: Key = KEY, header: dict[str, Any] | None = None, **changed: Any) -> str:
        """An ID token."""
        header = {"alg": "RS256", "kid": "right", **(header or {})}
        return jwt.encode(header, self.claims(**changed), key, algorithms=[header["alg"]])

    def application(self) -> Starlette:
        async def jwks(_: Request) -> Response:
            self.jwks_asked += 1
            return JSONResponse({"keys": [key.as_dict(private=False) for key in self.keys]})

        async def metadata(_: Request) -> Response:
            return JSONResponse(self.metadata)

        async def token(_: Request) -> Response:
            return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": self.id_token})

        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", metadata),
                Route("/jwks", jwks),
                Route("/token", token, methods=["POST"]),
            ]
        )

    def party(self, issuer: str = ISSUER) -> RelyingParty:
        """A relying party of this issuer."""
        http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.application()))
        return RelyingParty(http, issuer=issuer, client_id="us", client_secret="s", redirect_uri="http://localhost/cb")

    async def redeem(self) -> str:
        """The subject that is believed."""
        answer = {"code": "c", "iss": ISSUER}
        return (await self.party().redeem(answer, self.attempt)).subject


@pytest.fixture
def liar() -> Liar:
    return Liar()


async def test_a_right_token_is_believed(liar: Liar) -> None:
    liar.id_token = liar.signed()
    assert await liar.redeem() == "fina"
    liar.id_token = liar.signed(aud=["us"], azp="us", header={"typ": "JWT"})
    assert await liar.redeem() == "fina"


async def test_thirty_seconds_of_clock_skew_are_forgiven_and_no_more(liar: Liar) -> None:
    now = int(time.time())
    liar.id_token = liar.signed(exp=now - 25)
    assert await liar.redeem() == "fina"
    liar.id_token = liar.signed(exp=now - 35)
    with pytest.raises(SignInRefused):
        await liar.redeem()
    liar.id_token = liar.signed(iat=now + 35, exp=now + 90)
    with pytest.raises(SignInRefused):
        await liar.redeem()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "https://evil.example"}, "id_token_invalid"),
        ({"iss": None}, "id_token_invalid"),
        ({"aud": "others"}, "id_token_invalid"),
        ({"aud": None}, "id_token_invalid"),
        ({"aud": ["us", "others"], "azp": "others"}, "id_token_invalid"),
        ({"sub": None}, "id_token_invalid"),
        ({"sub": 7}, "id_token_invalid"),
        ({"exp": None}, "id_token_invalid"),
        ({"iat": None}, "id_token_invalid"),
        ({"nonce": None}, "nonce_mismatch"),
        ({"nonce": "another"}, "nonce_mismatch"),
        ({"nonce": ["list"]}, "nonce_mismatch"),
    ],
)
async def test_a_token_with_a_wrong_claim_is_refused(liar: Liar, changed: dict[str, Any], reason: str) -> None:
    liar.id_token = liar.signed(**changed)
    with pytest.raises(SignInRefused) as refused:
        await liar.redeem()
    assert refused.value.reason == reason


def _unsigned(liar: Liar) -> str:
    return ".".join([base64url(b'{"alg":"none"}'), liar.signed().split(".")[1], ""])


def _confused(liar: Liar) -> str:
    return with_public_key_as_secret(liar.claims(), KEY, typ="JWT")


def _embedded(liar: Liar) -> str:
    return liar.signed(OTHER, {"jwk": OTHER.as_dict(private=False)})


def _pointing(liar: Liar) -> str:
    return liar.signed(OTHER, {"jku": "https://evil.example/jwks"})


def _other_type(liar: Liar) -> str:
    return liar.signed(header={"typ": "at+jwt"})


def _logout_type(liar: Liar) -> str:
    return liar.signed(header={"typ": "logout+jwt"})


def _elliptic_as_rsa(liar: Liar) -> str:
    return liar.signed(ECKey.generate_key("P-256"), {"alg": "ES256"})


FORGED: list[Callable[[Liar], str]] = [
    _unsigned,
    _confused,
    _embedded,
    _pointing,
    _other_type,
    _logout_type,
    _elliptic_as_rsa,
    lambda liar: liar.signed(OTHER),
    lambda liar: liar.signed(header={"kid": "../../etc/passwd"}),
    lambda liar: liar.signed()[:-4] + "AAAA",
    lambda _: "not.a.token",
    lambda _: "",
    lambda _: "a" * 20_000,
]


@pytest.mark.parametrize("forge", FORGED)
async def test_a_forged_token_is_refused(liar: Liar, forge: Callable[[Liar], str]) -> None:
    liar.id_token = forge(liar)
    with pytest.raises(SignInRefused) as refused:
        await liar.redeem()
    assert refused.value.reason == "id_token_invalid"


async def test_an_answer_without_an_id_token_is_refused(liar: Liar) -> None:
    with pytest.raises(SignInRefused) as refused:
        await liar.redeem()
    assert refused.value.reason == "id_token_missing"


async def test_algorithms_are_ours_to_choose_whatever_the_metadata_say(liar: Liar) -> None:
    liar.metadata["id_token_signing_alg_values_supported"] = ["none", "HS256"]
    liar.id_token = _unsigned(liar)
    with pytest.raises(SignInRefused):
        await liar.redeem()


async def test_a_new_key_is_fetched_once_and_unknown_ones_do_not_flood_the_issuer(
    liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    party = liar.party()
    liar.id_token = liar.signed()
    await party.redeem({"code": "c", "iss": ISSUER}, liar.attempt)
    rotated = RSAKey.generate_key(2048, {"kid": "new"})
    liar.keys = [KEY, rotated]
    liar.id_token = liar.signed(rotated, {"kid": "new"})
    later = time.monotonic() + 11
    monkeypatch.setattr("cdp.access.keys.time.monotonic", lambda: later)
    assert (await party.redeem({"code": "c", "iss": ISSUER}, liar.attempt)).subject == "fina"
    for number in range(20):
        liar.id_token = liar.signed(OTHER, {"kid": f"unknown-{number}"})
        with pytest.raises(SignInRefused):
            await party.redeem({"code": "c", "iss": ISSUER}, liar.attempt)
    assert liar.jwks_asked == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://evil.example"},
        {"issuer": f"{ISSUER}/"},
        {"token_endpoint": None},
    ],
)
async def test_metadata_of_another_issuer_or_half_of_them_are_refused(liar: Liar, changed: dict[str, object]) -> None:
    liar.metadata = {name: value for name, value in {**liar.metadata, **changed}.items() if value is not None}
    with pytest.raises(IssuerUnavailable):
        await liar.party().authorization_url(liar.attempt)


async def test_plain_http_is_for_this_machine_only(liar: Liar) -> None:
    with pytest.raises(InsecureIssuer):
        await liar.party("http://issuer.example").provider()
    liar.metadata["token_endpoint"] = "http://issuer.example/token"
    with pytest.raises(InsecureIssuer):
        await liar.party().provider()


def test_verifier_and_nonce_follow_from_state_and_browser_only() -> None:
    one = Attempt(state="a", browser="b")
    assert one.code_verifier == Attempt(state="a", browser="b").code_verifier
    assert len(one.code_verifier) == 43
    others = [Attempt(state="c", browser="b"), Attempt(state="a", browser="c")]
    assert len({one.code_verifier, one.nonce, *(other.code_verifier for other in others)}) == 4
