"""Second factors: an authenticator app (TOTP, RFC 6238), passkeys, and recovery codes for the day when neither is at hand.

Who has an authenticator or a passkey signs in with a password and one of these, or with a passkey alone. A code of the app is
good for half a minute and one use, with half a minute's patience for a clock that is off. Recovery codes have 80 bits and are
stored as a hash keyed with CDP_SECRET_KEY, so that the database alone is not enough to try them.
"""

import base64
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pyotp
import segno
from markupsafe import Markup
from psycopg import AsyncConnection
from psycopg.rows import class_row

from cdp.access.issuer.store import SQL, fetch, note, take_once
from cdp.access.sealing import digest, equal, seal, token_for, unseal
from cdp.settings import Settings, secret_key

RECOVERY_CODES: Final = 10
STEP_SECONDS: Final = 30
_SKEW_STEPS: Final = 1
_CODE_BYTES: Final = 10
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """A passkey of somebody's, as they see it."""

    credential_id: bytes
    name: str
    transports: list[str]
    created_at: datetime
    last_used_at: datetime | None

    @property
    def named(self) -> str:
        """Its name in forms."""
        return self.credential_id.hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """What somebody has besides a password."""

    authenticator_since: datetime | None
    passkeys: tuple[Passkey, ...]
    recovery_codes: int

    @property
    def are_on(self) -> bool:
        """Whether a password alone is not enough."""
        return self.authenticator_since is not None or bool(self.passkeys)


async def factors_of(connection: AsyncConnection[Any], user_id: UUID) -> Factors:
    """What this person has besides a password."""
    row = await fetch(connection, "factors", user_id=user_id) or {"authenticator_since": None, "recovery_codes": 0}
    async with connection.cursor(row_factory=class_row(Passkey)) as cursor:
        await cursor.execute(SQL["passkeys"], {"user_id": user_id})
        return Factors(**row, passkeys=tuple(await cursor.fetchall()))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAuthenticator:
    """A secret that is not in use yet. `text` is for typing, in groups of four; `address` is what the picture says."""

    secret: str
    address: str

    @property
    def text(self) -> str:
        """The secret for people."""
        return " ".join(self.secret[at : at + 4] for at in range(0, len(self.secret), 4))

    @property
    def picture(self) -> Markup:
        """The address as a QR code: SVG to stand in a page, black on white in any light."""
        drawn = segno.make(self.address, error="m", micro=False)
        svg = drawn.svg_inline(
            scale=4, border=4, dark="#000", light="#fff", svgclass="qr", lineclass=None, omitsize=True
        )
        return Markup(svg)  # noqa: S704 - drawn here, from what the library encoded


def new_authenticator(*, email: str, seller: str, secret: str | None = None) -> NewAuthenticator:
    """An authenticator to offer, with a new secret of 160 bits or the one that was offered before."""
    secret = secret or pyotp.random_base32()
    return NewAuthenticator(secret=secret, address=pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=seller))


def matching_step(secret: str, code: str, *, now: float) -> int | None:
    """The half-minute whose code this is, of those about now; None when it is none of theirs."""
    code = "".join(code.split())
    if len(code) != _DIGITS or not (code.isascii() and code.isdecimal()):
        return None
    totp, step = pyotp.TOTP(secret), int(now) // STEP_SECONDS
    around = range(step - _SKEW_STEPS, step + _SKEW_STEPS + 1)
    found = [near for near in around if equal(totp.generate_otp(near), code)]
    return found[-1] if found else None


async def use_code(connection: AsyncConnection[Any], settings: Settings, user_id: UUID, code: str) -> bool:
    """Whether this is a code of the person's authenticator that nobody used before."""
    row = await fetch(connection, "sealed_authenticator", user_id=user_id)
    plain = unseal(secret_key(settings), _purpose(user_id), bytes(row["sealed_secret"])) if row else None
    return plain is not None and await use_code_of(connection, user_id, plain.decode(), code)


async def use_code_of(connection: AsyncConnection[Any], user_id: UUID, secret: str, code: str) -> bool:
    """As `use_code`, of a secret that is at hand."""
    step = matching_step(secret, code, now=time.time())
    code = "".join(code.split())
    until = datetime.now(UTC) + timedelta(seconds=STEP_SECONDS * (2 * _SKEW_STEPS + 2))
    return step is not None and await take_once(connection, f"totp {user_id} {step} {code}", until=until)


async def save_authenticator(connection: AsyncConnection[Any], settings: Settings, user_id: UUID, secret: str) -> None:
    """From now on this is the person's authenticator."""
    sealed = seal(secret_key(settings), _purpose(user_id), secret.encode())
    await fetch(connection, "save_authenticator", user_id=user_id, sealed_secret=sealed)
    await note(connection, "authenticator_added", actor=str(user_id))


async def drop_authenticator(connection: AsyncConnection[Any], user_id: UUID) -> bool:
    """The person has no authenticator any more; false when there was none."""
    if await fetch(connection, "drop_authenticator", user_id=user_id) is None:
        return False
    await fetch(connection, "drop_idle_recovery_codes", user_id=user_id)
    await note(connection, "authenticator_removed", actor=str(user_id))
    return True


async def make_recovery_codes(connection: AsyncConnection[Any], settings: Settings, user_id: UUID) -> tuple[str, ...]:
    """Ten new codes in place of those before, shown once: four groups of four letters and digits."""
    codes = [base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
    hashes = [_recovery_hash(settings, user_id, code) for code in codes]
    await fetch(connection, "save_recovery_codes", user_id=user_id, code_hashes=hashes)
    await note(connection, "recovery_codes_made", actor=str(user_id))
    return tuple("-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes)


async def use_recovery_code(
    connection: AsyncConnection[Any], settings: Settings, user_id: UUID, code: str
) -> int | None:
    """How many codes are left after this one, which is used up; None when it is none of theirs."""
    row = await fetch(
        connection, "use_recovery_code", user_id=user_id, code_hash=_recovery_hash(settings, user_id, code)
    )
    if row is None:
        return None
    await note(connection, "recovery_code_used", actor=str(user_id), remaining=row["remaining"])
    return int(row["remaining"])


def _recovery_hash(settings: Settings, user_id: UUID, code: str) -> bytes:
    normal = "".join(letter for letter in code.casefold() if letter.isalnum())
    return digest(token_for(secret_key(settings), f"recovery code {user_id} {normal}"))


def _purpose(user_id: UUID) -> str:
    return f"authenticator {user_id}"
