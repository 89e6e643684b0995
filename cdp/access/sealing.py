"""Secrets: making them, recognising them, and sealing what must be usable again.

A secret we only have to recognise (cookie, code, client secret, invite) has 256 random bits and is stored as its
SHA-256: with that much entropy a slow hash adds nothing. Passwords are not such secrets, see `passwords.py`. Sealing
is AES-256-GCM under a key derived (HKDF-SHA-256) for one purpose, so that a sealed thing opens nowhere else.
"""

import base64
import hashlib
import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET_BYTES: Final = 32
_NONCE_BYTES: Final = 12


def new_secret() -> str:
    """256 random bits as 43 URL-safe characters."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> bytes:
    """SHA-256 of a secret: what is stored, and what is looked up."""
    return hashlib.sha256(secret.encode()).digest()


def token_for(secret: str, purpose: str) -> str:
    """A token bound to `secret` that does not tell it, 43 URL-safe characters; another one for each purpose."""
    return base64url(hmac.digest(secret.encode(), purpose.encode(), "sha256"))


def base64url(value: bytes) -> str:
    """Base64 in the URL-safe alphabet, without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def masked(token: str) -> str:
    """A token of `token_for` under a pad of its own: other characters at every call, so that no compressed page tells them."""
    plain = unbase64url(token)
    pad = secrets.token_bytes(len(plain))
    return base64url(pad + bytes(one ^ other for one, other in zip(pad, plain, strict=True)))


def unmasked(text: str) -> str:
    """The token that `masked` made the text of; no token is what a text of anything else gives."""
    try:
        both = unbase64url(text)
    except ValueError:
        return ""
    half = len(both) // 2
    return base64url(bytes(one ^ other for one, other in zip(both[:half], both[half:], strict=False)))


def unbase64url(text: str) -> bytes:
    """What `base64url` wrote. Raises ValueError."""
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)


def equal(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def seal(secret: str, purpose: str, plain: bytes) -> bytes:
    """`plain`, encrypted and authenticated; opens with the same secret and purpose."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(_key(secret, purpose)).encrypt(nonce, plain, purpose.encode())


def unseal(secret: str, purpose: str, sealed: bytes) -> bytes | None:
    """What was sealed, or None when it was sealed with another secret or purpose, or changed since."""
    try:
        return AESGCM(_key(secret, purpose)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode())
    except (InvalidTag, ValueError):  # ValueError: shorter than what every sealing begins with
        return None


def seal_text(secret: str, purpose: str, plain: bytes) -> str:
    """As `seal`, in letters that a form or an address can carry."""
    return base64url(seal(secret, purpose, plain))


def unseal_text(secret: str, purpose: str, sealed: str) -> bytes | None:
    """What `seal_text` sealed, or None when it is anything else."""
    try:
        return unseal(secret, purpose, base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4)))
    except ValueError:
        return None


def _key(secret: str, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"cdp {purpose}".encode()).derive(secret.encode())
