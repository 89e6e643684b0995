"""Links that stop letters of a kind without signing in (RFC 8058): made for a member and a topic, signed, good for ever.

The token tells member and topic in clear, under a signature (HMAC-SHA-256 with the installation's key): whoever holds it can stop
those letters, and nothing else.
"""

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cdp.access.sealing import equal, token_for
from cdp.settings import Settings, secret_key

_SHAPE: Final = re.compile(r"([0-9a-f]{32})\.([a-z_]{1,40})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscription:
    """Whose letters about what are to stop."""

    member_id: UUID
    topic: str


def unsubscribe_url(settings: Settings, *, member_id: UUID, topic: str) -> str:
    """The link for a letter's `unsubscribe_url`: one POST stops letters about `topic`."""
    return f"{settings.extranet_url}/unsubscribe/{member_id.hex}.{topic}.{_signature(settings, member_id.hex, topic)}"


def read_unsubscribe_token(settings: Settings, token: str) -> Unsubscription | None:
    """What a link's last part says; None when we didn't make it."""
    found = _SHAPE.fullmatch(token)
    if found is None or not equal(found[3], _signature(settings, found[1], found[2])):
        return None
    return Unsubscription(member_id=UUID(found[1]), topic=found[2])


def topic_in(token: str) -> str | None:
    """The topic that a token names, whether we made it or not: for words on a page that does nothing."""
    found = _SHAPE.fullmatch(token)
    return found[2] if found else None


def _signature(settings: Settings, member: str, topic: str) -> str:
    return token_for(secret_key(settings), f"unsubscribe {member} {topic}")
