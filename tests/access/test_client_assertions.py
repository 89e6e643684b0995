"""`private_key_jwt`: a client that signs gets tokens; whatever is wrong with what it signed, or comes twice, gets none."""

import time
from collections.abc import Callable
from typing import Any

import httpx2
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from cdp.access.client_keys import read_public_keys
from cdp.access.people import NewClient, create_client
from cdp.access.sealing import base64url, new_secret
from cdp.access.viewer import Scope
from cdp.db.engine import connect
from cdp.errors import InvalidField
from tests.access.world import ISSUER, World, basic, with_public_key_as_secret

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEY = ECKey.generate_key("P-256")
KEY.ensure_kid()
OTHER = ECKey.generate_key("P-256", {"kid": str(KEY.kid)})
RSA = RSAKey.generate_key(2048)
RSA.ensure_kid()
WEAK = (
    rsa.generate_private_key(65_537, 1024)
    .public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
)


@pytest.fixture
def signer(world: World) -> NewClient:
    keys = orjson.dumps({"keys": [KEY.as_dict(private=False), RSA.as_dict(private=False)]})
    with connect(world.url) as connection:
        return create_client(
            connection, name="Nightly export", scopes=[Scope.GRAPH_READ], public_keys=read_public_keys(keys)
        )


def claims(client: NewClient, **changed: Any) -> dict[str, Any]:
    now = int(time.time())
    right = {"iss": client.client_id, "sub": client.client_id, "aud": ISSUER, "jti": new_secret(), "exp": now + 60}
    return {name: value for name, value in {**right, **changed}.items() if value is not None}


def signed(client: NewClient, key: Key = KEY, header: dict[str, Any] | None = None, **changed: Any) -> str:
    full = {"alg": "ES256", "typ": "JWT", "kid": KEY.kid, **(header or {})}
    full = {name: value for name, value in full.items() if value is not None}
    return jwt.encode(full, claims(client, **changed), key, algorithms=[str(full["alg"])])


async def token(visitor: httpx2.AsyncClient, assertion: str, **more: str) -> httpx2.Response:
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": assertion}
    return await visitor.post(f"{ISSUER}/token", data={**form, **more})


async def test_a_client_that_signs_gets_a_token_at_every_endpoint_it_may_use(
    visitor: httpx2.AsyncClient, signer: NewClient
) -> None:
    assert signer.client_secret is None
    access = ""
    for assertion in (
        signed(signer),
        signed(signer, aud=f"{ISSUER}/token"),
        signed(signer, aud=[ISSUER]),
        signed(signer, RSA, {"alg": "PS256", "kid": RSA.kid, "typ": None}),
        signed(signer, header={"typ": "client-authentication+jwt"}),
    ):
        answer = await token(visitor, assertion, client_id=signer.client_id)
        assert answer.status_code == 200, answer.text
        access = answer.json()["access_token"]
    for endpoint in ("introspect", "revoke"):
        form = {"token": access, "client_assertion_type": ASSERTION, "client_assertion": signed(signer)}
        assert (await visitor.post(f"{ISSUER}/{endpoint}", data=form)).status_code == 200


async def test_an_assertion_works_once(visitor: httpx2.AsyncClient, signer: NewClient, world: World) -> None:
    assertion = signed(signer)
    assert (await token(visitor, assertion)).status_code == 200
    again = await token(visitor, assertion)
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    reasons = world.execute(
        "SELECT reason FROM audit_record WHERE event = 'token' AND outcome = 'refused' AND actor = %s", signer.client_id
    )
    assert reasons == [("assertion_replayed",)]
    assert (await token(visitor, signed(signer))).status_code == 200


WRONG: list[Callable[[NewClient], str]] = [
    lambda client: signed(client, aud="https://other.example"),
    lambda client: signed(client, aud=[ISSUER, "https://other.example"]),
    lambda client: signed(client, aud=None),
    lambda client: signed(client, exp=int(time.time()) - 31),
    lambda client: signed(client, exp=int(time.time()) + 3600),
    lambda client: signed(client, exp=None),
    lambda client: signed(client, jti=None),
    lambda client: signed(client, iss="another"),
    lambda client: signed(client, iss=None),
    lambda client: signed(client, sub="another"),
    lambda client: signed(client, sub=None),
    lambda client: signed(client, sub=7),
    lambda client: signed(client, nbf=int(time.time()) + 60),
    lambda client: signed(client, OTHER),
    lambda client: signed(client, OTHER, {"jwk": OTHER.as_dict(private=False)}),
    lambda client: signed(client, header={"kid": "unknown"}),
    lambda client: signed(client, header={"kid": None}),
    lambda client: signed(client, header={"typ": "at+jwt"}),
    lambda client: with_public_key_as_secret(claims(client), RSA, typ="JWT"),
    lambda client: signed(client, OctKey.generate_key(256), {"alg": "HS256"}),
    lambda client: ".".join([base64url(b'{"alg":"none"}'), signed(client).split(".")[1], ""]),
    lambda client: signed(client)[:-4] + "AAAA",
    lambda _: "not.a.token",
    lambda _: "",
    lambda _: "a" * 20_000,
]


async def test_whatever_is_wrong_with_an_assertion_it_gets_no_token(
    visitor: httpx2.AsyncClient, signer: NewClient, subtests: pytest.Subtests
) -> None:
    for number, wrong in enumerate(WRONG):
        with subtests.test(number=number):
            answer = await token(visitor, wrong(signer))
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), answer.text
    assert (await token(visitor, signed(signer))).status_code == 200


async def test_one_client_cannot_sign_for_another_nor_prove_itself_twice_at_once(
    visitor: httpx2.AsyncClient, signer: NewClient, world: World
) -> None:
    tool = world.tool
    for form in (
        {"client_assertion": signed(tool)},  # a client with a secret has no keys
        {"client_assertion": signed(signer), "client_id": tool.client_id},
        {"client_assertion": signed(signer), "client_secret": "x"},
    ):
        answer = await token(visitor, form.pop("client_assertion"), **form)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    header = {"Authorization": basic(tool.client_id, tool.client_secret or "")}
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": signed(signer)}
    answer = await visitor.post(f"{ISSUER}/token", data=form, headers=header)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert (await visitor.post(f"{ISSUER}/token", data={"grant_type": "client_credentials"})).status_code == 401


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (orjson.dumps(KEY.as_dict(private=True)), "private"),
        (RSA.as_pem(private=True), "private"),
        (orjson.dumps({"keys": [OctKey.generate_key(256).as_dict()]}), "public keys"),
        (WEAK, "2048"),
        (orjson.dumps({"keys": []}), "one to 5"),
        (orjson.dumps({"keys": [KEY.as_dict(private=False)] * 2}), "two keys of one name"),
        (b"{", "no JWK"),
        (b"garbage", "neither"),
    ],
    ids=["private jwk", "private pem", "symmetric", "weak", "none", "two of a name", "half a jwk", "garbage"],
)
def test_only_public_keys_that_are_strong_enough_are_registered(given: bytes, problem: str) -> None:
    with pytest.raises(InvalidField, match=problem):
        read_public_keys(given)


def test_keys_are_read_from_pem_and_jwk_and_get_names() -> None:
    ed = OKPKey.generate_key("Ed25519")
    for given in (KEY.as_pem(private=False), RSA.as_pem(private=False), ed.as_pem(private=False)):
        (read,) = read_public_keys(given)["keys"]
        assert read["kid"]
        assert "d" not in read
