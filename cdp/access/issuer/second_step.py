"""Between the password and the session: the note that a password was right, and what proves the rest.

The note is sealed and bound to the browser; it opens the second step for ten minutes and nothing else. Guesses at the second step
are counted by person, from wherever they come.
"""

import time
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from psycopg import AsyncConnection

from cdp.access.issuer.factors import use_code, use_recovery_code
from cdp.access.issuer.passkeys import Ceremony, use_passkey
from cdp.access.issuer.sign_in import Wait, Wrong, count_attempt
from cdp.access.issuer.store import fetch, note
from cdp.access.passwords import Patience
from cdp.access.sealing import digest, equal, seal_text, unseal_text
from cdp.settings import secret_key

NOTE_SECONDS: Final = 600
FOR_A_SECOND_STEP: Final = Patience(free=4, longest_seconds=300)
PURPOSE: Final = "second step"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """The second step was taken. `methods` are RFC 8176's names; `codes_left` tells, after a recovery code, how many remain."""

    methods: tuple[str, ...]
    codes_left: int | None = None


def password_was_right(ceremony: Ceremony, user_id: UUID) -> str:
    """The note for the second step's form."""
    told = {"user": str(user_id), "browser": digest(ceremony.browser).hex(), "at": int(time.time())}
    return seal_text(secret_key(ceremony.settings), PURPOSE, orjson.dumps(told))


def whose_password_was_right(ceremony: Ceremony, noted: str) -> UUID | None:
    """Who the note is about; None when it is not ours, of another browser, or too old."""
    plain = unseal_text(secret_key(ceremony.settings), PURPOSE, noted)
    if plain is None:
        return None
    told = orjson.loads(plain)
    if time.time() - told["at"] > NOTE_SECONDS or not equal(told["browser"], digest(ceremony.browser).hex()):
        return None
    return UUID(told["user"])


async def prove(
    connection: AsyncConnection[Any], ceremony: Ceremony, user_id: UUID, *, code: str, credential: str, challenge: str
) -> Proved | Wrong | Wait:
    """Whether a code of the authenticator, a recovery code or a passkey proves that it is this person."""
    key = digest(f"second step {user_id}")
    if wait := await count_attempt(connection, key, FOR_A_SECOND_STEP):
        await note(connection, "second_step", actor=str(user_id), refused="too_many_attempts")
        return Wait(seconds=wait)
    proved = await _proof(connection, ceremony, user_id, code=code, credential=credential, challenge=challenge)
    if proved is None:
        await note(connection, "second_step", actor=str(user_id), refused="wrong_proof")
        return Wrong()
    await fetch(connection, "forget_attempts", key=key)
    return proved


async def _proof(
    connection: AsyncConnection[Any], ceremony: Ceremony, user_id: UUID, *, code: str, credential: str, challenge: str
) -> Proved | None:
    if credential:
        found = await use_passkey(
            connection, ceremony, credential=credential, challenge=challenge, purpose=PURPOSE, of=user_id
        )
        return Proved(methods=("pwd", "pop", "mfa")) if found else None
    if await use_code(connection, ceremony.settings, user_id, code):
        return Proved(methods=("pwd", "otp", "mfa"))
    left = await use_recovery_code(connection, ceremony.settings, user_id, code)
    return None if left is None else Proved(methods=("pwd", "otp", "mfa"), codes_left=left)
