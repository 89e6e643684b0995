"""Cursors of the feed: a position as opaque text, which callers hand back and never make themselves."""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from typing import Final, NamedTuple, Self

from cdp.errors import Invalid

_FORM: Final = struct.Struct(">QQ4s")
_LONGEST: Final = 2**63


class CursorInvalid(Invalid):
    """This is not a cursor of this feed; take one from the feed, or begin without."""


class CursorExpired(Invalid):
    """Some changes after this cursor are no longer kept; copy afresh what you keep, and go on with `after=now`."""

    http_status = 410


class Position(NamedTuple):
    """A place in the feed: everything up to and including it has been read."""

    transaction_id: int
    seq: int

    @property
    def cursor(self) -> str:
        """The position as opaque text."""
        return urlsafe_b64encode(_FORM.pack(*self, _check(self))).decode().rstrip("=")

    @classmethod
    def read(cls, cursor: str) -> Self:
        """The position of a cursor. Raises CursorInvalid for anything that this program did not write."""
        try:
            packed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            transaction_id, seq, check = _FORM.unpack(packed)
        except (ValueError, struct.error) as error:
            raise CursorInvalid from error
        position = cls(transaction_id, seq)
        if check != _check(position) or max(position) >= _LONGEST or position.cursor != cursor:
            raise CursorInvalid
        return position


BEGINNING: Final = Position(0, 0)


def _check(position: tuple[int, int]) -> bytes:
    """Four bytes that a damaged or invented cursor will not have; no secret, since a cursor opens nothing."""
    return blake2b(struct.pack(">QQ", *position), digest_size=4, person=b"cdp change feed").digest()
