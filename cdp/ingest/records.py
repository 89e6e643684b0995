"""Records an integrator may import: one typed struct a kind, every field described; `docs/import.md` is checked
against them.

Decoding proves types, lengths and ranges; whether what a record names exists is found out where it is stored. The same
struct reads NDJSON and CSV: in CSV `line.…` columns are the fields of one line, `traits.…` those of the traits.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from cdp.ledger.accounts import AccountTier
from cdp.ledger.entries import EntryKind
from cdp.ledger.orders import OrderStatus
from cdp.ledger.shipments import ShipmentStatus

ImportKind = Literal["customers", "accounts", "orders", "shipments", "ledger", "interactions"]

Key = Annotated[str, Meta(min_length=1, max_length=255)]
Text = Annotated[str, Meta(min_length=1, max_length=500)]
Version = Annotated[int, Meta(ge=0, le=2**53)]
Currency = Annotated[str, Meta(min_length=3, max_length=3)]
LineNo = Annotated[int, Meta(ge=1, le=2**31 - 1)]


def means(description: str) -> Meta:
    """What a field means, as the documentation prints it."""
    return Meta(description=description)


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every record has."""

    external_id: Annotated[Key, means("The source's own key of the record.")]
    version: Annotated[
        Version,
        means(
            "Orders deliveries of one record: a lower version changes nothing. 0, the default: the last delivery stands."
        ),
    ] = 0
    updated_at: Annotated[
        datetime | None, means("When the source last changed it; default: the time of the import.")
    ] = None


class CustomerRecord(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person or an organisation as the source knows it."""

    kind: Annotated[Literal["person", "organisation"], means("Default: person.")] = "person"
    name: Annotated[Text | None, means("Name as it is written.")] = None
    email: Annotated[
        Text | None, means("An identifier: customers with the same e-mail are one, within the limits.")
    ] = None
    phone: Annotated[
        Text | None, means("An identifier where it can be read as a number; national numbers by the source's region.")
    ] = None
    vat: Annotated[Text | None, means("VAT number, an identifier.")] = None
    user_id: Annotated[Key | None, means("Id under which the person signs in to the shop, an identifier.")] = None
    organisation: Annotated[Key | None, means("external_id of the organisation this person belongs to.")] = None
    role: Annotated[Text | None, means("What the person does in that organisation.")] = None
    traits: Annotated[dict[str, Any], means("Anything else the source knows.")] = {}


class AccountImport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A commercial account, whole: what a newer delivery leaves out becomes unknown."""

    number: Annotated[Key, means("Customer number, unique in the company; the record's key.")]
    version: Annotated[Version, means("As for every record.")] = 0
    updated_at: Annotated[
        datetime | None, means("When the source last changed it; default: the time of the import.")
    ] = None
    customer: Annotated[Key, means("external_id of the customer who holds the account.")]
    holder_kind: Annotated[
        Literal["person", "organisation"] | None, means("Kind of a holder not heard of before; default: organisation.")
    ] = None
    name: Annotated[Text, means("Name of the account.")]
    currency: Annotated[Currency, means("ISO 4217 code the account is kept in.")]
    tier: Annotated[AccountTier, means("`key` makes it a key account; default: standard.")] = "standard"
    legal_name: Annotated[Text | None, means("Name on statements and invoices.")] = None
    tax_id: Annotated[Text | None, means("Tax number on statements; also an identifier (vat) of the holder.")] = None
    credit_limit: Annotated[Decimal | None, means("In the account's currency.")] = None
    payment_terms_days: Annotated[
        Annotated[int, Meta(ge=0, le=3650)] | None, means("Days until an invoice is due.")
    ] = None
    opened_on: Annotated[date | None, means("Since when.")] = None
    billing_address: Annotated[
        Text | None, means("Where invoices go, as on an envelope; a bar or a line break parts its lines.")
    ] = None
    delivery_address: Annotated[Text | None, means("Where goods go unless an order says otherwise; likewise.")] = None
    bank_name: Annotated[Text | None, means("The client's bank.")] = None
    bank_account: Annotated[
        Text | None, means("The client's account with it, such as an IBAN; only its last four characters are kept.")
    ] = None
    manager_email: Annotated[Text | None, means("The account manager; makes or updates a member of staff.")] = None
    manager_name: Annotated[Text | None, means("Required with manager_email.")] = None
    manager_phone: Annotated[Text | None, means("The manager's telephone.")] = None
    manager_title: Annotated[Text | None, means("The manager's title.")] = None


class OrderLineImport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of an order."""

    line_no: Annotated[LineNo, means("Number of the line, unique in the order.")]
    product: Annotated[Key | None, means("Product id or SKU.")] = None
    name: Annotated[Text, means("What it is.")]
    category: Annotated[Text | None, means("Category of the product.")] = None
    quantity: Annotated[Decimal, means("Quantity ordered.")]
    quantity_cancelled: Annotated[Decimal, means("Of these cancelled; default 0.")] = Decimal(0)
    quantity_returned: Annotated[Decimal, means("Of these sent back; default 0.")] = Decimal(0)
    unit_price: Annotated[Decimal, means("In the order's currency; rounded half-up to its smallest unit.")]
    amount: Annotated[Decimal | None, means("What the line costs; default: quantity × unit price.")] = None
    promised_on: Annotated[date | None, means("When the line was promised for.")] = None


class OrderImport(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order, whole: its lines are exactly those given."""

    number: Annotated[Key | None, means("Order number; default: external_id.")] = None
    account: Annotated[Key, means("Number of the account that ordered.")]
    contact: Annotated[Key | None, means("external_id of the person who placed it.")] = None
    status: Annotated[
        OrderStatus | None,
        means("Where the source says it; else it follows from the shipments. The furthest of both stands."),
    ] = None
    channel: Annotated[Key | None, means("Default: the source's channel.")] = None
    division: Annotated[Text | None, means("Default: the source's division.")] = None
    location: Annotated[Text | None, means("Default: the source's location.")] = None
    purchase_order: Annotated[Text | None, means("The client's own reference.")] = None
    placed_at: Annotated[datetime, means("When it was placed.")]
    confirmed_at: Annotated[datetime | None, means("When it was confirmed.")] = None
    cancelled_at: Annotated[datetime | None, means("When it was cancelled.")] = None
    promised_on: Annotated[date | None, means("When it was promised for.")] = None
    currency: Annotated[Currency, means("ISO 4217 code.")]
    total: Annotated[Decimal | None, means("What the order costs; default: the sum of its lines.")] = None
    lines: Annotated[list[OrderLineImport], means("Its lines. CSV: one row a line, rows of one order together.")] = []


class ShipmentLineImport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a line of the order is in a shipment."""

    line_no: Annotated[LineNo, means("Number of the order's line.")]
    quantity: Annotated[Decimal, means("Quantity in this shipment.")]


class ShipmentImport(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A shipment of one order."""

    order: Annotated[Key, means("external_id of the order.")]
    number: Annotated[Key | None, means("Shipment number; default: external_id.")] = None
    status: Annotated[
        ShipmentStatus | None, means("Default: delivered with delivered_at, shipped with shipped_at, else planned.")
    ] = None
    carrier: Annotated[Text | None, means("Who carries it.")] = None
    tracking_number: Annotated[Text | None, means("The carrier's number.")] = None
    tracking_url: Annotated[
        Annotated[str, Meta(pattern=r"^https?://[^\s]+$", max_length=2000)] | None, means("Where to follow it.")
    ] = None
    promised_on: Annotated[date | None, means("When it was promised for.")] = None
    shipped_at: Annotated[datetime | None, means("When it left.")] = None
    delivered_at: Annotated[datetime | None, means("When it arrived.")] = None
    lines: Annotated[
        list[ShipmentLineImport], means("What is in it; none: the whole order. CSV: one row a line, rows together.")
    ] = []


class NestedAllocation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a credit pays, told with the credit (NDJSON only)."""

    external_id: Annotated[Key | None, means("Default: `credit>debit@date`.")] = None
    debit: Annotated[Key, means("external_id of the debit that is paid.")]
    amount: Annotated[Decimal, means("Positive, exact in the currency; negative takes back.")]
    allocated_on: Annotated[date, means("Date of the allocation.")]


class EntryImport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A posting to an account. Append-only: told again with other content it is refused; a mistake is reversed."""

    record: Annotated[Literal["entry"], means("`entry`, the default.")] = "entry"
    external_id: Annotated[Key, means("The source's own key of the entry.")]
    account: Annotated[Key, means("Number of the account.")]
    kind: Annotated[
        EntryKind,
        means("Debits: invoice, debit_note, interest, refund. Credits: payment, credit_note, write_off, discount."),
    ]
    document_number: Annotated[Key, means("Number on the document.")]
    currency: Annotated[Currency, means("ISO 4217 code.")]
    amount: Annotated[Decimal, means("Signed and exact: debits positive, credits negative; a reversal the opposite.")]
    posted_on: Annotated[date, means("Accounting date, in the seller's legal time zone.")]
    due_on: Annotated[date | None, means("When it is due; default for ageing: posted_on.")] = None
    reverses: Annotated[Key | None, means("external_id of the entry that this one takes back.")] = None
    order: Annotated[Key | None, means("external_id of the order it is for.")] = None
    purchase_order: Annotated[Text | None, means("The client's own reference.")] = None
    description: Annotated[Text | None, means("A line for the reader of the statement.")] = None
    allocations: Annotated[list[NestedAllocation], means("What this credit pays (NDJSON only).")] = []


class AllocationImport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A credit pays a debit. Append-only: a mistake is taken back by a negative allocation."""

    record: Annotated[Literal["allocation"], means("`allocation`.")]
    external_id: Annotated[Key | None, means("Default: `credit>debit@date`.")] = None
    credit: Annotated[Key, means("external_id of the credit.")]
    debit: Annotated[Key, means("external_id of the debit.")]
    amount: Annotated[Decimal, means("Positive, exact in the currency; negative takes back.")]
    allocated_on: Annotated[date, means("Date of the allocation.")]


class DisputeImport(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The customer disputes an entry. It is flagged; no amount changes."""

    record: Annotated[Literal["dispute"], means("`dispute`.")]
    external_id: Annotated[Key, means("The source's own key of the dispute.")]
    entry: Annotated[Key, means("external_id of the entry.")]
    reason: Annotated[Text | None, means("Why.")] = None
    opened_on: Annotated[date, means("Since when.")]
    closed_on: Annotated[date | None, means("Until when; told again with it, the dispute is closed.")] = None


class InteractionImport(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One contact in one channel: a call, a visit, a letter."""

    customer: Annotated[Key, means("external_id of the customer.")]
    kind: Annotated[
        Literal["page", "screen", "track", "call", "visit", "email", "letter", "chat", "other"], means("What it was.")
    ]
    direction: Annotated[Literal["inbound", "outbound"], means("Who began it; default: inbound.")] = "inbound"
    occurred_at: Annotated[datetime, means("When.")]
    name: Annotated[Text | None, means("Subject of a call, name of a page.")] = None
    topic: Annotated[Text | None, means("What it was about.")] = None
    product: Annotated[Key | None, means("The product it was about.")] = None
    channel: Annotated[Key | None, means("Default: the source's channel.")] = None
    division: Annotated[Text | None, means("Default: the source's division.")] = None
    location: Annotated[Text | None, means("Default: the source's location.")] = None
    duration_seconds: Annotated[Annotated[int, Meta(ge=0, le=2**31 - 1)] | None, means("How long it took.")] = None
    properties: Annotated[dict[str, Any], means("Anything else.")] = {}


LedgerRecord = EntryImport | AllocationImport | DisputeImport

SHAPES: Final[Mapping[ImportKind, Mapping[str, type[Struct]]]] = {
    "customers": {"customer": CustomerRecord},
    "accounts": {"account": AccountImport},
    "orders": {"order": OrderImport},
    "shipments": {"shipment": ShipmentImport},
    "ledger": {"entry": EntryImport, "allocation": AllocationImport, "dispute": DisputeImport},
    "interactions": {"interaction": InteractionImport},
}
"""The shapes of each kind's records by name. Where there are several, the record's field `record` says which."""

IMPORT_KINDS: Final = tuple(SHAPES)
"""Kinds in the order in which a first import succeeds: each names only what those before it brought."""

LINES: Final[Mapping[ImportKind, type[Struct]]] = {"orders": OrderLineImport, "shipments": ShipmentLineImport}
"""Kinds whose records have lines."""

OPEN: Final[Mapping[ImportKind, str]] = {"customers": "traits", "interactions": "properties"}
"""Kinds with a field for whatever else the source knows."""
