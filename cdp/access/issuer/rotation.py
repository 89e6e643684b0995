"""Changing the issuer's signing key: a new one is published before it signs, the old one verifies until what it signed is over.

Everybody who checks our tokens keeps our keys for a while (our own doors fetch them again when they meet an unknown one, at
most every ten seconds; others follow the `max-age` of `/jwks`). So a new key waits two minutes. The longest-lived thing a key
signs is an ID token that a browser brings back to sign out, up to twelve hours later: a retired key is published for thirteen.
A key that got out is withdrawn instead: what it signed is refused within seconds. Synchronous, for the command line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from cdp.access.audit import Actor, record
from cdp.access.issuer.signing_keys import new_key_row
from cdp.db.statements import load_statements
from cdp.errors import NotFound
from cdp.settings import Settings

LEAD_SECONDS: Final = 120
_SQL: Final = load_statements("cdp.access.issuer")


class NoSuchKey(NotFound):
    """There is no signing key {kid} that could be withdrawn."""

    kid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownKey:
    """A signing key. `state`: published, signing, verifying, over or withdrawn."""

    kid: str
    algorithm: str
    created_at: datetime
    signs_from: datetime
    retired_at: datetime | None
    withdrawn_at: datetime | None
    state: str


def list_keys(connection: Connection[Any]) -> Sequence[KnownKey]:
    """Every key there was, the newest first."""
    with connection.cursor(row_factory=class_row(KnownKey)) as cursor:
        return cursor.execute(_SQL["every_signing_key"]).fetchall()


def rotate_keys(connection: Connection[Any], settings: Settings, *, at_once: bool = False, actor: Actor) -> KnownKey:
    """Make a new key, which signs in two minutes, or `at_once`, and retires the one before it; answers the new one."""
    connection.execute(_SQL["lock_signing_keys"])
    made = new_key_row(settings)
    connection.execute(_SQL["rotate_signing_keys"], {**made, "after_seconds": 0 if at_once else LEAD_SECONDS})
    record(connection, actor.did("keys_rotated", kid=made["kid"], at_once=at_once))
    return next(key for key in list_keys(connection) if key.kid == made["kid"])


def withdraw_key(connection: Connection[Any], settings: Settings, kid: str, *, actor: Actor) -> None:
    """Believe nothing more that a key signed; when it was the one that signs, another takes over at once.

    Raises NoSuchKey.
    """
    connection.execute(_SQL["lock_signing_keys"])
    if connection.execute(_SQL["withdraw_signing_key"], {"kid": kid}).fetchone() is None:
        raise NoSuchKey(kid=kid)
    record(connection, actor.did("key_withdrawn", kid=kid))
    with connection.cursor(row_factory=dict_row) as cursor:
        signs = any(row["signs"] for row in cursor.execute(_SQL["signing_keys"]).fetchall())
    if not signs:
        rotate_keys(connection, settings, at_once=True, actor=actor)
