"""Secrets and signatures of Standard Webhooks: made here, sealed in the database, shown once.

While secrets overlap, a message is signed with each of them, newest first, so that a receiver may change over at any
moment. Source: Standard Webhooks specification, "Signature scheme" (symmetric, `v1`).
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from standardwebhooks import Webhook

from cdp.access.sealing import seal, unseal

PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32
_PURPOSE: Final = "webhook secret"


def new_webhook_secret() -> str:
    """256 random bits in the form that verifying libraries take."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def seal_webhook_secret(key: str, secret: str) -> bytes:
    """The secret as the database keeps it; opens with the same `key`, which is CDP_SECRET_KEY."""
    return seal(key, _PURPOSE, secret.encode())


def unseal_webhook_secrets(key: str, sealed: Sequence[bytes]) -> list[str]:
    """Those that open with this key; what was sealed with another is left out."""
    opened = [unseal(key, _PURPOSE, each) for each in sealed]
    return [each.decode() for each in opened if each is not None]


def signed_headers(message_id: str, at: datetime, body: str, signing: Sequence[str]) -> dict[str, str]:
    """The headers that prove where a message comes from: its id, the same at every attempt, the time, the signatures."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, at, body) for secret in signing),
    }
