"""Visitors' tokens: what lets a page ask who its own visitor is, and nobody else.

A write key stands in every page and proves nothing. A token proves one thing: this is the visitor to whom we gave this
anonymous id, or the user whom the source's own server vouched for. It is bound to its source and to a generation of the source's
tokens, and it ends. Form: `vt1.<claims>.<HMAC-SHA-256>`, both base64url, under a key derived for the source and generation from
the installation's secret: one algorithm and no header, so that there is nothing for a sender to choose. Nobody but us reads it.
"""

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from uuid import UUID

import msgspec

from cdp.access.sealing import base64url, token_for
from cdp.errors import Unauthenticated

Proof = Literal["anonymous_id", "user_id"]

PREFIX: Final = "vt1"
VISITOR_LIFETIME: Final = timedelta(days=180)
"""A page renews its token while it lasts; a visitor who stays away longer is a new one, as most browsers see to anyway."""
USER_LIFETIME: Final = timedelta(days=1)
LONGEST_USER_LIFETIME: Final = timedelta(days=30)
LONGEST_TOKEN_CHARACTERS: Final = 2_000


class VisitorTokenInvalid(Unauthenticated):
    """The visitor's token is not valid, or has ended; ask for one at /v1/visitor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who a token speaks for: `proof` says whether `value` is an anonymous id that we gave, or a user id vouched for."""

    source_id: UUID
    proof: Proof
    value: str
    generation: int
    expires_at: datetime


class _Claims(msgspec.Struct, kw_only=True):
    s: str
    p: Proof
    v: str
    g: int
    e: int


_CLAIMS: Final = msgspec.json.Decoder(_Claims)


def new_visitor_id() -> str:
    """An anonymous id that nobody can guess: 160 random bits."""
    return f"v-{secrets.token_hex(20)}"


def sign(secret: str, visitor: Visitor) -> str:
    """The visitor's token."""
    claims = _Claims(
        s=visitor.source_id.hex,
        p=visitor.proof,
        v=visitor.value,
        g=visitor.generation,
        e=int(visitor.expires_at.timestamp()),
    )
    body = f"{PREFIX}.{base64url(msgspec.json.encode(claims))}"
    return f"{body}.{_mac(secret, visitor.source_id.hex, visitor.generation, body)}"


def read(secret: str, token: str, *, now: datetime) -> Visitor:
    """Who the token speaks for. Raises VisitorTokenInvalid, the same whatever is wrong with it.

    The caller still has to ask whether the source is there and of that generation.
    """
    body, _, mac = token.rpartition(".")
    prefix, _, packed = body.partition(".")
    if len(token) > LONGEST_TOKEN_CHARACTERS or prefix != PREFIX or not token.isascii():
        raise VisitorTokenInvalid
    try:
        claims = _CLAIMS.decode(base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True))
        source_id = UUID(hex=claims.s)
        expires_at = datetime.fromtimestamp(claims.e, UTC)
    except (binascii.Error, msgspec.DecodeError, ValueError, OverflowError, OSError):
        raise VisitorTokenInvalid from None
    if not hmac.compare_digest(mac, _mac(secret, claims.s, claims.g, body)) or expires_at <= now:
        raise VisitorTokenInvalid
    return Visitor(source_id=source_id, proof=claims.p, value=claims.v, generation=claims.g, expires_at=expires_at)


def _mac(secret: str, source: str, generation: int, body: str) -> str:
    return token_for(_key(secret, source, generation), body)


@lru_cache(maxsize=1_000)
def _key(secret: str, source: str, generation: int) -> str:
    return token_for(secret, f"visitors' tokens of source {source}, generation {generation}")
