"""Webhooks: endpoints, what is on its way to them, how attempts went, and what a mutation's payload leads to."""

from typing import Any

from sqlalchemy import ColumnElement, Uuid, case, func, or_, select

from cdp.db.ids import read_id
from cdp.graph.compiler import Arguments
from cdp.graph.declaration import Row, Rows, by
from cdp.webhooks.tables import webhook_attempt, webhook_delivery, webhook_endpoint, webhook_replay, webhook_secret


def endpoints(_row: Row | None, _arguments: Arguments) -> Rows:
    """Every endpoint."""
    return Rows(webhook_endpoint.alias())


def endpoint_by_id(_row: Row | None, arguments: Arguments) -> Rows:
    """The endpoint of an id argument."""
    found = webhook_endpoint.alias()
    return Rows(found, (found.c.endpoint_id == arguments.bind("id", Uuid(), lambda text: read_id(text, "whe")),))


def delivery_by_id(_row: Row | None, arguments: Arguments) -> Rows:
    """The delivery of an id argument."""
    found = webhook_delivery.alias()
    return Rows(found, (found.c.delivery_id == arguments.bind("id", Uuid(), lambda text: read_id(text, "whd")),))


def endpoint_of(_row: Row | None, arguments: Arguments) -> Rows:
    """The endpoint of a payload."""
    found = webhook_endpoint.alias()
    return Rows(found, (found.c.endpoint_id == arguments.of_source("endpoint_id", Uuid()),))


def delivery_of(_row: Row | None, arguments: Arguments) -> Rows:
    """The delivery of a payload."""
    found = webhook_delivery.alias()
    return Rows(found, (found.c.delivery_id == arguments.of_source("delivery_id", Uuid()),))


def deliveries(row: Row, _arguments: Arguments) -> Rows:
    """What was made for an endpoint."""
    found = webhook_delivery.alias()
    return Rows(found, (found.c.endpoint_id == row.c.endpoint_id,))


def secrets(row: Row, _arguments: Arguments) -> Rows:
    """The secrets that sign now, newest first."""
    found = webhook_secret.alias()
    signs = or_(found.c.expires_at.is_(None), found.c.expires_at > func.now())
    return Rows(found, (found.c.endpoint_id == row.c.endpoint_id, signs), (by("created_at", descending=True),))


def attempts(row: Row, _arguments: Arguments) -> Rows:
    """How each attempt went."""
    found = webhook_attempt.alias()
    return Rows(found, (found.c.delivery_id == row.c.delivery_id,))


def endpoint(row: Row, _arguments: Arguments) -> Rows:
    """A delivery's endpoint."""
    found = webhook_endpoint.alias()
    return Rows(found, (found.c.endpoint_id == row.c.endpoint_id,))


def host(row: Row) -> ColumnElement[str]:
    """The host and port of an endpoint's address."""
    written: ColumnElement[str] = func.substring(row.c.url, "://([^/?#]+)")
    return written


def replaying_since(row: Row) -> ColumnElement[Any]:
    """From when on the feed is being gone through again for an endpoint."""
    running = webhook_replay.alias()
    earliest = select(func.min(running.c.since)).where(running.c.endpoint_id == row.c.endpoint_id)
    return earliest.correlate(row).scalar_subquery()


def next_attempt_at(row: Row) -> ColumnElement[Any]:
    """When a delivery is tried next; null once it ended."""
    return case((row.c.state == "pending", row.c.next_attempt_at))
