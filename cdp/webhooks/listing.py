"""Endpoints and deliveries as the command line shows them; tools ask GraphQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import Connection

from cdp.db.statements import load_statements

_SQL: Final = load_statements("cdp.webhooks")


class ListedEndpoint(NamedTuple):
    """An endpoint and how it fares."""

    endpoint_id: UUID
    url: str
    description: str | None
    kinds: Sequence[str]
    state: str
    disabled_reason: str | None
    failing_since: datetime | None
    delivered_at: datetime | None
    created_at: datetime


class ListedDelivery(NamedTuple):
    """A delivery and how it stands; `next_attempt_at` counts while it is pending."""

    delivery_id: UUID
    kind: str
    occurred_at: datetime
    state: str
    attempts: int
    next_attempt_at: datetime
    last_status: int | None
    last_problem: str | None


def list_endpoints(connection: Connection[Any]) -> list[ListedEndpoint]:
    """Every endpoint, oldest first."""
    return [ListedEndpoint(*row) for row in connection.execute(_SQL["list_endpoints"])]


def list_deliveries(
    connection: Connection[Any], endpoint_id: UUID, *, state: str | None, most: int
) -> list[ListedDelivery]:
    """Deliveries of an endpoint, latest change first, at most `most`: those in a state, or all."""
    given = {"endpoint_id": endpoint_id, "state": state, "most": most}
    return [ListedDelivery(*row) for row in connection.execute(_SQL["list_deliveries"], given)]


def delivery_now(connection: Connection[Any], delivery_id: UUID) -> tuple[str, int | None, str | None]:
    """State, last status and last problem of a delivery that exists."""
    row = connection.execute(_SQL["delivery"], {"delivery_id": delivery_id}).fetchone()
    assert row is not None  # noqa: S101 — whoever asks made it
    return row[0], row[1], row[2]
