"""What the ledger holds, as the functions see it that judge whether a new record may join it."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """An entry as the ledger holds it. `reversed_by` is the entry that takes it back, if any."""

    entry_id: UUID
    customer_id: UUID
    account_id: UUID
    kind: str
    document_number: str
    currency: str
    amount: Decimal
    posted_on: date
    due_on: date | None
    order_id: UUID | None
    purchase_order: str | None
    description: str | None
    reverses_entry_id: UUID | None
    reversed_by: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocatedEntry:
    """An entry as allocations see it: `used` is the sum of its allocations whose other side stands."""

    entry_id: UUID
    customer_id: UUID
    account_id: UUID
    currency: str
    amount: Decimal
    posted_on: date
    is_reversal: bool
    is_reversed: bool
    used: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAllocation:
    """An allocation as the ledger holds it."""

    credit_entry_id: UUID
    debit_entry_id: UUID
    amount: Decimal
    allocated_on: date
