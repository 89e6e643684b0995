"""A ledger written as its own notation, and its statement read back as text, so that tests read like the paper.

2026-01-05 invoice INV-1 100.00 due 2026-02-04     an entry: debit positive, credit negative
2026-01-20 PAY-1 -> INV-1 60.00                    an allocation of that date
2026-02-02 reverse PAY-1 as PAY-1R                 a reversal: the exact opposite of an entry
2026-02-10 dispute INV-1 [until 2026-03-01]
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, partial
from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection
from psycopg.rows import dict_row
from sqlalchemy import ColumnElement, Date, FromClause, Select, Text, Uuid, bindparam, select, true
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from cdp.ledger import reckoning, statement
from cdp.ledger.allocations import AllocationRecord, DisputeRecord, record_allocations, record_disputes
from cdp.ledger.entries import EntryRecord, record_entries
from cdp.ledger.refusals import Refusal

SOURCE = UUID(int=1)

Builder = Callable[[FromClause], Select[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """An account of its own in the test's database. External ids get the account's id, so that ledgers don't meet."""

    connection: Connection[Any]
    customer_id: UUID
    account_id: UUID
    currency: str = "EUR"

    def post(self, text: str) -> list[Refusal]:
        """Record the lines in order, each a batch of its own; what was refused, indexes meaningless."""
        refusals = []
        for line in text.strip().splitlines():
            words = line.split()
            if words:
                refusals += self._post(words)
        return refusals

    def entry(self, external_id: str, words: Sequence[str], **changes: Any) -> EntryRecord:
        """The entry `words`: date, kind, number, amount, perhaps `due` and a date."""
        told: dict[str, Any] = {
            "source_id": SOURCE,
            "external_id": self.name(external_id),
            "customer_id": self.customer_id,
            "account_id": self.account_id,
            "kind": words[1],
            "document_number": words[2],
            "currency": self.currency,
            "amount": Decimal(words[3]),
            "posted_on": date.fromisoformat(words[0]),
            "due_on": date.fromisoformat(words[5]) if words[4:5] == ["due"] else None,
        }
        return EntryRecord(**(told | changes))

    def name(self, external_id: str) -> str:
        """The source's key of a record of this ledger."""
        return f"{self.account_id}/{external_id}"

    def read(self, builder: Builder, to_on: str, from_on: str | None = None) -> list[dict[str, Any]]:
        """Rows of a LATERAL statement builder."""
        return self._execute(rows_query(builder), from_on, to_on)

    def figures(self, to_on: str, from_on: str | None = None) -> dict[str, Decimal]:
        """Opening, closing, totals, balance and overdue amount."""
        return self._execute(figures_query(), from_on, to_on)[0]

    def lines(self, to_on: str, from_on: str | None = None) -> list[str]:
        """The balance-forward statement: date, number, signed amount, balance, perhaps `disputed`."""
        return [
            f"{line['posted_on']} {line['document_number']} {line['amount']} {line['balance']}"
            + " disputed" * line["disputed"]
            for line in self.read(statement.lines, to_on, from_on)
        ]

    def open_items(self, to_on: str) -> list[str]:
        """The open-item statement: number, original, open amount, days late, bucket, perhaps `disputed`."""
        return [
            " ".join(
                str(item[name]) for name in ("document_number", "original_amount", "open_amount", "days_late", "bucket")
            )
            + " disputed" * item["disputed"]
            for item in self.read(statement.open_items, to_on)
        ]

    def unapplied(self, to_on: str) -> list[str]:
        """Unapplied credits: number, original, open amount."""
        return [
            f"{item['document_number']} {item['original_amount']} {item['open_amount']}"
            for item in self.read(statement.unapplied, to_on)
        ]

    def ageing(self, to_on: str, *, by_document: bool = False) -> list[str]:
        """The five buckets."""
        found = self.read(partial(statement.ageing, by_document=by_document), to_on)
        return [f"{row['bucket']} {row['amount']}" for row in found]

    def _execute(self, query: str, from_on: str | None, to_on: str) -> list[dict[str, Any]]:
        wanted = {
            "wanted_customer_id": self.customer_id,
            "wanted_account_id": self.account_id,
            "wanted_currency": self.currency,
            "wanted_from_on": from_on and date.fromisoformat(from_on),
            "wanted_to_on": date.fromisoformat(to_on),
        }
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, wanted).fetchall()

    def _post(self, words: list[str]) -> list[Refusal]:
        on = date.fromisoformat(words[0])
        if words[2] == "->":
            allocation = AllocationRecord(
                source_id=SOURCE,
                external_id=self.name(" ".join(words)),
                credit=self.name(words[1]),
                debit=self.name(words[3]),
                amount=Decimal(words[4]),
                allocated_on=on,
            )
            return record_allocations(self.connection, [allocation])
        if words[1] == "dispute":
            dispute = DisputeRecord(
                source_id=SOURCE,
                external_id=self.name("dispute " + words[2]),
                entry=self.name(words[2]),
                opened_on=on,
                closed_on=date.fromisoformat(words[4]) if words[3:4] == ["until"] else None,
            )
            return record_disputes(self.connection, [dispute])
        if words[1] == "reverse":
            (original,) = self.connection.execute(
                "SELECT kind, amount FROM ledger_entry WHERE account_id = %s AND document_number = %s",
                [self.account_id, words[2]],
            ).fetchall()
            told = [words[0], original[0], words[4], str(-original[1])]
            return record_entries(self.connection, [self.entry(words[4], told, reverses=self.name(words[2]))])
        return record_entries(self.connection, [self.entry(words[2], words)])


@cache
def rows_query(builder: Builder) -> str:
    """SQL of a LATERAL builder for one account and period, compiled once."""
    row = wanted_row()
    part = builder(row).lateral("part")
    return text_of(select(part).select_from(row.join(part, true())))


@cache
def figures_query() -> str:
    """SQL of the scalar builders for one account and period."""
    row = wanted_row()
    return text_of(
        select(
            reckoning.opening(row).label("opening"),
            reckoning.closing(row).label("closing"),
            reckoning.total_debit(row).label("debit"),
            reckoning.total_credit(row).label("credit"),
            statement.balance(row, row.c.currency).label("balance"),
            statement.overdue(row, row.c.currency, row.c.to_on).label("overdue"),
        ).select_from(row)
    )


def wanted_row() -> FromClause:
    """The account and period as a FROM clause of one row, given as parameters."""
    types = {"customer_id": Uuid, "account_id": Uuid, "currency": Text, "from_on": Date, "to_on": Date}
    parameters: list[ColumnElement[Any]] = [
        bindparam(f"wanted_{name}", type_=kind).label(name) for name, kind in types.items()
    ]
    return reckoning.asked(select(*parameters).subquery("given")).subquery("row")


def text_of(query: Select[Any]) -> str:
    """A Core query as psycopg takes it; everything but the parameters of `wanted_row` is literal."""
    compiled = query.compile(dialect=PGDialect_psycopg())  # type: ignore[no-untyped-call]
    assert all(name.startswith("wanted_") for name in compiled.params)
    return compiled.string


def a_ledger(connection: Connection[Any], currency: str = "EUR") -> Ledger:
    """An empty ledger."""
    return Ledger(connection=connection, customer_id=uuid4(), account_id=uuid4(), currency=currency)
