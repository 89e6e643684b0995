"""A new password by mail: a link that works once, within an hour, for whoever reads the mailbox.

Whoever asks gets the same answer at once, whether or not somebody with that e-mail signs in here; the rest happens afterwards.
The link changes the password and ends every session; it does not sign anybody in, and a second factor is asked for as before.
"""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import structlog
from anyio import to_thread
from psycopg import AsyncConnection

from cdp.access.issuer.sign_in import Pool, count_attempt, normal_email
from cdp.access.issuer.store import fetch, note
from cdp.access.passwords import FOR_AN_ADDRESS, Patience, hash_password
from cdp.access.sealing import digest, new_secret
from cdp.errors import CdpError, NotFound
from cdp.mail import Letters, send
from cdp.settings import Settings

# Nobody's mailbox is filled by somebody else: three letters, then one an hour.
FOR_A_MAILBOX: Final = Patience(free=3, longest_seconds=3600)
LETTERS: Final = Letters("cdp.access.issuer")

log = structlog.stdlib.get_logger("cdp.access.issuer")


class ResetOver(NotFound):
    """This link was already used, or has expired; ask for a new one."""


async def may_ask(connection: AsyncConnection[Any], *, address: str) -> int:
    """Seconds that somebody at this address has to wait before asking again; mostly 0."""
    return await count_attempt(connection, digest(f"reset address {address}"), FOR_AN_ADDRESS)


async def mail_reset(pool: Callable[[], Pool], settings: Settings, email: str) -> None:
    """Mail a link to whoever signs in with this e-mail; nothing where nobody does. What goes wrong is logged, not raised: the
    person who asked has been answered.
    """
    email = normal_email(email)
    async with pool().connection() as connection, connection.transaction():
        wait = await count_attempt(connection, digest(f"reset {email}"), FOR_A_MAILBOX)
        row = None if wait else await fetch(connection, "person_by_email", email=email)
        if row is None:
            refused = "too_many_attempts" if wait else "unknown"
            await note(connection, "password_reset_asked", actor="unknown", refused=refused)
            return
        secret = await new_reset(connection, row["user_id"])
        person = await fetch(connection, "password_of", user_id=row["user_id"])
    link = f"{settings.issuer}/reset/{secret}"
    name = person["name"] if person else ""
    try:
        await send(LETTERS.write("reset", to=email, settings=settings, name=name, link=link), settings)
    except CdpError as error:
        log.warning("the letter with a link to a new password was not sent", code=error.code)


async def new_reset(connection: AsyncConnection[Any], user_id: UUID) -> str:
    """The secret of a new link; older ones of the person work no more."""
    secret = new_secret()
    await fetch(connection, "save_reset", user_id=user_id, reset=digest(secret))
    await note(connection, "password_reset_asked", actor=str(user_id))
    return secret


async def open_reset(connection: AsyncConnection[Any], secret: str) -> str:
    """The e-mail that a link is for. Raises ResetOver."""
    row = await fetch(connection, "open_reset", reset=digest(secret))
    if row is None:
        raise ResetOver
    return str(row["email"])


async def use_reset(pool: Callable[[], Pool], secret: str, *, password: str) -> UUID:
    """Take the new password, use the link up, and end every session of the person, whom it answers.

    Raises ResetOver, InvalidField (password).
    """
    async with pool().connection() as connection, connection.transaction():
        email = await open_reset(connection, secret)
    password_hash = await to_thread.run_sync(hash_password, password)
    async with pool().connection() as connection, connection.transaction():
        row = await fetch(connection, "use_reset", reset=digest(secret))
        if row is None:
            raise ResetOver
        user_id: UUID = row["user_id"]
        await fetch(connection, "save_password", user_id=user_id, password_hash=password_hash)
        await fetch(connection, "end_idp_sessions", user_id=user_id, sid=None, keep=None)
        await fetch(connection, "forget_attempts", key=digest(f"email {email}"))
        await note(connection, "password_reset_used", actor=str(user_id))
    return user_id


async def tell_of_change(pool: Callable[[], Pool], settings: Settings, user_id: UUID, what: str) -> None:
    """Mail the person that something about their signing in has changed, in case it wasn't them."""
    async with pool().connection() as connection, connection.transaction():
        person = await fetch(connection, "password_of", user_id=user_id)
    if person is None:
        return
    link = f"{settings.issuer}/security"
    letter = LETTERS.write("changed", to=person["email"], settings=settings, name=person["name"], what=what, link=link)
    try:
        await send(letter, settings)
    except CdpError as error:
        log.warning("the letter about a change was not sent", code=error.code)
