"""Ledger entries: append-only, judged by a pure function against what is stored, then written in one statement.

An entry told again with the same content changes nothing; with other content it is refused, because a ledger is
corrected by a reversal and never by an edit (statement rule 1). A reversal is the exact opposite of one entry, in the
same account.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final, Literal, get_args
from uuid import UUID

from psycopg import Connection

from cdp.feed import append
from cdp.ledger import entry_queries as queries
from cdp.ledger.money import AmountOutOfRange, UnknownCurrency, is_exact
from cdp.ledger.refusals import Refusal
from cdp.ledger.stored import StoredEntry
from cdp.ledger.telling import entry_changes

EntryKind = Literal["invoice", "debit_note", "interest", "refund", "payment", "credit_note", "write_off", "discount"]

ENTRY_KINDS: Final[tuple[EntryKind, ...]] = get_args(EntryKind)
DEBITS: Final = frozenset({"invoice", "debit_note", "interest", "refund"})
"""Kinds that the customer owes: amounts positive. The others are credits: amounts negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRecord:
    """What a source posts to an account. `amount` is signed (debit positive) and exact in `currency`.

    `reverses` is the source's own key of the entry that this one takes back.
    """

    source_id: UUID
    external_id: str
    customer_id: UUID
    account_id: UUID
    kind: EntryKind
    document_number: str
    currency: str
    amount: Decimal
    posted_on: date
    due_on: date | None = None
    reverses: str | None = None
    order_id: UUID | None = None
    purchase_order: str | None = None
    description: str | None = None

    @property
    def key(self) -> tuple[UUID, str]:
        """The source's own key of the entry."""
        return self.source_id, self.external_id


def record_entries(connection: Connection[Any], entries: Sequence[EntryRecord]) -> list[Refusal]:
    """Append a batch of entries; return what was refused, in order. The caller holds the customers' lock and commits.

    Entries may reverse entries of the same batch that stand before them.
    """
    if not entries:
        return []
    asked = {entry.key: entry.customer_id for entry in entries}
    named = {(entry.source_id, entry.reverses) for entry in entries if entry.reverses is not None}
    keys = queries.claim_entry_keys(connection, asked, named - asked.keys())
    stored = queries.entries_at(connection, keys)
    accepted, refusals = judge_entries(entries, stored, {key: home.record_id for key, home in keys.items()})
    queries.append_entries(connection, accepted)
    append(connection, entry_changes(accepted))
    settled = stored.keys() | {(row["source_id"], row["external_id"]) for row in accepted}
    queries.release_entry_keys(connection, [key for key in asked if key not in settled])
    return refusals


def judge_entries(
    entries: Iterable[EntryRecord],
    stored: Mapping[tuple[UUID, str], StoredEntry],
    ids: Mapping[tuple[UUID, str], UUID],
) -> tuple[list[dict[str, Any]], list[Refusal]]:
    """Rows to append, and refusals. `stored` holds what is known of the entries named; `ids` the id each would get."""
    known = dict(stored)
    reversed_now = {one.entry_id for one in stored.values() if one.reversed_by is not None}
    accepted: list[dict[str, Any]] = []
    refusals: list[Refusal] = []
    for index, entry in enumerate(entries):
        original = None if entry.reverses is None else known.get((entry.source_id, entry.reverses))
        held = known.get(entry.key)
        if held is not None:
            if not _says_the_same(entry, held, original):
                refusals.append(_refusal(index, "external_id", "conflict", _CONFLICT.format(entry.external_id)))
            continue
        fault = _fault(entry) or _fault_of_reversal(entry, original, reversed_now)
        if fault is not None:
            refusals.append(_refusal(index, *fault))
            continue
        if original is not None:
            reversed_now.add(original.entry_id)
        entry_id = ids[entry.key]
        known[entry.key] = _as_stored(entry, entry_id, original)
        accepted.append(
            {
                "source_id": entry.source_id,
                "external_id": entry.external_id,
                "entry_id": entry_id,
                "reverses_entry_id": None if original is None else original.entry_id,
                **{name: getattr(entry, name) for name in _TOLD},
            }
        )
    return accepted, refusals


_TOLD: Final = (
    "customer_id",
    "account_id",
    "kind",
    "document_number",
    "currency",
    "amount",
    "posted_on",
    "due_on",
    "order_id",
    "purchase_order",
    "description",
)
_CONFLICT: Final = (
    "Entry {} is in the ledger with other content; the ledger is corrected by a reversal, not by an edit."
)


def _fault(entry: EntryRecord) -> tuple[str, str, str] | None:
    try:
        exact = is_exact(entry.amount, entry.currency)
    except UnknownCurrency as error:
        return "currency", "unknown_currency", error.message
    except AmountOutOfRange as error:
        return "amount", "out_of_range", error.message
    if not exact:
        return "amount", "too_precise", f"{entry.amount} has more decimals than {entry.currency} has."
    if entry.reverses is None and (entry.kind in DEBITS) != (entry.amount >= 0):
        side, sign = ("debit", "positive") if entry.kind in DEBITS else ("credit", "negative")
        return "amount", "wrong_sign", f"{entry.kind} is a {side}: its amount must be {sign}, not {entry.amount}."
    return None


def _fault_of_reversal(
    entry: EntryRecord, original: StoredEntry | None, reversed_now: set[UUID]
) -> tuple[str, str, str] | None:
    if entry.reverses is None:
        return None
    if original is None:
        return "reverses", "unknown_entry", f"There is no entry {entry.reverses} to reverse."
    if original.reverses_entry_id is not None:
        return "reverses", "is_reversal", f"Entry {entry.reverses} is itself a reversal; post a new entry instead."
    if original.entry_id in reversed_now:
        return "reverses", "already_reversed", f"Entry {entry.reverses} is already reversed."
    if (original.account_id, original.currency, original.kind) != (entry.account_id, entry.currency, entry.kind):
        return "reverses", "reversal_differs", "A reversal has the account, currency and kind of what it reverses."
    if original.amount != -entry.amount:
        return "amount", "reversal_differs", f"A reversal of {original.amount} must be {-original.amount}."
    return None


def _says_the_same(entry: EntryRecord, held: StoredEntry, original: StoredEntry | None) -> bool:
    reverses = None if original is None else original.entry_id
    if (entry.reverses is None) != (held.reverses_entry_id is None) or reverses != held.reverses_entry_id:
        return False
    # The holder may have changed by a merge since; the account says where the entry is.
    return all(getattr(entry, name) == getattr(held, name) for name in _TOLD if name != "customer_id")


def _as_stored(entry: EntryRecord, entry_id: UUID, original: StoredEntry | None) -> StoredEntry:
    return StoredEntry(
        entry_id=entry_id,
        reverses_entry_id=None if original is None else original.entry_id,
        reversed_by=None,
        **{name: getattr(entry, name) for name in _TOLD},
    )


def _refusal(index: int, field: str, code: str, message: str) -> Refusal:
    return Refusal(index=index, field=field, code=code, message=message)
