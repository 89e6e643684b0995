"""Password sign-in at the issuer: the same answer, in the same time, for the known and the unknown, and a growing
wait.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from anyio import CapacityLimiter, to_thread
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from cdp.access.issuer.records import Person, SignedIn
from cdp.access.issuer.store import fetch, note
from cdp.access.passwords import FOR_AN_ADDRESS, FOR_AN_EMAIL, Patience, hash_password, matches, needs_rehash
from cdp.access.sealing import digest, new_secret

Pool = AsyncConnectionPool[AsyncConnection[Any]]
_hashing: Final = CapacityLimiter(2)  # Argon2 takes a core and 19 MiB; guesses must not take them all


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """The e-mail or the password is wrong; which one is not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Too many guesses; nothing was looked at."""

    seconds: int


async def check_password(pool: Callable[[], Pool], *, email: str, password: str, address: str) -> UUID | Wrong | Wait:
    """Who this is. An attempt counts before the password is looked at, so that guesses side by side don't escape the
    wait.

    No connection is held while hashing.
    """
    email = normal_email(email)
    keys = ((digest(f"email {email}"), FOR_AN_EMAIL), (digest(f"address {address}"), FOR_AN_ADDRESS))
    async with pool().connection() as connection, connection.transaction():
        waits = [await count_attempt(connection, key, patience) for key, patience in keys]
        if any(waits):
            await note(connection, "idp_sign_in", actor="unknown", refused="too_many_attempts")
            return Wait(seconds=max(waits))
        row = await fetch(connection, "person_by_email", email=email) or {"user_id": None, "password_hash": None}
    right = await to_thread.run_sync(matches, password, row["password_hash"], limiter=_hashing)
    renewed: str | None = None
    if right and needs_rehash(row["password_hash"]):
        renewed = await to_thread.run_sync(hash_password, password, limiter=_hashing)
    async with pool().connection() as connection, connection.transaction():
        if not right:
            await note(connection, "idp_sign_in", actor=str(row["user_id"] or "unknown"), refused="wrong_password")
            return Wrong()
        await fetch(connection, "forget_attempts", key=keys[0][0])
        if renewed is not None:
            await fetch(connection, "save_password", user_id=row["user_id"], password_hash=renewed)
    found: UUID = row["user_id"]
    return found


async def open_session(
    connection: AsyncConnection[Any], user_id: UUID, *, replaced: str | None, methods: Sequence[str], device: str
) -> str:
    """A session at the issuer in place of the browser's old one; answers its secret. `methods`: how they signed in (RFC 8176).

    Of the same person it is the same session under a new secret, so that what came of it still ends with it; another's ends.
    """
    secret = new_secret()
    values = {"opened": digest(secret), "user_id": user_id, "methods": list(methods), "device": device}
    before = digest(replaced or "")
    if await fetch(connection, "renew_idp_session", replaced=before, **values) is None:
        await fetch(connection, "close_idp_session", session=before, sid=None)
        await fetch(connection, "open_idp_session", **values)
    await note(connection, "idp_sign_in", actor=str(user_id), methods=list(methods))
    return secret


async def signed_in(connection: AsyncConnection[Any], secret: str | None, issuer: str) -> SignedIn | None:
    """Who is signed in at the issuer in this browser."""
    session = await fetch(connection, "idp_session", session=digest(secret)) if secret else None
    person = await fetch(connection, "person", user_id=session["user_id"], issuer=issuer) if session else None
    if session is None or person is None:
        return None
    return SignedIn(
        person=Person(**person),
        sid=session["sid"],
        authenticated_at=session["authenticated_at"],
        methods=session["methods"],
    )


def normal_email(email: str) -> str:
    """The form in which people's e-mails are stored and compared."""
    return email.strip().casefold()


async def count_attempt(connection: AsyncConnection[Any], key: bytes, patience: Patience) -> int:
    """Count an attempt under a key; answers the seconds to wait when it came too early, else 0."""
    values = {"key": key, "free": patience.free, "longest_seconds": patience.longest_seconds}
    if await fetch(connection, "count_attempt", **values):
        return 0
    row = await fetch(connection, "remaining_wait", **values)
    return max(1, int(next(iter(row.values())))) if row else 1
