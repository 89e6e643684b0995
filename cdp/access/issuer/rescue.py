"""Helping somebody who cannot sign in: a link to a new password, and a start without second factors. For the command line;
synchronous, in the caller's transaction.
"""

from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from cdp.access.audit import Actor, record
from cdp.access.sealing import digest, new_secret
from cdp.db.statements import load_statements
from cdp.errors import NotFound

_SQL: Final = load_statements("cdp.access.issuer")


class NobodySignsIn(NotFound):
    """Nobody signs in here as {email}."""

    email: str


def person_with_email(connection: Connection[Any], email: str) -> UUID:
    """Who signs in at the embedded issuer with this e-mail. Raises NobodySignsIn."""
    row = connection.execute(_SQL["person_by_email"], {"email": email.strip().casefold()}).fetchone()
    if row is None:
        raise NobodySignsIn(email=email)
    found: UUID = row[0]
    return found


def new_reset_secret(connection: Connection[Any], user_id: UUID, actor: Actor) -> str:
    """The secret of a link to a new password: one use, an hour; older ones of the person work no more."""
    secret = new_secret()
    connection.execute(_SQL["save_reset"], {"user_id": user_id, "reset": digest(secret)})
    record(connection, actor.did("password_reset_asked", str(user_id)))
    return secret


def remove_second_factors(connection: Connection[Any], user_id: UUID, actor: Actor) -> int:
    """A password alone is enough for this person again; how many authenticators and passkeys there were."""
    row = connection.execute(_SQL["drop_factors"], {"user_id": user_id}).fetchone()
    dropped = int(row[0]) if row else 0
    record(connection, actor.did("second_factors_removed", str(user_id), factors=dropped))
    return dropped
