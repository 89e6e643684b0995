"""Orders, shipments and the ledger: from typed records to facts of trade.

Each function is set-wise over a chunk and works inside the caller's transaction; what a record names and isn't there refuses it.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg import Connection

from cdp.identify import Attached
from cdp.ingest.record_decoding import ReadRecord
from cdp.ingest.record_lines import Rejection
from cdp.ingest.record_source import NO_ACCOUNT, NO_CUSTOMER, ImportSource, profiles_of, rejections_of
from cdp.ingest.records import (
    AllocationImport,
    DisputeImport,
    EntryImport,
    OrderImport,
    ShipmentImport,
)
from cdp.ledger.allocations import AllocationRecord, DisputeRecord, record_allocations, record_disputes
from cdp.ledger.entries import EntryRecord, record_entries
from cdp.ledger.money import AmountOutOfRange, UnknownCurrency, money
from cdp.ledger.orders import OrderEventRecord, OrderLine, OrderRecord, record_orders
from cdp.ledger.queries import AccountHome, RecordHome, find_accounts, find_orders
from cdp.ledger.shipments import ShipmentLine, ShipmentRecord, ShipmentStatus, record_shipments


def store_orders(
    connection: Connection[Any], source: ImportSource, reads: Sequence[ReadRecord], now: datetime
) -> list[Rejection]:
    """Orders in their accounts."""
    accounts = find_accounts(connection, {read.record.account for read in reads})
    contacts = profiles_of(
        connection, source, {read.record.contact for read in reads if read.record.contact is not None}
    )
    orders, rejections = [], []
    for read in reads:
        record: OrderImport = read.record
        account = accounts.get(record.account)
        contact = contacts.get(record.contact) if record.contact is not None else None
        if account is None:
            rejections.append(read.reject("account", "unknown_account", NO_ACCOUNT.format(record.account)))
        elif record.contact is not None and contact is None:
            rejections.append(read.reject("contact", "unknown_customer", NO_CUSTOMER.format(record.contact)))
        else:
            order = _order(source, record, account, contact, now)
            if isinstance(order, OrderRecord):
                orders.append(order)
            else:
                rejections.append(read.reject(*order))
    record_orders(connection, orders)
    return rejections


def store_shipments(
    connection: Connection[Any], source: ImportSource, reads: Sequence[ReadRecord], now: datetime
) -> list[Rejection]:
    """Shipments of known orders."""
    del now  # shipments say themselves when they happen
    orders = find_orders(connection, {(source.source_id, read.record.order) for read in reads})
    good, rejections = [], []
    for read in reads:
        home = orders.get((source.source_id, read.record.order))
        numbers = [line.line_no for line in read.record.lines]
        if home is None:
            rejections.append(read.reject("order", "unknown_order", f"There is no order {read.record.order}."))
        elif len(set(numbers)) < len(numbers):
            rejections.append(read.reject("lines", "duplicate", "A line_no is there twice."))
        else:
            good.append((read, _shipment(source, read.record, home)))
    refused = record_shipments(connection, [shipment for _, shipment in good])
    return rejections + rejections_of(refused, [read for read, _ in good])


def store_ledger(
    connection: Connection[Any], source: ImportSource, reads: Sequence[ReadRecord], now: datetime
) -> list[Rejection]:
    """Entries, then allocations, then disputes: so that within a chunk they may stand in any order."""
    del now  # the ledger's dates are its own
    entries, rejections = _entries(connection, source, [read for read in reads if isinstance(read.record, EntryImport)])
    rejections += rejections_of(
        record_entries(connection, [entry for _, entry in entries]), [read for read, _ in entries]
    )
    failed = {rejection.line for rejection in rejections}
    allocations = [
        (read, "", _allocation(source, read.record)) for read in reads if isinstance(read.record, AllocationImport)
    ]
    for read, entry in entries:
        if read.line not in failed:
            allocations += _nested_allocations(source, read, entry)
    for refusal in record_allocations(connection, [allocation for _, _, allocation in allocations]):
        read, path, _ = allocations[refusal.index]
        rejections.append(read.reject(f"{path}{refusal.field}", refusal.code, refusal.message))
    disputes = [read for read in reads if isinstance(read.record, DisputeImport)]
    refused = record_disputes(connection, [_dispute(source, read.record) for read in disputes])
    return rejections + rejections_of(refused, disputes)


def _order(
    source: ImportSource, record: OrderImport, account: AccountHome, contact: Attached | None, now: datetime
) -> OrderRecord | tuple[str, str, str]:
    """The order, or why it can't be."""
    numbers = [line.line_no for line in record.lines]
    if len(set(numbers)) < len(numbers):
        return "lines", "duplicate", "A line_no is there twice."
    lines: list[OrderLine] = []
    field = "currency"
    try:
        for index, line in enumerate(record.lines):
            field = f"lines[{index}].unit_price"
            unit_price = money(line.unit_price, record.currency)
            field = f"lines[{index}].amount"
            amount = money(line.quantity * line.unit_price if line.amount is None else line.amount, record.currency)
            lines.append(
                OrderLine(
                    line_no=line.line_no,
                    product=line.product,
                    name=line.name,
                    category=line.category,
                    quantity=line.quantity,
                    quantity_cancelled=line.quantity_cancelled,
                    quantity_returned=line.quantity_returned,
                    unit_price=unit_price,
                    amount=amount,
                    promised_on=line.promised_on,
                )
            )
        field = "total"
        stated = record.total if record.total is not None else sum((line.amount for line in lines), Decimal(0))
        total = money(stated, record.currency)
    except UnknownCurrency as error:
        return "currency", "unknown_currency", error.message
    except AmountOutOfRange as error:
        return field, "out_of_range", error.message
    return OrderRecord(
        source_id=source.source_id,
        external_id=record.external_id,
        version=record.version,
        number=record.number or record.external_id,
        customer_id=account.customer_id,
        account_id=account.account_id,
        profile_id=contact.profile_id if contact else account.profile_id,
        contact_customer_id=contact.customer_id if contact else None,
        status=record.status,
        channel=record.channel or source.channel,
        division=record.division or source.division,
        location=record.location or source.location,
        purchase_order=record.purchase_order,
        placed_at=record.placed_at,
        promised_on=record.promised_on,
        told_at=record.updated_at,
        currency=record.currency,
        total=total,
        lines=tuple(lines),
        events=_order_events(record, now),
    )


def _order_events(record: OrderImport, now: datetime) -> tuple[OrderEventRecord, ...]:
    """When it was placed, confirmed, cancelled or returned; a status without its time is dated by the record."""
    moments = {"placed": record.placed_at, "confirmed": record.confirmed_at, "cancelled": record.cancelled_at}
    if record.status in ("confirmed", "cancelled", "returned") and moments.get(record.status) is None:
        moments[record.status] = record.updated_at or now
    return tuple(
        OrderEventRecord(kind=kind, occurred_at=at, record_key=f"import:{kind}")  # type: ignore[arg-type]
        for kind, at in moments.items()
        if at is not None
    )


def _shipment(source: ImportSource, record: ShipmentImport, home: RecordHome) -> ShipmentRecord:
    implied: ShipmentStatus = "delivered" if record.delivered_at else "shipped" if record.shipped_at else "planned"
    return ShipmentRecord(
        source_id=source.source_id,
        external_id=record.external_id,
        version=record.version,
        customer_id=home.customer_id,
        order_id=home.record_id,
        number=record.number or record.external_id,
        status=record.status or implied,
        carrier=record.carrier,
        tracking_number=record.tracking_number,
        tracking_url=record.tracking_url,
        promised_on=record.promised_on,
        shipped_at=record.shipped_at,
        delivered_at=record.delivered_at,
        lines=tuple(ShipmentLine(line_no=line.line_no, quantity=line.quantity) for line in record.lines),
    )


def _entries(
    connection: Connection[Any], source: ImportSource, reads: Sequence[ReadRecord]
) -> tuple[list[tuple[ReadRecord, EntryRecord]], list[Rejection]]:
    accounts = find_accounts(connection, {read.record.account for read in reads})
    named = {(source.source_id, read.record.order) for read in reads if read.record.order is not None}
    orders = find_orders(connection, named)
    entries, rejections = [], []
    for read in reads:
        record: EntryImport = read.record
        account = accounts.get(record.account)
        order = orders.get((source.source_id, record.order)) if record.order is not None else None
        if account is None:
            rejections.append(read.reject("account", "unknown_account", NO_ACCOUNT.format(record.account)))
        elif record.order is not None and (order is None or order.customer_id != account.customer_id):
            message = f"There is no order {record.order} of this account."
            rejections.append(read.reject("order", "unknown_order", message))
        else:
            entry = EntryRecord(
                source_id=source.source_id,
                external_id=record.external_id,
                customer_id=account.customer_id,
                account_id=account.account_id,
                kind=record.kind,
                document_number=record.document_number,
                currency=record.currency,
                amount=record.amount,
                posted_on=record.posted_on,
                due_on=record.due_on,
                reverses=record.reverses,
                order_id=None if order is None else order.record_id,
                purchase_order=record.purchase_order,
                description=record.description,
            )
            entries.append((read, entry))
    return entries, rejections


def _nested_allocations(
    source: ImportSource, read: ReadRecord, entry: EntryRecord
) -> list[tuple[ReadRecord, str, AllocationRecord]]:
    return [
        (
            read,
            f"allocations[{index}].",
            AllocationRecord(
                source_id=source.source_id,
                external_id=one.external_id or f"{entry.external_id}>{one.debit}@{one.allocated_on}",
                credit=entry.external_id,
                debit=one.debit,
                amount=one.amount,
                allocated_on=one.allocated_on,
            ),
        )
        for index, one in enumerate(read.record.allocations)
    ]


def _allocation(source: ImportSource, record: AllocationImport) -> AllocationRecord:
    return AllocationRecord(
        source_id=source.source_id,
        external_id=record.external_id or f"{record.credit}>{record.debit}@{record.allocated_on}",
        credit=record.credit,
        debit=record.debit,
        amount=record.amount,
        allocated_on=record.allocated_on,
    )


def _dispute(source: ImportSource, record: DisputeImport) -> DisputeRecord:
    return DisputeRecord(
        source_id=source.source_id,
        external_id=record.external_id,
        entry=record.entry,
        reason=record.reason,
        opened_on=record.opened_on,
        closed_on=record.closed_on,
    )
