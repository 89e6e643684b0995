"""A small world for the tests of access: two key accounts, four members, the API and a toy extranet, reached without
sockets.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

import httpx2
import psycopg
from joserfc.jwk import RSAKey
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from cdp.access.issuer.app import issuer_routes, well_known_routes
from cdp.access.people import NewClient, create_client, create_member, create_staff
from cdp.access.portal import PortalAccess, SignInFailed, open_access
from cdp.access.sealing import base64url
from cdp.access.tokens import TokenVerifier, authenticate
from cdp.access.viewer import Role, Scope
from cdp.db.engine import connect, open_pool
from cdp.errors import CdpError
from cdp.settings import Settings

API = "http://localhost:8000"
EXTRANET = "http://localhost:8001"
ISSUER = f"{API}/idp"
PASSWORD = "correct horse battery staple"
NORD, SUED = "K-1001", "K-1002"

Pool = AsyncConnectionPool[AsyncConnection[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Account and member ids by number and name, and the settings of both applications."""

    url: str
    settings: Settings
    accounts: dict[str, UUID]
    members: dict[str, UUID]
    tool: NewClient
    console: NewClient

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """As superuser, in a transaction of its own."""
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []


def found_world(url: str, folder: Path, **settings: Any) -> World:
    """Accounts NORD and SUED with an order and an invoice each; fina (finance of both), bodo (buyer, NORD), vera
    (viewer, SUED), cleo (client_admin, SUED); staff sam; a tool by client credentials, and a console that staff
    authorise.
    """
    with connect(url) as connection:
        accounts = {number: _account(connection, number) for number in (NORD, SUED)}
        who = {
            "fina": [(NORD, Role.FINANCE), (SUED, Role.FINANCE)],
            "bodo": [(NORD, Role.BUYER)],
            "vera": [(SUED, Role.VIEWER)],
            "cleo": [(SUED, Role.CLIENT_ADMIN)],
        }
        members = {
            name: create_member(
                connection,
                issuer=ISSUER,
                email=f"{name}@example.com",
                name=name.title(),
                password=PASSWORD,
                accounts=roles,
            )
            for name, roles in who.items()
        }
        create_staff(connection, email="sam@company.example", name="Sam", issuer=ISSUER, password=PASSWORD)
        tool = create_client(connection, name="Call centre", scopes=[Scope.GRAPH_READ, Scope.LEDGER_READ])
        console = create_client(
            connection,
            name="Console",
            scopes=[Scope.GRAPH_READ],
            grant_types=("authorization_code", "refresh_token"),
            redirect_uris=["https://console.example/callback"],
            identity_scopes=("openid", "profile", "email"),
        )
    values = {"public_url": API, "extranet_url": EXTRANET, "data_dir": folder, "secret_key": "s" * 48, **settings}
    return World(url=url, settings=Settings(**values), accounts=accounts, members=members, tool=tool, console=console)


def _account(connection: psycopg.Connection[Any], number: str) -> UUID:
    row = connection.execute(
        """
        WITH holder AS (
            INSERT INTO customer (kind, name, first_seen_at, last_seen_at)
            VALUES ('organisation', 'Holder of ' || %(number)s, now(), now()) RETURNING customer_id
        ), opened AS (
            INSERT INTO account (customer_id, profile_id, source_id, number, name, tier, currency)
            SELECT customer_id, new_id(), new_id(), %(number)s, 'Account ' || %(number)s, 'key', 'EUR' FROM holder
            RETURNING customer_id, account_id
        ), keyed AS (
            INSERT INTO account_key (number, account_id, customer_id) SELECT %(number)s, account_id, customer_id FROM
            opened
        )
        SELECT account_id FROM opened
        """,
        {"number": number},
    ).fetchone()
    assert row is not None
    account_id: UUID = row[0]
    return account_id


def api_application(world: World, pool: Pool) -> Starlette:
    """The embedded issuer and one protected resource, `/graph`, that tells the tool it was asked by."""

    async def graph(request: Request) -> Response:
        try:
            tool = await authenticate(request, Scope.GRAPH_READ)
        except CdpError as error:
            challenge = getattr(error, "www_authenticate", "")
            return JSONResponse(error.body(), error.http_status, {"WWW-Authenticate": challenge})
        return JSONResponse({"client_id": tool.client_id, "scopes": sorted(tool.scopes), "acting_for": tool.acting_for})

    issuer = issuer_routes(lambda: pool, world.settings) if world.settings.issuer_is_embedded else []
    application = Starlette(
        routes=[Mount("/idp", routes=issuer), *well_known_routes(world.settings), Route("/graph", graph)]
    )
    application.state.tokens = TokenVerifier(lambda: pool, world.settings, http=httpx2.AsyncClient())
    return application


def toy_extranet(access: PortalAccess) -> Starlette:
    """The routes an extranet needs, telling sessions as JSON."""

    async def home(request: Request) -> Response:
        session = await access.session_of(request)
        if session is None:
            return JSONResponse(None)
        return JSONResponse(
            {
                "name": session.name,
                "account": session.account.number,
                "role": session.role,
                "accounts": [choice.number for choice in session.accounts],
                "csrf_token": session.csrf_token,
                "authenticated_at": session.authenticated_at.isoformat(),
            }
        )

    async def callback(request: Request) -> Response:
        try:
            return await access.complete_sign_in(request)
        except SignInFailed as error:
            return JSONResponse(error.body(), error.http_status)

    async def changing(request: Request) -> Response:
        session, form = (
            await access.session_of(request),
            dict(parse_qsl((await request.body()).decode(), keep_blank_values=True)),
        )
        try:
            if session is None:
                return await access.sign_out(request, None)
            access.check_csrf(request, form, session)
            if request.url.path == "/account":
                return await access.switch_account(request, session, form["number"])
            return await access.sign_out(request, session)
        except CdpError as error:
            return JSONResponse(error.body(), error.http_status)

    return Starlette(
        routes=[
            *_routes_of_sessions(access),
            Route("/sign-in", access.begin_sign_in),
            Route("/auth/callback", callback),
            Route("/account", changing, methods=["POST"]),
            Route("/sign-out", changing, methods=["POST"]),
            Route("/{path:path}", home),
        ]
    )


def _routes_of_sessions(access: PortalAccess) -> list[Route]:
    async def back_channel(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        try:
            await access.back_channel_logout(form.get("logout_token", ""))
        except CdpError as error:
            return JSONResponse(error.body(), error.http_status)
        return Response()

    async def listing(request: Request) -> Response:
        found = await access.sessions_of(request)
        return JSONResponse([(one.named, one.device, one.account_number, one.is_current) for one in found])

    async def end(request: Request) -> Response:
        return JSONResponse(await access.end_session(request, request.query_params["session"]))

    return [
        Route("/auth/back-channel-logout", back_channel, methods=["POST"]),
        Route("/sessions", listing),
        Route("/sessions/end", end, methods=["POST"]),
        Route("/sessions/end-all", access.sign_out_everywhere, methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Both applications running; `browser()` is a fresh browser that reaches them."""

    world: World
    transports: dict[str, httpx2.AsyncBaseTransport]
    access: PortalAccess
    pool: Pool

    def browser(self) -> httpx2.AsyncClient:
        """A browser with its own cookies that follows nothing by itself."""
        return httpx2.AsyncClient(mounts=self.transports, follow_redirects=False)


@asynccontextmanager
async def staged(world: World) -> AsyncIterator[Stage]:
    """Both applications, each on its own database role."""
    async with open_pool(world.url, "cdp_app", max_size=4) as pool:
        api = httpx2.ASGITransport(app=api_application(world, pool))
        embedded = api if world.settings.issuer_is_embedded else None
        async with open_access(world.settings, database_url=world.url, transport=embedded) as access:
            extranet = httpx2.ASGITransport(app=toy_extranet(access))
            yield Stage(world=world, transports={API: api, EXTRANET: extranet}, access=access, pool=pool)


def hidden_fields(page: str) -> dict[str, str]:
    """Hidden fields of the page's form."""
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {name: unescape(value) for name, value in found}


async def submit_password(
    browser: httpx2.AsyncClient, page: httpx2.Response, email: str, password: str = PASSWORD
) -> httpx2.Response:
    """Fill in the embedded issuer's sign-in page."""
    form = {**hidden_fields(page.text), "email": email, "password": password}
    return await browser.post(f"{ISSUER}/sign-in", data=form, headers={"Origin": API})


async def follow(browser: httpx2.AsyncClient, answer: httpx2.Response, *, until: str = "") -> httpx2.Response:
    """Follow redirects until one leads to an address beginning with `until` (then not followed), or to a page."""
    for _ in range(10):
        target = answer.headers.get("location")
        if target is None or (until and target.startswith(until)):
            return answer
        answer = await browser.get(httpx2.URL(str(answer.request.url)).join(target))
    raise AssertionError("too many redirects")


@dataclass(slots=True, kw_only=True)
class CodeFlow:
    """A code flow by hand, so that a test can bend each part of it. Defaults are a console's, rightly done."""

    client_id: str
    secret: str | None
    redirect_uri: str = "https://console.example/callback"
    scope: str = "openid profile email graph:read"
    verifier: str = "v" * 43
    extra: dict[str, str] = field(default_factory=dict)

    def url(self, *without: str) -> str:
        """The authorization request, without some of its parameters."""
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "state": "some-state",
            "nonce": hashlib.sha256(repr(self).encode()).hexdigest(),
            "code_challenge": s256(self.verifier),
            "code_challenge_method": "S256",
            **self.extra,
        }
        return f"{ISSUER}/authorize?{urlencode({name: value for name, value in asked.items() if name not in without})}"

    async def code(self, browser: httpx2.AsyncClient, email: str = "sam@company.example") -> dict[str, str]:
        """The callback's query after signing in with a password where asked."""
        answer = await browser.get(self.url())
        if answer.status_code == 200:
            answer = await submit_password(browser, answer, email)
        answer = await follow(browser, answer, until=self.redirect_uri)
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    async def tokens(self, browser: httpx2.AsyncClient, code: str, **changed: str) -> httpx2.Response:
        """The token request; a parameter changed to "" is left out."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
            **changed,
        }
        return await self.post(browser, "token", {name: value for name, value in form.items() if value})

    async def post(self, browser: httpx2.AsyncClient, endpoint: str, form: dict[str, str]) -> httpx2.Response:
        """A form for one of the issuer's endpoints, as this client."""
        auth = (self.client_id, self.secret) if self.secret else None
        if auth is None:
            return await browser.post(f"{ISSUER}/{endpoint}", data={**form, "client_id": self.client_id})
        return await browser.post(f"{ISSUER}/{endpoint}", data=form, auth=auth)


def s256(verifier: str) -> str:
    """The code challenge of a verifier."""
    return base64url(hashlib.sha256(verifier.encode()).digest())


async def client_token(browser: httpx2.AsyncClient, client: NewClient, scope: str = "") -> httpx2.Response:
    """A token by client credentials."""
    form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
    return await browser.post(f"{ISSUER}/token", data=form, auth=(client.client_id, client.client_secret or ""))


def with_public_key_as_secret(claims: dict[str, Any], key: RSAKey, typ: str = "at+jwt") -> str:
    """A token signed by HMAC, with the issuer's public key, which everybody has, as the secret."""
    header = {"alg": "HS256", "typ": typ, "kid": key.kid}
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{base64url(hmac.digest(key.as_pem(private=False), signed.encode(), 'sha256'))}"


def basic(client_id: str, secret: str) -> str:
    """The Authorization header of a client."""
    return f"Basic {base64.b64encode(f'{client_id}:{secret}'.encode()).decode()}"
