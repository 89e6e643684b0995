"""The embedded issuer's code flow, rightly done and attacked."""

import re

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from cdp.access.issuer.app import issuer_routes
from cdp.access.relying_party import InsecureIssuer
from tests.access.world import API, ISSUER, CodeFlow, Stage, World, basic, client_token, submit_password


async def test_a_code_becomes_tokens_for_the_api(visitor: httpx2.AsyncClient, console: CodeFlow) -> None:
    callback = await console.code(visitor)
    assert (callback["state"], callback["iss"]) == ("some-state", ISSUER)
    answer = await console.tokens(visitor, callback["code"])
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 600
    keys = KeySet.import_key_set((await visitor.get(f"{ISSUER}/jwks")).json())
    access = jwt.decode(tokens["access_token"], keys, algorithms=["RS256"])
    assert access.header["typ"] == "at+jwt"
    assert access.claims["aud"] == API
    assert access.claims["exp"] - access.claims["iat"] == 600
    assert set(access.claims["scope"].split()) == {"openid", "profile", "email", "graph:read"}
    identity = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"])
    assert identity.header["typ"] == "JWT"
    assert identity.claims["aud"] == console.client_id
    assert (identity.claims["name"], identity.claims["email"]) == ("Sam", "sam@company.example")
    assert identity.claims["sub"] == access.claims["sub"]
    told = await visitor.get(f"{ISSUER}/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert told.json()["sub"] == access.claims["sub"]
    graph = await visitor.get(f"{API}/graph", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert graph.json() == {
        "client_id": console.client_id,
        "scopes": ["graph:read"],
        "acting_for": access.claims["sub"],
    }


async def test_no_private_part_of_a_key_is_published_or_stored_in_clear(
    visitor: httpx2.AsyncClient, world: World
) -> None:
    keys = (await visitor.get(f"{ISSUER}/jwks")).json()["keys"]
    assert [set(key) for key in keys] == [{"n", "e", "kty", "kid", "use", "alg"}]
    sealed = bytes(world.execute("SELECT sealed_private_jwk FROM signing_key")[0][0])
    assert b"kty" not in sealed


async def test_a_second_sign_in_of_the_browser_asks_for_no_password(
    visitor: httpx2.AsyncClient, console: CodeFlow
) -> None:
    await console.code(visitor)
    console.extra = {"nonce": "another"}
    assert (await visitor.get(console.url())).status_code == 302


@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "0"}])
async def test_a_client_can_ask_for_a_fresh_sign_in(
    visitor: httpx2.AsyncClient, console: CodeFlow, world: World, asked: dict[str, str]
) -> None:
    await console.code(visitor)
    world.execute("UPDATE idp_session SET authenticated_at = authenticated_at - interval '1 minute'")
    console.extra = {"nonce": "another", **asked}
    assert "<h1>Sign in</h1>" in (await visitor.get(console.url())).text
    assert "code" in await console.code(visitor)


async def test_prompt_none_without_a_session_is_told_to_the_client(
    visitor: httpx2.AsyncClient, console: CodeFlow
) -> None:
    console.extra = {"prompt": "none"}
    answer = await visitor.get(console.url())
    location = httpx2.URL(answer.headers["location"])
    assert location.params["error"] == "login_required"
    assert location.params["iss"] == ISSUER


NO_PKCE: list[tuple[list[str], dict[str, str]]] = [
    (["code_challenge", "code_challenge_method"], {}),
    (["code_challenge"], {}),
    (["code_challenge_method"], {}),
    ([], {"code_challenge_method": "plain"}),
    ([], {"code_challenge_method": "s256"}),
    ([], {"code_challenge": "short"}),
]


async def test_no_code_without_pkce_s256_also_for_a_confidential_client(
    visitor: httpx2.AsyncClient, console: CodeFlow, subtests: pytest.Subtests
) -> None:
    await console.code(visitor)  # signed in: nothing but PKCE stands in the way
    for without, extra in NO_PKCE:
        with subtests.test(without=without, extra=extra):
            console.extra = {"nonce": "another", **extra}
            answer = await visitor.get(console.url(*without))
            location = httpx2.URL(answer.headers["location"])
            assert location.params["error"] == "invalid_request"
            assert location.params["iss"] == ISSUER
            assert "code" not in location.params


@pytest.mark.parametrize("verifier", ["w" * 43, "", "v", "v" * 42])
async def test_a_wrong_or_missing_verifier_gets_no_token_and_burns_the_code(
    visitor: httpx2.AsyncClient, console: CodeFlow, verifier: str
) -> None:
    code = (await console.code(visitor))["code"]
    answer = await console.tokens(visitor, code, code_verifier=verifier)
    assert answer.status_code == 400
    assert answer.json()["error"] in {"invalid_grant", "invalid_request"}
    assert (await console.tokens(visitor, code)).json()["error"] == "invalid_grant"


async def test_a_code_used_twice_takes_its_tokens_with_it(visitor: httpx2.AsyncClient, console: CodeFlow) -> None:
    code = (await console.code(visitor))["code"]
    tokens = (await console.tokens(visitor, code)).json()
    assert (await console.tokens(visitor, code)).json()["error"] == "invalid_grant"
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert (await console.post(visitor, "token", refresh)).json()["error"] == "invalid_grant"
    graph = await visitor.get(f"{API}/graph", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert graph.status_code == 401


async def test_a_code_is_good_for_a_minute_for_its_client_and_its_address(
    visitor: httpx2.AsyncClient, console: CodeFlow, world: World
) -> None:
    code = (await console.code(visitor))["code"]
    other = CodeFlow(client_id=world.tool.client_id, secret=world.tool.client_secret)
    assert (await other.tokens(visitor, code)).json()["error"] == "unauthorized_client"
    answer = await console.tokens(visitor, code, redirect_uri="https://console.example/other")
    assert answer.json()["error"] == "invalid_grant"
    console.extra = {"nonce": "another"}
    code = (await console.code(visitor))["code"]
    world.execute("UPDATE authorization_code SET created_at = created_at - interval '61 seconds'")
    assert (await console.tokens(visitor, code)).json()["error"] == "invalid_grant"


async def test_refresh_tokens_rotate_and_a_stolen_one_kills_its_family(
    visitor: httpx2.AsyncClient, console: CodeFlow
) -> None:
    first = (await console.tokens(visitor, (await console.code(visitor))["code"])).json()
    refresh = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = (await console.post(visitor, "token", refresh)).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert (await console.post(visitor, "token", refresh)).json()["error"] == "invalid_grant"  # replayed
    rotated = {**refresh, "refresh_token": second["refresh_token"]}
    assert (await console.post(visitor, "token", rotated)).json()["error"] == "invalid_grant"  # the family is dead
    graph = await visitor.get(f"{API}/graph", headers={"Authorization": f"Bearer {second['access_token']}"})
    assert graph.status_code == 401


async def test_a_refresh_token_cannot_widen_its_scope(visitor: httpx2.AsyncClient, console: CodeFlow) -> None:
    tokens = (await console.tokens(visitor, (await console.code(visitor))["code"])).json()
    wider = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "scope": "graph:read admin"}
    assert (await console.post(visitor, "token", wider)).json()["error"] == "invalid_scope"


async def test_a_member_cannot_let_a_tool_read_the_graph(visitor: httpx2.AsyncClient, console: CodeFlow) -> None:
    callback = await console.code(visitor, email="fina@example.com")
    assert callback["error"] == "access_denied"
    assert callback["iss"] == ISSUER


HOSTILE = [
    "https://console.example/callback/",
    "https://console.example/callback?x=1",
    "https://console.example/callback#x",
    "https://console.example/Callback",
    "https://console.example/callback/../evil",
    "https://console.example:444/callback",
    "http://console.example/callback",
    "https://console.example.evil.example/callback",
    "https://evil.example/callback",
    "https://console.example@evil.example/callback",
    "https://evil.example\\@console.example/callback",
    "https://console.example%2f@evil.example/callback",
    "//console.example/callback",
    "/callback",
    "javascript:alert(1)//https://console.example/callback",
    "data:text/html,x",
    "https://console.example/callback\r\nSet-Cookie: a=b",
    'https://console.example/callback"><script>',
    "https://cönsole.example/callback",
    " https://console.example/callback",
    "https://console.example/callback ",
    "https://console.example/callback\x00",
    "https://localhost/callback",
    "",
]


async def test_nothing_is_ever_sent_to_an_address_that_is_not_registered(
    visitor: httpx2.AsyncClient, console: CodeFlow, subtests: pytest.Subtests
) -> None:
    await console.code(visitor)
    for redirect_uri in HOSTILE:
        with subtests.test(redirect_uri=redirect_uri):
            console.extra = {"nonce": "another", "redirect_uri": redirect_uri}
            answer = await visitor.get(console.url())
            assert answer.status_code == 400
            assert "location" not in answer.headers
            assert "<script>" not in answer.text


@pytest.mark.parametrize(
    ("extra", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": 'co"de\\'}, None),
        ({"scope": "openid admin"}, "invalid_scope"),
        ({"scope": "openid everything"}, "invalid_scope"),
        ({"nonce": ""}, "invalid_request"),
    ],
)
async def test_what_a_client_may_not_ask_is_refused(
    visitor: httpx2.AsyncClient, console: CodeFlow, extra: dict[str, str], error: str | None
) -> None:
    console.extra = extra
    answer = await visitor.get(console.url())
    if error is None:
        assert answer.status_code == 400
    else:
        assert httpx2.URL(answer.headers["location"]).params["error"] == error


async def test_a_parameter_sent_twice_is_refused(visitor: httpx2.AsyncClient, console: CodeFlow) -> None:
    answer = await visitor.get(f"{console.url()}&state=other")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("auth", "form", "status"),
    [
        (("id", "wrong"), {}, 401),
        (("nobody", "wrong"), {}, 401),
        (None, {}, 401),
        (None, {"client_id": "id"}, 401),
        (None, {"client_id": "id", "client_secret": "secret"}, 401),
    ],
)
async def test_a_client_proves_itself_in_the_header_or_not_at_all(
    visitor: httpx2.AsyncClient, world: World, auth: tuple[str, str] | None, form: dict[str, str], status: int
) -> None:
    known = {"id": world.tool.client_id, "secret": world.tool.client_secret or ""}
    answer = await visitor.post(
        f"{ISSUER}/token",
        data={"grant_type": "client_credentials", **{name: known.get(value, value) for name, value in form.items()}},
        headers={"Authorization": basic(known.get(auth[0], auth[0]), auth[1])} if auth else {},
    )
    assert (answer.status_code, answer.json()["error"]) == (status, "invalid_client")


async def test_client_credentials_grant_what_is_registered_and_no_more(
    visitor: httpx2.AsyncClient, world: World
) -> None:
    everything = (await client_token(visitor, world.tool)).json()
    assert set(everything["scope"].split()) == {"graph:read", "ledger:read"}
    assert "refresh_token" not in everything
    less = (await client_token(visitor, world.tool, "graph:read")).json()
    assert less["scope"] == "graph:read"
    assert (await client_token(visitor, world.tool, "graph:read admin")).json()["error"] == "invalid_scope"


async def test_secrets_codes_and_tokens_are_stored_as_hashes_only(
    visitor: httpx2.AsyncClient, console: CodeFlow, stage: Stage
) -> None:
    callback = await console.code(visitor)
    tokens = (await console.tokens(visitor, callback["code"])).json()
    secrets = [console.secret, callback["code"], tokens["refresh_token"], tokens["access_token"], tokens["id_token"]]
    secrets += [cookie.value for cookie in visitor.cookies.jar]
    tables = [
        row[0]
        for row in stage.world.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
    ]
    everything = "".join(
        row[0] or ""
        for table in tables
        for row in stage.world.execute(f"SELECT string_agg(t::text, ' ') FROM {table} t")
    )
    assert console.client_id in everything
    for secret in secrets:
        assert secret
        assert secret not in everything
        assert secret.encode().hex() not in everything


async def test_broken_forms_get_an_answer_in_json_and_never_a_500(visitor: httpx2.AsyncClient) -> None:
    for body, kind in [
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"grant_type=client_credentials&" + b"a=1&" * 60, "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"grant_type=" + b"x" * 70_000, "application/x-www-form-urlencoded"),
        (b"grant_type=%22%5C%0a", "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
    ]:
        answer = await visitor.post(f"{ISSUER}/token", content=body, headers={"Content-Type": kind})
        assert 400 <= answer.status_code < 500
        assert "error" in answer.json()
    strange = {"Authorization": "Basic //79"}
    answer = await visitor.post(f"{ISSUER}/token", data={"grant_type": "client_credentials"}, headers=strange)
    assert 400 <= answer.status_code < 500


async def test_revoked_tokens_are_refused_and_introspection_says_so(
    visitor: httpx2.AsyncClient, console: CodeFlow, stage: Stage
) -> None:
    tokens = (await console.tokens(visitor, (await console.code(visitor))["code"])).json()
    access, refresh = tokens["access_token"], tokens["refresh_token"]
    told = (await console.post(visitor, "introspect", {"token": access})).json()
    assert (told["active"], told["client_id"]) == (True, console.client_id)
    stranger = CodeFlow(client_id=stage.world.tool.client_id, secret=stage.world.tool.client_secret)
    assert (await stranger.post(visitor, "introspect", {"token": access})).json() == {"active": False}
    assert (await stranger.post(visitor, "revoke", {"token": access})).json()["error"] == "invalid_grant"
    assert (await console.post(visitor, "revoke", {"token": refresh})).status_code == 200
    assert (await console.post(visitor, "introspect", {"token": access})).json() == {"active": False}
    assert (await console.post(visitor, "introspect", {"token": refresh})).json() == {"active": False}
    graph = await visitor.get(f"{API}/graph", headers={"Authorization": f"Bearer {access}"})
    assert graph.status_code == 401


def without_challenge(page: str) -> str:
    """The page without what is new each time it is shown: the challenge for a passkey."""
    return re.sub(r'data-options="[^"]*"|name="challenge" value="[^"]*"', "", page)


async def test_guessing_makes_one_wait_whether_or_not_the_account_exists(
    visitor: httpx2.AsyncClient, console: CodeFlow
) -> None:
    page = await visitor.get(console.url())
    seen: dict[str, list[tuple[int, str]]] = {}
    for email in ("fina@example.com", "nobody@example.com"):
        seen[email] = []
        for _ in range(7):
            answer = await submit_password(visitor, page, email, "wrong password")
            seen[email].append((answer.status_code, without_challenge(answer.text).replace(email, "")))
            assert ("retry-after" in answer.headers) == (answer.status_code == 429)
    first, second = seen.values()
    assert [status for status, _ in first] == [422, 422, 422, 422, 422, 429, 429]
    assert [status for status, _ in second] == [status for status, _ in first]
    assert second[0] == first[0]
    right = await submit_password(visitor, page, "fina@example.com")
    assert right.status_code == 429  # the right password has to wait too


async def test_the_sign_in_form_only_works_from_the_browser_that_got_it(stage: Stage, console: CodeFlow) -> None:
    async with stage.browser() as attacker, stage.browser() as victim:
        page = await attacker.get(console.url())
        forged = await submit_password(victim, page, "sam@company.example")
        assert forged.status_code == 403
        assert not [cookie for cookie in victim.cookies.jar if cookie.name == "idp"]


async def test_the_sign_in_page_is_strict_and_leads_only_to_the_client(
    visitor: httpx2.AsyncClient, console: CodeFlow
) -> None:
    page = await visitor.get(console.url())
    policy = page.headers["content-security-policy"]
    assert policy == (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "form-action 'self' https://console.example; script-src 'self'"
    )
    assert page.headers["cache-control"] == "no-store"
    assert re.findall(r"<script[^>]*>[^<]*", page.text) == ['<script src="/idp/passkeys.js" defer>']
    assert " style=" not in page.text
    style = await visitor.get(f"{ISSUER}/issuer.css")
    assert style.headers["content-type"].startswith("text/css")


async def test_discovery_is_where_both_standards_put_it(visitor: httpx2.AsyncClient) -> None:
    documents = [
        (await visitor.get(address)).json()
        for address in (
            f"{ISSUER}/.well-known/openid-configuration",
            f"{ISSUER}/.well-known/oauth-authorization-server",
            f"{API}/.well-known/oauth-authorization-server/idp",
        )
    ]
    assert documents[0] == documents[1] == documents[2]
    assert documents[0]["issuer"] == ISSUER
    assert documents[0]["code_challenge_methods_supported"] == ["S256"]


async def test_what_guesses_and_old_codes_leave_behind_is_forgotten(
    visitor: httpx2.AsyncClient, console: CodeFlow, world: World
) -> None:
    page = await visitor.get(console.url())
    for number in range(3):
        await submit_password(visitor, page, f"nobody-{number}@example.com", "wrong password")
    await console.code(visitor)
    world.execute("UPDATE sign_in_failure SET last_failed_at = now() - interval '25 hours'")
    world.execute("UPDATE authorization_code SET created_at = now() - interval '25 hours'")
    world.execute("UPDATE idp_session SET last_seen_at = now() - interval '31 minutes'")
    console.extra = {"nonce": "another"}
    await console.code(visitor)
    counts = [
        world.execute(f"SELECT count(*) FROM {table}")[0][0]
        for table in ("sign_in_failure", "authorization_code", "idp_session")
    ]
    assert counts == [1, 1, 1]  # this visitor's address, code and session


def test_an_issuer_on_plain_http_elsewhere_does_not_even_start(world: World) -> None:
    settings = world.settings.model_copy(update={"public_url": "http://api.example"})
    with pytest.raises(InsecureIssuer, match=r"http://api\.example/idp"):
        issuer_routes(lambda: pytest.fail("never asked"), settings)
