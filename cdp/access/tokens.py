"""Bearer tokens at our doors: RFC 9068 access tokens of the one issuer, checked once and remembered until they expire.

The check itself is public-key cryptography; GraphQL must not pay it at every request, so an accepted token is
remembered by its hash. What must take effect sooner (a revoked token or family, a disabled client, one that is held to
trusted documents) is asked of the database every two seconds.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx2
from joserfc.jwk import KeySet
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from starlette.requests import HTTPConnection

from cdp.access.audit import NOBODY, AuditWriter, Entry, actor_of
from cdp.access.claims import read_access_claims
from cdp.access.keys import LEEWAY_SECONDS, IssuerKeys, UntrustedToken, key_name, remote_keys, trusted_claims
from cdp.access.relying_party import RelyingParty
from cdp.access.sealing import digest
from cdp.access.viewer import Scope, Tool
from cdp.db.statements import load_statements
from cdp.errors import Forbidden, Unauthenticated, Unavailable
from cdp.logs import route_template
from cdp.settings import Settings

MOST_REMEMBERED: Final = 10_000
WITHHELD_LIVE_SECONDS: Final = 2
_SQL: Final = load_statements("cdp.access")

Pool = AsyncConnectionPool[AsyncConnection[Any]]


class TokenMissing(Unauthenticated):
    """Send an access token: `Authorization: Bearer …`."""

    @property
    def www_authenticate(self) -> str:
        """Value of the WWW-Authenticate header (RFC 6750 §3)."""
        return "Bearer"


class TokenInvalid(Unauthenticated):
    """The access token is not valid: {problem}."""

    problem: str

    @property
    def www_authenticate(self) -> str:
        """Value of the WWW-Authenticate header."""
        return f'Bearer error="invalid_token", error_description="{self.problem}"'


class ScopeMissing(Forbidden):
    """The access token lacks the scope {scope}."""

    scope: str

    @property
    def www_authenticate(self) -> str:
        """Value of the WWW-Authenticate header."""
        return f'Bearer error="insufficient_scope", scope="{self.scope}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Accepted:
    tool: Tool
    issued_at: float
    good_until: float
    refusable: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Withheld:
    refused: frozenset[str] = frozenset()
    refused_before: Mapping[str, float] = field(default_factory=dict)
    trusted_only: frozenset[str] = frozenset()
    read_at: float = -float("inf")

    @property
    def is_old(self) -> bool:
        return time.monotonic() - self.read_at > WITHHELD_LIVE_SECONDS


class TokenVerifier:
    """Checks access tokens of the configured issuer. One per process; the application keeps it as `app.state.tokens`.

    `pool` answers the application's open pool. Keys of the embedded issuer come from the database, of any other by
    discovery, through `http`, which then is needed.
    """

    def __init__(self, pool: Callable[[], Pool], settings: Settings, *, http: httpx2.AsyncClient | None = None) -> None:
        self._pool = pool
        self._issuer = settings.issuer
        self._audience = (
            settings.public_url if settings.issuer_is_embedded else settings.oidc_audience or settings.public_url
        )
        self._types = {"at+jwt", "jwt"} if settings.oidc_plain_jwt and not settings.issuer_is_embedded else {"at+jwt"}
        self._scope_claims = "scope" if settings.issuer_is_embedded else settings.oidc_scope_claim
        self._subject_claim = "sub" if settings.issuer_is_embedded else settings.oidc_subject_claim
        self._accepted: OrderedDict[bytes, _Accepted] = OrderedDict()
        self._withheld = _Withheld()
        self._lock = asyncio.Lock()
        self._keys = self._stored_keys() if settings.issuer_is_embedded else _discovered_keys(http, settings)

    async def tool(self, token: str) -> Tool:
        """Who this token speaks for. Raises TokenInvalid, Unavailable when the issuer's keys cannot be had."""
        key = digest(token)
        accepted = self._accepted.get(key)
        if accepted is None or accepted.good_until <= time.time():
            self._accepted.pop(key, None)
            accepted = self._accepted[key] = await self._check(token)
            while len(self._accepted) > MOST_REMEMBERED:
                self._accepted.popitem(last=False)
        withheld = self._withheld if not self._withheld.is_old else await self._read_withheld()
        tool = accepted.tool
        if accepted.refusable & withheld.refused or accepted.issued_at < withheld.refused_before.get(tool.client_id, 0):
            raise TokenInvalid(problem="it was revoked")
        return replace(tool, trusted_only=True) if tool.client_id in withheld.trusted_only else tool

    async def _check(self, token: str) -> _Accepted:
        try:
            claims = await trusted_claims(
                token, self._keys, issuer=self._issuer, audience=self._audience, types=self._types
            )
        except UntrustedToken as error:
            raise TokenInvalid(problem=error.problem) from error
        except httpx2.HTTPError as error:
            raise Unavailable(retry_after_seconds=5) from error
        told = read_access_claims(claims, scope_claims=self._scope_claims, subject_claim=self._subject_claim)
        if isinstance(told, str):
            raise TokenInvalid(problem=told)
        if told.person is not None and not await self._is_staff(told.person):
            # At an issuer that our clients' people sign in at too, a token of theirs must not read the graph.
            raise TokenInvalid(problem="the person it acts for is not of our staff")
        known = {known.value: known for known in Scope}
        person = f"staff {self._issuer} {told.person}"
        ids = (claims.get("jti"), claims.get("family"), f"client {told.client_id}", f"key {key_name(token)}", person)
        return _Accepted(
            tool=Tool(
                client_id=told.client_id,
                scopes=frozenset(known[name] for name in told.scopes if name in known),
                acting_for=told.person,
            ),
            issued_at=float(claims["iat"]),
            good_until=float(claims["exp"]) + LEEWAY_SECONDS,
            refusable=frozenset(name for name in ids if isinstance(name, str)),
        )

    async def _is_staff(self, subject: str) -> bool:
        async with self._pool().connection() as connection:
            values = {"issuer": self._issuer, "subject": subject}
            return await (await connection.execute(_SQL["staff_by_subject"], values)).fetchone() is not None

    async def _read_withheld(self) -> _Withheld:
        """At most two seconds old; whoever finds it older waits, so that nobody is let in by an answer still under way."""
        async with self._lock:
            if self._withheld.is_old:
                asked_at = time.monotonic()
                async with self._pool().connection() as connection:
                    rows = await (await connection.execute(_SQL["withheld"])).fetchall()
                self._withheld = _Withheld(
                    refused=frozenset(name for name, what, _ in rows if what == "refused"),
                    refused_before={name: since for name, what, since in rows if what == "earlier"},
                    trusted_only=frozenset(name for name, what, _ in rows if what == "trusted_only"),
                    read_at=asked_at,
                )
        return self._withheld

    def _stored_keys(self) -> IssuerKeys:
        async def load() -> KeySet:
            async with self._pool().connection() as connection:
                rows = await (await connection.execute(_SQL["public_keys"])).fetchall()
            return KeySet.import_key_set({"keys": [row[0] for row in rows]})

        return IssuerKeys(load)


async def authenticate(connection: HTTPConnection, *scopes: Scope) -> Tool:
    """The tool that a request's bearer token speaks for, having every one of `scopes`.

    Only the Authorization header is read, never the query. Raises TokenMissing, TokenInvalid, ScopeMissing, each with a
    `www_authenticate` for the answer's header, and Unavailable.
    """
    tool = await who(connection)
    if tool is None:
        raise TokenMissing
    try:
        require(tool.scopes, scopes)
    except ScopeMissing:
        note_refused(connection, actor_of(tool).was_refused("api", "scope_missing", route_template(connection.scope)))
        raise
    return tool


async def who(connection: HTTPConnection) -> Tool | None:
    """As `authenticate`, without a scope asked for, and None when the request brings no bearer token."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return None
    verifier: TokenVerifier = connection.app.state.tokens
    try:
        return await verifier.tool(token.strip())
    except TokenInvalid:
        note_refused(connection, NOBODY.was_refused("api", "token_invalid", route_template(connection.scope)))
        raise


def note_refused(connection: HTTPConnection, entry: Entry) -> None:
    """Have a refusal recorded by the application's `AuditWriter`, where it has one (`app.state.audit`)."""
    writer: AuditWriter | None = getattr(connection.app.state, "audit", None)
    if writer is not None:
        writer.refused(entry)


def require(granted: Collection[Scope], needed: Collection[Scope]) -> None:
    """Raise ScopeMissing for the first of `needed` that is not granted. Nothing needed is a mistake of the program."""
    if not needed:
        raise AssertionError("a door that asks for no scope is open to every token")
    for scope in needed:
        if scope not in granted:
            raise ScopeMissing(scope=scope.value)


def _discovered_keys(http: httpx2.AsyncClient | None, settings: Settings) -> IssuerKeys:
    if http is None:
        raise AssertionError("another issuer's keys are fetched by http")
    party = RelyingParty(http, issuer=settings.issuer, client_id="", client_secret=None, redirect_uri="")

    async def jwks_uri() -> str:
        return (await party.provider()).jwks_uri

    return remote_keys(http, jwks_uri)
