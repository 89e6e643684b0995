"""From typed records to facts: what a record names is looked up, what doesn't exist is refused by name, the rest is recorded.

One function a kind, each set-wise over a chunk and inside the caller's transaction, under the customers' lock that `EXCLUSIVE`
says. Customers and accounts go through `cdp.identify`, like everything that says who somebody is.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from cdp.db.rows import as_rows
from cdp.db.statements import load_statements
from cdp.events.interactions import InteractionRecord, record_interactions
from cdp.identify import Attached, ClaimDraft, ProfileKey, apply_claims
from cdp.identify.identifier import ACCOUNT_NUMBER, EMAIL, PHONE, USER_ID, VAT, identify
from cdp.identify.queries import profile_keys
from cdp.ingest.record_decoding import ReadRecord
from cdp.ingest.record_lines import Rejection
from cdp.ingest.records import (
    AccountImport,
    AllocationImport,
    CustomerRecord,
    DisputeImport,
    EntryImport,
    ImportKind,
    OrderImport,
    ShipmentImport,
)
from cdp.ledger.accounts import AccountRecord, record_accounts
from cdp.ledger.allocations import AllocationRecord, DisputeRecord, record_allocations, record_disputes
from cdp.ledger.entries import EntryRecord, record_entries
from cdp.ledger.money import AmountOutOfRange, UnknownCurrency, money
from cdp.ledger.orders import OrderEventRecord, OrderLine, OrderRecord, record_orders
from cdp.ledger.queries import AccountHome, RecordHome, find_accounts, find_orders
from cdp.ledger.refusals import Refusal
from cdp.ledger.shipments import ShipmentLine, ShipmentRecord, ShipmentStatus, record_shipments

STATEMENTS: Final = load_statements("cdp.ingest", "imports.sql")

EXCLUSIVE: Final[frozenset[ImportKind]] = frozenset({"customers", "accounts"})
"""Kinds whose records may make or merge customers; the others only write facts about customers as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSource:
    """The source whose records these are, with its defaults."""

    source_id: UUID
    name: str
    channel: str
    division: str | None
    location: str | None
    identifier_namespace: str
    default_region: str | None

    def key(self, external_id: str) -> ProfileKey | None:
        """Key of the source's profile of a customer; None for a value that points at nobody."""
        identifier = identify(self.identifier_namespace, external_id, region=self.default_region)
        return None if identifier is None else ProfileKey(self.source_id, identifier.namespace, identifier.value)


Store = Callable[[Connection[Any], ImportSource, Sequence[ReadRecord], datetime], list[Rejection]]


def store_customers(
    connection: Connection[Any], source: ImportSource, reads: Sequence[ReadRecord], now: datetime
) -> list[Rejection]:
    """Claims about people and organisations; an organisation is known before its people, in the file or the chunk."""
    told = {read.record.external_id for read in reads if read.record.kind == "organisation"}
    wanted = {read.record.organisation for read in reads if read.record.organisation is not None} - told
    known = _profiles(connection, source, wanted)
    drafts, rejections = [], []
    for read in reads:
        record: CustomerRecord = read.record
        if source.key(record.external_id) is None:
            rejections.append(read.reject("external_id", "unusable_key", _UNUSABLE.format(record.external_id)))
        elif record.email is not None and "@" not in record.email:
            rejections.append(read.reject("email", "invalid_email", f"{record.email} is not an e-mail address."))
        elif record.organisation is not None and record.organisation not in known.keys() | told:
            rejections.append(read.reject("organisation", "unknown_customer", _NO_CUSTOMER.format(record.organisation)))
        else:
            drafts.append(_customer_draft(source, record, now))
    apply_claims(connection, drafts)
    return rejections


def store_accounts(
    connection: Connection[Any], source: ImportSource, reads: Sequence[ReadRecord], now: datetime
) -> list[Rejection]:
    """Accounts with their holders and managers. A holder not heard of before becomes an organisation, if not told otherwise."""
    known = _profiles(connection, source, {read.record.customer for read in reads})
    good, rejections = [], []
    for read in reads:
        fault = _fault_of_account(source, read.record)
        if fault is not None:
            rejections.append(read.reject(*fault))
        else:
            good.append(read.record)
    drafts = [_holder_draft(source, record, now, is_known=record.customer in known) for record in good]
    attached = apply_claims(connection, drafts)
    staff = _put_staff(connection, good)
    record_accounts(connection, [_account(source, record, attached, staff) for record in good])
    return rejections


def store_orders(
    connection: Connection[Any], source: ImportSource, reads: Sequence[ReadRecord], now: datetime
) -> list[Rejection]:
    """Orders in their accounts."""
    accounts = find_accounts(connection, {read.record.account for read in reads})
    contacts = _profiles(connection, source, {read.record.contact for read in reads if read.record.contact is not None})
    orders, rejections = [], []
    for read in reads:
        record: OrderImport = read.record
        account = accounts.get(record.account)
        contact = contacts.get(record.contact) if record.contact is not None else None
        if account is None:
            rejections.append(read.reject("account", "unknown_account", _NO_ACCOUNT.format(record.account)))
        elif record.contact is not None and contact is None:
            rejections.append(read.reject("contact", "unknown_customer", _NO_CUSTOMER.format(record.contact)))
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
    return rejections + _told(refused, [read for read, _ in good])


def store_ledger(
    connection: Connection[Any], source: ImportSource, reads: Sequence[ReadRecord], now: datetime
) -> list[Rejection]:
    """Entries, then allocations, then disputes: so that within a chunk they may stand in any order."""
    del now  # the ledger's dates are its own
    entries, rejections = _entries(connection, source, [read for read in reads if isinstance(read.record, EntryImport)])
    rejections += _told(record_entries(connection, [entry for _, entry in entries]), [read for read, _ in entries])
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
    return rejections + _told(refused, disputes)


def store_interactions(
    connection: Connection[Any], source: ImportSource, reads: Sequence[ReadRecord], now: datetime
) -> list[Rejection]:
    """Contacts of known customers."""
    del now  # contacts say themselves when they happened
    known = _profiles(connection, source, {read.record.customer for read in reads})
    contacts, rejections = [], []
    for read in reads:
        record = read.record
        attached = known.get(record.customer)
        if attached is None:
            rejections.append(read.reject("customer", "unknown_customer", _NO_CUSTOMER.format(record.customer)))
            continue
        contacts.append(
            InteractionRecord(
                source_id=source.source_id,
                external_id=record.external_id,
                version=record.version,
                customer_id=attached.customer_id,
                profile_id=attached.profile_id,
                kind=record.kind,
                direction=record.direction,
                name=record.name,
                topic=record.topic,
                product=record.product,
                channel=record.channel or source.channel,
                division=record.division or source.division,
                location=record.location or source.location,
                occurred_at=record.occurred_at,
                duration_seconds=record.duration_seconds,
                properties=record.properties,
            )
        )
    record_interactions(connection, contacts)
    return rejections


STORES: Final[Mapping[ImportKind, Store]] = {
    "customers": store_customers,
    "accounts": store_accounts,
    "orders": store_orders,
    "shipments": store_shipments,
    "ledger": store_ledger,
    "interactions": store_interactions,
}

_NO_CUSTOMER: Final = "There is no customer {} of this source."
_NO_ACCOUNT: Final = "There is no account {}."
_UNUSABLE: Final = "{} is a placeholder, so it can't be anybody's key."


def _profiles(connection: Connection[Any], source: ImportSource, external_ids: Collection[str]) -> dict[str, Attached]:
    """The source's profiles of customers, by external id; unknown ones are absent."""
    keys = {external_id: source.key(external_id) for external_id in external_ids}
    found = profile_keys(connection, {key for key in keys.values() if key is not None})
    return {external_id: found[key] for external_id, key in keys.items() if key is not None and key in found}


def _customer_draft(source: ImportSource, record: CustomerRecord, now: datetime) -> ClaimDraft:
    identifiers = ((EMAIL, record.email), (PHONE, record.phone), (VAT, record.vat), (USER_ID, record.user_id))
    traits = dict(record.traits) | {
        name: value
        for name, value in (("name", record.name), ("email", record.email), ("phone", record.phone))
        if value is not None
    }
    return ClaimDraft(
        source_id=source.source_id,
        namespace=source.identifier_namespace,
        value=record.external_id,
        kind=record.kind,
        at=record.updated_at or now,
        message_id=f"import:{record.external_id}:{record.version}",
        identifiers=[(namespace, value) for namespace, value in identifiers if value is not None],
        traits=traits,
        group=None if record.organisation is None else (source.identifier_namespace, record.organisation),
        role=record.role,
    )


def _holder_draft(source: ImportSource, record: AccountImport, now: datetime, *, is_known: bool) -> ClaimDraft:
    """What an account says of its holder: its number and tax number; who they are only when nobody has said so yet."""
    identifiers = [(ACCOUNT_NUMBER, record.number)]
    if record.tax_id is not None:
        identifiers.append((VAT, record.tax_id))
    return ClaimDraft(
        source_id=source.source_id,
        namespace=source.identifier_namespace,
        value=record.customer,
        # Known holders keep their kind: "person" says nothing about a profile that exists.
        kind=record.holder_kind or ("person" if is_known else "organisation"),
        at=record.updated_at or now,
        message_id=f"import:account:{record.number}:{record.version}",
        identifiers=identifiers,
        traits={} if is_known else {"name": record.legal_name or record.name},
    )


def _fault_of_account(source: ImportSource, record: AccountImport) -> tuple[str, str, str] | None:
    if source.key(record.customer) is None:
        return "customer", "unusable_key", _UNUSABLE.format(record.customer)
    if record.manager_email is not None and record.manager_name is None:
        return "manager_name", "missing_field", "The manager's name is required with the e-mail address."
    try:
        money(record.credit_limit or Decimal(0), record.currency)
    except UnknownCurrency as error:
        return "currency", "unknown_currency", error.message
    except AmountOutOfRange as error:
        return "credit_limit", "out_of_range", error.message
    if record.credit_limit is not None and record.credit_limit < 0:
        return "credit_limit", "out_of_range", "A credit limit is at least 0."
    return None


def _put_staff(connection: Connection[Any], records: Sequence[AccountImport]) -> dict[str, UUID]:
    told: dict[str, dict[str, str | None]] = {}
    for record in records:
        if record.manager_email is not None:
            email = record.manager_email.strip().lower()
            one = told.setdefault(email, {"email": email})
            said = {"name": record.manager_name, "title": record.manager_title, "phone": record.manager_phone}
            one.update({name: value for name, value in said.items() if value is not None})
    if not told:
        return {}
    return dict(connection.execute(STATEMENTS["put_staff"], {"staff": as_rows(told.values())}).fetchall())


def _account(
    source: ImportSource, record: AccountImport, attached: Mapping[ProfileKey, Attached], staff: Mapping[str, UUID]
) -> AccountRecord:
    key = source.key(record.customer)
    assert key is not None  # noqa: S101 — refused before
    return AccountRecord(
        source_id=source.source_id,
        number=record.number,
        version=record.version,
        customer_id=attached[key].customer_id,
        profile_id=attached[key].profile_id,
        name=record.name,
        tier=record.tier,
        currency=record.currency,
        legal_name=record.legal_name,
        tax_id=record.tax_id,
        credit_limit=None if record.credit_limit is None else money(record.credit_limit, record.currency),
        payment_terms_days=record.payment_terms_days,
        manager_staff_id=staff.get(record.manager_email.strip().lower()) if record.manager_email else None,
        opened_on=record.opened_on,
    )


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
            rejections.append(read.reject("account", "unknown_account", _NO_ACCOUNT.format(record.account)))
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


def _told(refusals: Sequence[Refusal], reads: Sequence[ReadRecord]) -> list[Rejection]:
    return [reads[refusal.index].reject(refusal.field, refusal.code, refusal.message) for refusal in refusals]
