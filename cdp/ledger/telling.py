"""What the ledger tells the change feed: from what a batch did to changes, purely."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from cdp.db.ids import format_id
from cdp.feed import Change


class PutOrder(NamedTuple):
    """An order whose content is new or other than before; `is_new` where nothing at all was known of it."""

    customer_id: UUID
    order_id: UUID
    account_id: UUID
    status: str
    is_new: bool


class SettledOrder(NamedTuple):
    """An order whose status or refunded amount followed: its status before and after, perhaps the same."""

    customer_id: UUID
    order_id: UUID
    account_id: UUID
    before: str
    after: str


class PutShipment(NamedTuple):
    """A shipment that is new or other than before."""

    customer_id: UUID
    shipment_id: UUID
    order_id: UUID
    account_id: UUID
    status: str
    is_new: bool


class PutAccount(NamedTuple):
    """An account that is new or other than before."""

    customer_id: UUID
    account_id: UUID
    is_new: bool


class RelinedOrder(NamedTuple):
    """An order whose lines are other than before."""

    customer_id: UUID
    order_id: UUID
    account_id: UUID


@dataclass(slots=True)
class _Order:
    customer_id: UUID
    account_id: UUID
    new_status: str | None = None
    is_changed: bool = False
    moved: SettledOrder | None = None


def order_changes(
    put: Iterable[PutOrder], relined: Iterable[RelinedOrder], settled: Iterable[SettledOrder]
) -> Iterator[Change]:
    """Each order as placed; or as changed, as having another status, or as both."""
    orders: dict[UUID, _Order] = {}
    for one in put:
        known = orders.setdefault(one.order_id, _Order(one.customer_id, one.account_id))
        known.is_changed = True
        known.new_status = one.status if one.is_new else None
    for lines in relined:
        orders.setdefault(lines.order_id, _Order(lines.customer_id, lines.account_id)).is_changed = True
    for moved in settled:
        known = orders.setdefault(moved.order_id, _Order(moved.customer_id, moved.account_id))
        known.moved = moved
        known.is_changed |= moved.before == moved.after  # then it's the refunded amount
    for order_id, order in orders.items():
        account = {"accountId": format_id("acc", order.account_id)}
        moved_to = order.moved.after if order.moved else None
        if order.new_status is not None:
            told = account | {"status": moved_to or order.new_status}
            yield Change("order.placed", order_id, order.customer_id, told)
            continue
        if order.is_changed:
            yield Change("order.changed", order_id, order.customer_id, account)
        if order.moved is not None and order.moved.before != moved_to:
            told = account | {"from": order.moved.before, "to": order.moved.after}
            yield Change("order.status_changed", order_id, order.customer_id, told)


def shipment_changes(put: Iterable[PutShipment]) -> Iterator[Change]:
    """Shipments that came, and those that are other than before."""
    for one in put:
        told = {
            "orderId": format_id("ord", one.order_id),
            "accountId": format_id("acc", one.account_id),
            "status": one.status,
        }
        kind = "shipment.created" if one.is_new else "shipment.changed"
        yield Change(kind, one.shipment_id, one.customer_id, told)


def account_changes(put: Iterable[PutAccount]) -> Iterator[Change]:
    """Accounts that came, and those that are other than before."""
    for one in put:
        yield Change("account.created" if one.is_new else "account.changed", one.account_id, one.customer_id, {})


def moved_account_changes(moved: Iterable[tuple[UUID, UUID, UUID]]) -> Iterator[Change]:
    """Accounts that have another holder: (account, holder before, holder now)."""
    for account_id, before, now in moved:
        yield Change("account.changed", account_id, now, {"previousHolderId": format_id("cus", before)})


def entry_changes(posted: Iterable[Mapping[str, Any]]) -> Iterator[Change]:
    """Entries that were posted, as rows with their ids."""
    for row in posted:
        told = {"accountId": format_id("acc", row["account_id"])}
        yield Change("ledger_entry.posted", row["entry_id"], row["customer_id"], told)
