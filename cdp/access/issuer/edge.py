"""Between Starlette, which is asynchronous, and Authlib's server, which is not: one request, one transaction, one
thread.
"""

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

from anyio import Lock, to_thread
from psycopg import AsyncConnection
from starlette.requests import Request

from cdp.access.clients import EXTRANET_CLIENT_ID, extranet_client_secret
from cdp.access.cookies import SecretCookie
from cdp.access.issuer.endpoints import with_endpoints
from cdp.access.issuer.server import IDENTITY_SCOPES, IssuerRequest, IssuerServer
from cdp.access.issuer.sign_in import Pool
from cdp.access.issuer.signing_keys import SigningKeys, signing_keys
from cdp.access.issuer.store import Store, fetch
from cdp.access.relying_party import require_secure
from cdp.access.sealing import digest
from cdp.errors import Invalid, TooLarge
from cdp.settings import Settings

LONGEST_FORM_BYTES: Final = 65_536
MOST_FIELDS: Final = 50
KEYS_LIVE_SECONDS: Final = 30
FORM_SECONDS: Final = 3600

Made = TypeVar("Made")


class NotAForm(Invalid):
    """The body must be a form (application/x-www-form-urlencoded) of at most 50 fields."""


class Edge:
    """What all routes of the issuer share. `pool` answers the application's pool; it is asked at each request."""

    def __init__(self, pool: Callable[[], Pool], settings: Settings) -> None:
        self.pool = pool
        self.settings = settings
        self.issuer = require_secure(settings.issuer)
        self.path = urlsplit(settings.issuer).path
        self.origin = origin_of(settings.issuer)
        secure = settings.issuer.startswith("https://")
        self.session_cookie = SecretCookie(name="idp", secure=secure)
        self.form_cookie = SecretCookie(name="idp-form", secure=secure, seconds=FORM_SECONDS)
        self._keys: SigningKeys | None = None
        self._keys_read_at = 0.0
        self._lock = Lock()

    async def with_server(
        self, work: Callable[[IssuerServer], Made], connection: AsyncConnection[Any] | None = None
    ) -> Made:
        """What `work` makes of a server, in a thread, in one transaction that is committed also when the answer is a
        refusal.
        """
        keys = await self.keys()
        if connection is not None:
            return await to_thread.run_sync(work, self._server(connection, keys))
        async with self.pool().connection() as opened, opened.transaction():
            return await to_thread.run_sync(work, self._server(opened, keys))

    async def keys(self) -> SigningKeys:
        """The signing keys, read twice a minute; the first time they and the extranet's client are made where missing."""
        async with self._lock:
            if self._keys is None or time.monotonic() - self._keys_read_at > KEYS_LIVE_SECONDS:
                first = self._keys is None
                async with self.pool().connection() as connection, connection.transaction():
                    self._keys = await signing_keys(connection, self.settings)
                    if first:
                        await _save_extranet_client(connection, self.settings)
                self._keys_read_at = time.monotonic()
            return self._keys

    def request(self, request: Request, path: str, fields: list[tuple[str, str]]) -> IssuerRequest:
        """The request for Authlib, at our own address."""
        return IssuerRequest(request.method, f"{self.issuer}{path}", request.headers, fields)

    def _server(self, connection: AsyncConnection[Any], keys: SigningKeys) -> IssuerServer:
        store = Store(connection, self.issuer)
        return with_endpoints(IssuerServer(store, keys, issuer=self.issuer, audience=self.settings.public_url))


async def form_fields(request: Request) -> list[tuple[str, str]]:
    """The fields of a form in order, repeated ones included. Raises NotAForm, TooLarge."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise NotAForm
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM_BYTES:
            raise TooLarge(limit_bytes=LONGEST_FORM_BYTES)
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise NotAForm from error


def query_fields(request: Request) -> list[tuple[str, str]]:
    """The fields of the query in order. Raises NotAForm when there are too many."""
    try:
        return parse_qsl(request.url.query, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise NotAForm from error


def origin_of(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def _save_extranet_client(connection: AsyncConnection[Any], settings: Settings) -> None:
    """The extranet as a client of this issuer; its addresses follow CDP_EXTRANET_URL."""
    await fetch(
        connection,
        "save_client",
        client_id=EXTRANET_CLIENT_ID,
        name="the client area",
        secret_hash=digest(extranet_client_secret(settings)),
        jwks=None,
        auth_method="client_secret_basic",
        grant_types=["authorization_code"],
        redirect_uris=[f"{settings.extranet_url}/auth/callback"],
        post_logout_redirect_uris=[f"{settings.extranet_url}/signed-out"],
        backchannel_logout_uri=f"{settings.extranet_url}/auth/back-channel-logout",
        scopes=list(IDENTITY_SCOPES),
        trusted_only=False,
    )
