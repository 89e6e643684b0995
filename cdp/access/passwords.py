"""Passwords: Argon2id with OWASP's parameters, and how many guesses somebody gets."""

import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from cdp.errors import InvalidField

SHORTEST: Final = 12
LONGEST: Final = 256
# OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane; some 25 ms on a small server.
_hasher: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How many failures are free, and how long the wait after each further one can grow."""

    free: int
    longest_seconds: int


# An account's owner must not be locked out for long by somebody who guesses; a single address may be.
FOR_AN_EMAIL: Final = Patience(free=4, longest_seconds=60)
FOR_AN_ADDRESS: Final = Patience(free=30, longest_seconds=900)


def hash_password(password: str) -> str:
    """The Argon2id hash of a new password. Raises InvalidField when it is too short or too long."""
    if not SHORTEST <= len(_normal(password)) <= LONGEST:
        raise InvalidField(field="password", problem=f"must have {SHORTEST} to {LONGEST} characters.")
    return _hasher.hash(_normal(password))


def matches(password: str, stored: str | None) -> bool:
    """Whether a password is the one that was hashed. With no hash it costs the same time and is False."""
    if len(password) > LONGEST:
        return False
    try:
        _hasher.verify(stored or _nobody(), _normal(password))
    except (VerifyMismatchError, InvalidHashError):
        return False
    return stored is not None


def needs_rehash(stored: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


def _normal(password: str) -> str:
    """NIST SP 800-63B §3.1.1.2: one form, whatever keyboard it was typed on."""
    return unicodedata.normalize("NFKC", password)


@cache
def _nobody() -> str:
    return _hasher.hash("nobody has this password")
