"""Looking ahead: what a batch must know of stored profiles and claims, looked up before the customers' lock is held for it.

That profiles are where they were when they were looked for, the generation says: it is one more with each transaction that moves
any, so that under the lock one row is read again, and what was not there yet. Of a claim that is there the first time may become
earlier and the last later, and nothing else. Source: decisions 0013 and 0029.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import Connection

from cdp.db.rows import as_array
from cdp.identify.claims import Attached, ProfileKey
from cdp.identify.gathering import Told
from cdp.identify.queries import STATEMENTS, profile_keys

Times = tuple[tuple[datetime, str], datetime]
"""A claim's first time with its message, and its last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """Profiles and claims that were there before the lock was held. `generation`: None where nobody counts."""

    generation: int | None
    attached: Mapping[ProfileKey, Attached]
    claims: Mapping[UUID, Times]


def look_ahead(connection: Connection[Any], told: Told) -> Foreseen:
    """What is stored of a batch. Takes no lock; the transaction must read what others have committed."""
    # First of all: a move after it is noticed under the lock, whether or not the next statement saw it.
    generation = _generation(connection)
    return Foreseen(
        generation=generation,
        attached=profile_keys(connection, told.profiles.keys()),
        claims=claim_times(connection, told.claims.keys()),
    )


def profiles_told(connection: Connection[Any], told: Told, foreseen: Foreseen | None) -> Mapping[ProfileKey, Attached]:
    """The batch's profiles that are known, and where they are. The caller holds the customers' lock."""
    generation = _generation(connection) if foreseen is not None else None
    if foreseen is None or generation is None or generation != foreseen.generation:
        return profile_keys(connection, told.profiles.keys())
    missing = [key for key in told.profiles if key not in foreseen.attached]
    return {**foreseen.attached, **profile_keys(connection, missing)} if missing else foreseen.attached


def claims_told(
    connection: Connection[Any], told: Mapping[UUID, Any], foreseen: Foreseen | None
) -> Mapping[UUID, Times]:
    """The batch's claims that are known, with times that may have moved apart since. The caller holds the customers' lock."""
    if foreseen is None:
        return claim_times(connection, told.keys())
    missing = told.keys() - foreseen.claims.keys()
    return {**foreseen.claims, **claim_times(connection, missing)} if missing else foreseen.claims


def claim_times(connection: Connection[Any], claim_ids: Any) -> dict[UUID, Times]:
    """First and last time of these claims, as far as they are known."""
    rows = connection.execute(STATEMENTS["claim_times"], {"claim_ids": as_array(list(claim_ids))})
    return {claim_id: ((first_at, message_id), last_at) for claim_id, first_at, message_id, last_at in rows}


def _generation(connection: Connection[Any]) -> int | None:
    row = connection.execute(STATEMENTS["generation"]).fetchone()
    return None if row is None else int(row[0])
