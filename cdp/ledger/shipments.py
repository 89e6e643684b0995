"""Shipments as sources tell them: recorded set-wise by key and version; the status of their orders follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal, get_args
from uuid import UUID

from psycopg import Connection

from cdp.feed import append
from cdp.ledger import entry_queries, queries
from cdp.ledger.refusals import Refusal
from cdp.ledger.telling import order_changes, shipment_changes

ShipmentStatus = Literal["planned", "shipped", "delivered", "returned", "lost"]

SHIPMENT_STATUSES: Final[tuple[ShipmentStatus, ...]] = get_args(ShipmentStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentLine:
    """How much of a line of the order is in the shipment."""

    line_no: int
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentRecord:
    """What a source says about a shipment of the order `order_id`, which belongs to `customer_id`.

    No lines: the shipment carries the whole order. A lower version never overwrites a higher; an equal one replaces.
    """

    source_id: UUID
    external_id: str
    version: int = 0
    customer_id: UUID
    order_id: UUID
    number: str
    status: ShipmentStatus
    carrier: str | None = None
    tracking_number: str | None = None
    tracking_url: str | None = None
    promised_on: date | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    lines: tuple[ShipmentLine, ...] = ()

    @property
    def key(self) -> tuple[UUID, str]:
        """The source's own key of the shipment."""
        return self.source_id, self.external_id


def record_shipments(connection: Connection[Any], shipments: Sequence[ShipmentRecord]) -> list[Refusal]:
    """Record a batch of shipments; return those refused because they name another order than before.

    The caller holds the customers' lock and commits.
    """
    if not shipments:
        return []
    homes = entry_queries.claim_shipment_keys(connection, {one.key: one.customer_id for one in shipments})
    orders = entry_queries.orders_of_shipments(connection, homes)
    newest: dict[tuple[UUID, str], ShipmentRecord] = {}
    refusals: list[Refusal] = []
    for index, one in enumerate(shipments):
        if orders.setdefault(one.key, one.order_id) != one.order_id:
            message = f"Shipment {one.external_id} belongs to another order."
            refusals.append(Refusal(index=index, field="order", code="conflict", message=message))
        elif one.version >= max(homes[one.key].version, newest[one.key].version if one.key in newest else 0):
            newest[one.key] = one
    put = entry_queries.put_shipments(connection, [(homes[key], one) for key, one in newest.items()])
    settled = queries.settle_orders(connection, {(one.customer_id, one.order_id) for one in newest.values()})
    append(connection, [*shipment_changes(put), *order_changes((), (), settled)])
    return refusals
