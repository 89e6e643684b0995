"""Telling clients that a session ended: OpenID Connect Back-Channel Logout 1.0, the issuer's side.

Whatever ends a session leaves a row in `logout_notice` in its own transaction (`idp_end_sessions`, migration 0012). Here the rows
become logout tokens, sent to the address that the client registered, and again later where nobody answered. Any number of
processes may do so at once.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
import structlog
from anyio import create_task_group, to_thread
from joserfc import jwt
from psycopg import OperationalError
from psycopg.rows import dict_row
from psycopg_pool import PoolTimeout

from cdp.access.issuer.sign_in import Pool
from cdp.access.issuer.signing_keys import ALGORITHM, SigningKeys, signing_keys
from cdp.access.issuer.store import SQL, fetch
from cdp.access.relying_party import LOGOUT_EVENT, InsecureIssuer, require_secure
from cdp.access.sealing import new_secret
from cdp.settings import Settings

TOKEN_SECONDS: Final = 120
LOOK_SECONDS: Final = 1.0
_TIMEOUT_SECONDS: Final = 5
# The client heard us and will not have it; asking again would not change its mind (§2.8).
_REFUSED: Final = frozenset({400, 401, 403, 404, 405, 410, 415, 422, 501})

log = structlog.stdlib.get_logger("cdp.access.issuer")


@asynccontextmanager
async def notices_sent(pool: Callable[[], Pool], settings: Settings, http: httpx2.AsyncClient) -> AsyncIterator[None]:
    """Notices are sent while the block runs, within a second or two of the end of a session."""
    task = asyncio.create_task(_forever(pool, settings, http))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def send_due_notices(pool: Callable[[], Pool], settings: Settings, http: httpx2.AsyncClient) -> int:
    """Send what is due now, side by side; how many arrived or were refused for good."""
    async with pool().connection() as connection, connection.transaction():
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(SQL["take_logout_notices"])
            notices: Sequence[dict[str, Any]] = await cursor.fetchall()
        if not notices:
            return 0
        keys = await signing_keys(connection, settings)
    done: list[Any] = []

    async def send(notice: Mapping[str, Any]) -> None:
        if await _is_over(http, notice["uri"], await to_thread.run_sync(_logout_token, notice, keys, settings.issuer)):
            done.append(notice["notice_id"])

    async with create_task_group() as group:
        for notice in notices:
            group.start_soon(send, notice)
    async with pool().connection() as connection, connection.transaction():
        await fetch(connection, "drop_logout_notices", notice_ids=done)
    return len(done)


async def _is_over(http: httpx2.AsyncClient, uri: str, token: str) -> bool:
    """Whether this need not be sent again."""
    try:
        answer = await http.post(
            require_secure(uri), data={"logout_token": token}, timeout=_TIMEOUT_SECONDS, follow_redirects=False
        )
    except (httpx2.HTTPError, InsecureIssuer) as error:
        log.warning("a client was not told of a logout", kind=type(error).__name__)
        return False
    if answer.status_code in _REFUSED:
        log.warning("a client refused a logout token", status=answer.status_code)
        return True
    return answer.is_success


def _logout_token(notice: Mapping[str, Any], keys: SigningKeys, issuer: str) -> str:
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": notice["client_id"],
        "iat": now,
        "exp": now + TOKEN_SECONDS,
        "jti": new_secret(),
        "sub": notice["subject"],
        "events": {LOGOUT_EVENT: {}},
    }
    if notice["sid"] is not None:
        claims["sid"] = str(notice["sid"])
    header = {"alg": ALGORITHM, "typ": "logout+jwt", "kid": keys.kid}
    return jwt.encode(header, claims, keys.signing, algorithms=[ALGORITHM])


async def _forever(pool: Callable[[], Pool], settings: Settings, http: httpx2.AsyncClient) -> None:
    while True:
        try:
            await send_due_notices(pool, settings, http)
        except (OperationalError, PoolTimeout) as error:
            log.warning("logout notices wait for the database", kind=type(error).__name__)
        except Exception:
            # One bad notice must not keep all others from being sent, nor end the process.
            log.exception("logout notices were not sent")
        await asyncio.sleep(LOOK_SECONDS)
