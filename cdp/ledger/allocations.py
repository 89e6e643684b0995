"""Allocations: which credit pays which debit, each its own dated row (statement rule 3); and disputes.

Judged by a pure function: an allocation stays inside one account and currency and never uses more of a credit, or pays
more of a debit, than is open. An allocation whose other side was reversed counts for nothing (rule 11), so it uses
nothing either.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg import Connection

from cdp.ledger import entry_queries as queries
from cdp.ledger.money import AmountOutOfRange, is_exact
from cdp.ledger.refusals import Refusal
from cdp.ledger.stored import AllocatedEntry, StoredAllocation


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationRecord:
    """`amount` of the credit pays the debit, as from `allocated_on`; a negative amount takes that much back.

    `credit` and `debit` are the source's own keys of the entries.
    """

    source_id: UUID
    external_id: str
    credit: str
    debit: str
    amount: Decimal
    allocated_on: date

    @property
    def key(self) -> tuple[UUID, str]:
        """The source's own key of the allocation."""
        return self.source_id, self.external_id


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeRecord:
    """The customer disputes an entry from `opened_on` until `closed_on` (None: still). `entry` is the source's own
    key.
    """

    source_id: UUID
    external_id: str
    entry: str
    reason: str | None = None
    opened_on: date
    closed_on: date | None = None


def record_allocations(connection: Connection[Any], allocations: Sequence[AllocationRecord]) -> list[Refusal]:
    """Append a batch of allocations; return what was refused, in order. The caller holds the customers' lock and
    commits.
    """
    if not allocations:
        return []
    named = {(one.source_id, name) for one in allocations for name in (one.credit, one.debit)}
    entries = queries.allocated_entries(connection, named)  # locks them: two allocations of one invoice take turns
    stored = queries.find_allocations(connection, [one.key for one in allocations])
    accepted, refusals = judge_allocations(allocations, entries, stored)
    queries.append_allocations(connection, accepted)
    return refusals


def judge_allocations(
    allocations: Iterable[AllocationRecord],
    entries: Mapping[tuple[UUID, str], AllocatedEntry],
    stored: Mapping[tuple[UUID, str], StoredAllocation],
) -> tuple[list[dict[str, Any]], list[Refusal]]:
    """Rows to append, and refusals; `used` is carried forward from one allocation to the next."""
    known = dict(stored)
    used = {entry.entry_id: entry.used for entry in entries.values()}
    accepted: list[dict[str, Any]] = []
    refusals: list[Refusal] = []
    for index, one in enumerate(allocations):
        credit, debit = entries.get((one.source_id, one.credit)), entries.get((one.source_id, one.debit))
        fault = _fault(one, credit, debit, known.get(one.key), used)
        if fault is not None:
            refusals.append(Refusal(index=index, field=fault[0], code=fault[1], message=fault[2]))
            continue
        if one.key in known or credit is None or debit is None:
            continue
        if not debit.is_reversed:
            used[credit.entry_id] += one.amount
        if not credit.is_reversed:
            used[debit.entry_id] += one.amount
        known[one.key] = StoredAllocation(
            credit_entry_id=credit.entry_id,
            debit_entry_id=debit.entry_id,
            amount=one.amount,
            allocated_on=one.allocated_on,
        )
        accepted.append(
            {
                "source_id": one.source_id,
                "external_id": one.external_id,
                "customer_id": debit.customer_id,
                "account_id": debit.account_id,
                "credit_entry_id": credit.entry_id,
                "debit_entry_id": debit.entry_id,
                "amount": one.amount,
                "allocated_on": one.allocated_on,
                "effective_on": max(credit.posted_on, debit.posted_on, one.allocated_on),
            }
        )
    return accepted, refusals


def record_disputes(connection: Connection[Any], disputes: Sequence[DisputeRecord]) -> list[Refusal]:
    """Open disputes, or close known ones; return what was refused. A dispute never changes an amount (statement rule
    15).
    """
    if not disputes:
        return []
    entries = queries.allocated_entries(connection, {(one.source_id, one.entry) for one in disputes})
    rows, refusals = [], []
    for index, one in enumerate(disputes):
        entry = entries.get((one.source_id, one.entry))
        if entry is None:
            message = f"There is no entry {one.entry}."
            refusals.append(Refusal(index=index, field="entry", code="unknown_entry", message=message))
        elif one.closed_on is not None and one.closed_on < one.opened_on:
            message = f"Closed on {one.closed_on}, before it was opened."
            refusals.append(Refusal(index=index, field="closed_on", code="out_of_range", message=message))
        else:
            rows.append((one, entry))
    queries.put_disputes(connection, rows)
    return refusals


def _fault(
    one: AllocationRecord,
    credit: AllocatedEntry | None,
    debit: AllocatedEntry | None,
    held: StoredAllocation | None,
    used: Mapping[UUID, Decimal],
) -> tuple[str, str, str] | None:
    if credit is None:
        return "credit", "unknown_entry", f"There is no entry {one.credit}."
    if debit is None:
        return "debit", "unknown_entry", f"There is no entry {one.debit}."
    if held is not None:
        said = (credit.entry_id, debit.entry_id, one.amount, one.allocated_on)
        if said == (held.credit_entry_id, held.debit_entry_id, held.amount, held.allocated_on):
            return None
        message = f"Allocation {one.external_id} is in the ledger with other content; take it back by a negative one."
        return "external_id", "conflict", message
    return _fault_of_sides(one, credit, debit) or _fault_of_amount(one, credit, debit, used)


def _fault_of_sides(
    one: AllocationRecord, credit: AllocatedEntry, debit: AllocatedEntry
) -> tuple[str, str, str] | None:
    if credit.amount >= 0:
        return "credit", "not_a_credit", f"Entry {one.credit} is a debit; only a credit can pay."
    if debit.amount < 0:
        return "debit", "not_a_debit", f"Entry {one.debit} is a credit; only a debit can be paid."
    for field, entry in (("credit", credit), ("debit", debit)):
        if entry.is_reversal:
            return field, "is_reversal", "A reversal cancels its entry; it can't be allocated."
    if (credit.account_id, credit.currency) != (debit.account_id, debit.currency):
        return "debit", "other_account", "Credit and debit must be in the same account and currency."
    return None


def _fault_of_amount(
    one: AllocationRecord, credit: AllocatedEntry, debit: AllocatedEntry, used: Mapping[UUID, Decimal]
) -> tuple[str, str, str] | None:
    try:
        exact = is_exact(one.amount, debit.currency)
    except AmountOutOfRange as error:
        return "amount", "out_of_range", error.message
    if not exact or one.amount == 0:
        return "amount", "too_precise", f"{one.amount} is no amount of {debit.currency} that could be allocated."
    for entry, other in ((credit, debit), (debit, credit)):
        open_amount = abs(entry.amount) - used[entry.entry_id]
        if not other.is_reversed and one.amount > open_amount:
            name = one.credit if entry is credit else one.debit
            return "amount", "exceeds_open", f"{one.amount} is more than the {open_amount} open on entry {name}."
        if not other.is_reversed and used[entry.entry_id] + one.amount < 0:
            return "amount", "exceeds_allocated", f"{-one.amount} is more than was allocated."
    return None
