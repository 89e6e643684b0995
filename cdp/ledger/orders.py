"""Orders as sources tell them, and how they are recorded: set-wise, once per telling, newest version on top.

An order is told in two ways. A *full* record carries its lines and replaces what an older version said. A record
without lines (`lines=None`) only tells that something happened (a refund, a cancellation); its event is kept and the
order's content stays. Status and refunded amount always follow from everything known: the stated status, the events
and the shipments (`cdp.ledger.queries.settle_orders`), so that it doesn't matter what arrives first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal, get_args
from uuid import UUID

from psycopg import Connection

from cdp.feed import append
from cdp.ledger import queries
from cdp.ledger.telling import PutOrder, RelinedOrder, order_changes

OrderStatus = Literal["placed", "confirmed", "partly_shipped", "shipped", "delivered", "cancelled", "returned"]
OrderEventKind = Literal["placed", "confirmed", "updated", "cancelled", "refunded", "returned"]

ORDER_STATUSES: Final[tuple[OrderStatus, ...]] = get_args(OrderStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One line of an order; amounts in the order's currency. `amount` is what the line costs, after its discounts."""

    line_no: int
    product: str | None = None
    name: str
    category: str | None = None
    quantity: Decimal
    quantity_cancelled: Decimal = Decimal(0)
    quantity_returned: Decimal = Decimal(0)
    unit_price: Decimal
    amount: Decimal
    promised_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEventRecord:
    """Something that happened to an order. `record_key` is what told it: the same key tells the same event again.

    `amount` (positive, in the order's currency) belongs to `refunded`: what was paid back.
    """

    kind: OrderEventKind
    occurred_at: datetime
    record_key: str
    note: str | None = None
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """What one message or import row says about an order.

    `(source_id, external_id)` is the order's key, `version` orders its full records: a lower version never overwrites
    a higher, an equal one replaces. `status` is None where the source doesn't say. `lines` is None when the record
    tells only its events. `account_id`, `customer_id` (its holder) and `profile_id` (who placed it) count when the
    order is new: it stays where it is. `told_at` dates a promised day that changed; None: when it is recorded.
    """

    source_id: UUID
    external_id: str
    version: int = 0
    number: str
    customer_id: UUID
    account_id: UUID
    profile_id: UUID
    contact_customer_id: UUID | None = None
    status: OrderStatus | None = None
    channel: str
    division: str | None = None
    location: str | None = None
    purchase_order: str | None = None
    placed_at: datetime
    promised_on: date | None = None
    told_at: datetime | None = None
    currency: str
    total: Decimal
    lines: tuple[OrderLine, ...] | None
    events: tuple[OrderEventRecord, ...] = ()

    @property
    def key(self) -> tuple[UUID, str]:
        """The source's own key of the order."""
        return self.source_id, self.external_id


def record_orders(connection: Connection[Any], orders: Sequence[OrderRecord]) -> None:
    """Record a batch of orders, in order of telling; telling the same again changes nothing.

    The caller holds the customers' lock (`cdp.db.locks`) and commits. Ten statements whatever the batch's size.
    """
    if not orders:
        return
    newest = newest_of(orders)
    homes = queries.claim_order_keys(connection, newest.values())
    put, relined = _put_content(connection, newest, homes)
    queries.put_order_events(
        connection,
        [
            {
                "customer_id": homes[order.key].customer_id,
                "order_id": homes[order.key].record_id,
                "source_id": order.source_id,
                "kind": event.kind,
                "occurred_at": event.occurred_at,
                "record_key": event.record_key,
                "note": event.note,
                "amount": event.amount,
                "currency": None if event.amount is None else order.currency,
            }
            for order in orders
            for event in order.events
        ],
    )
    settled = queries.settle_orders(connection, [(home.customer_id, home.record_id) for home in homes.values()])
    append(connection, order_changes(put, relined, settled))


def newest_of(orders: Iterable[OrderRecord]) -> dict[tuple[UUID, str], OrderRecord]:
    """The record that says the content of each order: the highest full version, the last told of equals; else the
    first told.
    """
    newest: dict[tuple[UUID, str], OrderRecord] = {}
    for order in orders:
        held = newest.get(order.key)
        if held is None or (order.lines is not None and (held.lines is None or order.version >= held.version)):
            newest[order.key] = order
    return newest


def _put_content(
    connection: Connection[Any],
    newest: Mapping[tuple[UUID, str], OrderRecord],
    homes: Mapping[tuple[UUID, str], queries.RecordHome],
) -> tuple[list[PutOrder], set[RelinedOrder]]:
    """Store orders and their lines; which are new or other than before."""
    rows, lines = [], []
    for key, order in newest.items():
        home = homes[key]
        row = {
            "customer_id": home.customer_id,
            "order_id": home.record_id,
            **{name: getattr(order, name) for name in _COLUMNS},
            "version": order.version if order.lines is not None else queries.EVENTS_ONLY,
        }
        rows.append(row)
        if order.lines is not None and order.version >= home.version:
            lines.append((row, order.lines))
    put = queries.put_orders(connection, rows)
    return put, queries.replace_order_lines(connection, lines)


_COLUMNS: Final = (
    "account_id",
    "profile_id",
    "contact_customer_id",
    "source_id",
    "external_id",
    "number",
    "status",
    "channel",
    "division",
    "location",
    "purchase_order",
    "placed_at",
    "promised_on",
    "told_at",
    "currency",
    "total",
)
