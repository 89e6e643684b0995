"""What is sent: a change as a JSON object in the form of Standard Webhooks, and the object of a test.

It says what changed and whose it was, as a line of the feed does, and nothing personal. Source: Standard Webhooks
specification, "Payload structure": `type`, `timestamp`, `data`.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from cdp.db.ids import format_id
from cdp.feed import Recorded
from cdp.feed.kinds import prefix_of

LARGEST_BODY_BYTES: Final = 20_480
TEST: Final = "webhook.test"


def body_of(change: Recorded) -> str:
    """The body that tells of a change, at most LARGEST_BODY_BYTES: details that don't fit are left out (null)."""
    body = _written(change, orjson.Fragment(change.data))
    return body if len(body.encode()) <= LARGEST_BODY_BYTES else _written(change, None)


def body_of_test(endpoint_id: UUID, now: datetime) -> str:
    """The body of a test."""
    told = {"type": TEST, "timestamp": now, "data": {"endpointId": format_id("whe", endpoint_id)}}
    return orjson.dumps(told, option=orjson.OPT_UTC_Z).decode()


def _written(change: Recorded, details: Any) -> str:
    told = {
        "type": change.kind,
        "timestamp": change.changed_at,
        "data": {
            "id": format_id(prefix_of(change.kind), change.subject_id),
            "customerId": format_id("cus", change.customer_id),
            "sequence": change.position.seq,
            "cursor": change.position.cursor,
            "details": details,
        },
    }
    return orjson.dumps(told, option=orjson.OPT_UTC_Z).decode()
