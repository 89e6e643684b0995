"""The statement of account in the contract. All amounts are exact, in one currency; rules in the statement's own document."""

import enum
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from cdp.access.viewer import Scope
from cdp.db.ids import typed_id
from cdp.graph.declaration import many, one, page, scalar
from cdp.resolvers import account as account_resolvers
from cdp.resolvers import order as order_resolvers
from cdp.resolvers import statement as resolvers
from cdp.schema.base import Connection, Currency, Money, graph

if TYPE_CHECKING:
    from cdp.schema.order import Order

LazyOrder = Annotated["Order", strawberry.lazy("cdp.schema.order")]
LEDGER = Scope.LEDGER_READ


@strawberry.enum(description="What a ledger entry is.")
class EntryKind(enum.Enum):
    """Kinds of ledger entries."""

    INVOICE = "invoice"
    DEBIT_NOTE = "debit_note"
    INTEREST = "interest"
    REFUND = "refund"
    PAYMENT = "payment"
    CREDIT_NOTE = "credit_note"
    WRITE_OFF = "write_off"
    DISCOUNT = "discount"


@strawberry.enum(description="BALANCE_FORWARD: activity of a period. OPEN_ITEM: what is owed as at one date.")
class StatementKind(enum.Enum):
    """Kinds of statements."""

    BALANCE_FORWARD = "balance_forward"
    OPEN_ITEM = "open_item"


@strawberry.enum(description="How late an open item is; due today is CURRENT.")
class AgeingBucketName(enum.Enum):
    """Ageing buckets, earliest first."""

    CURRENT = "current"
    DAYS_1_30 = "1-30"
    DAYS_31_60 = "31-60"
    DAYS_61_90 = "61-90"
    OVER_90 = "over-90"


@graph.type(scope=LEDGER, member=LEDGER, key=("entry_id",), visible=account_resolvers.visible)
class StatementLine:
    """One entry in a period, with the balance after it. Order: posting date, kind (what is owed first), document number, id."""

    id: strawberry.ID = scalar(lambda row: typed_id("ent", row.c.entry_id), "The ledger entry's id.")
    posted_on: date = scalar("posted_on", "Posting date.")
    kind: EntryKind = scalar("kind", "What it is.")
    document_number: str = scalar("document_number", "Number of the document.")
    description: str | None = scalar("description", "What it is for.")
    purchase_order: str | None = scalar("purchase_order", "The client's own reference.")
    due_on: date | None = scalar("due_on", "Due date.")
    debit: Money | None = one(resolvers.debit, "Amount of a debit, positive.")
    credit: Money | None = one(resolvers.credit, "Amount of a credit, positive.")
    balance: Money = one(resolvers.balance, "Balance after this line.")
    disputed: bool = scalar("disputed", "Whether a dispute is open at the end of the period.")
    order: LazyOrder | None = one(order_resolvers.order_of, "The order it is for.")


@graph.type(scope=LEDGER, member=LEDGER, key=("entry_id",), visible=account_resolvers.visible)
class OpenItem:
    """An entry that is not fully settled as at a date. Order: posting date, kind, document number, id."""

    id: strawberry.ID = scalar(lambda row: typed_id("ent", row.c.entry_id), "The ledger entry's id.")
    posted_on: date = scalar("posted_on", "Posting date.")
    kind: EntryKind = scalar("kind", "What it is.")
    document_number: str = scalar("document_number", "Number of the document.")
    description: str | None = scalar("description", "What it is for.")
    purchase_order: str | None = scalar("purchase_order", "The client's own reference.")
    due_on: date | None = scalar("due_on", "Due date.")
    original_amount: Money = one(resolvers.original_amount, "As posted.")
    open_amount: Money = one(resolvers.open_amount, "What is left of it.")
    days_late: int = scalar("days_late", "Days past due; 0 when not late.")
    bucket: AgeingBucketName = scalar("bucket", "How late, as ageing counts it.")
    disputed: bool = scalar("disputed", "Whether a dispute is open.")
    order: LazyOrder | None = one(order_resolvers.order_of, "The order it is for.")


@graph.type(scope=LEDGER, member=LEDGER, key=("position",))
class AgeingBucket:
    """Open amount of one bucket."""

    bucket: AgeingBucketName = scalar("bucket", "Which bucket.")
    amount: Money = one(resolvers.aged_amount, "Open amount; zero where there is none.")


@graph.type(scope=LEDGER, member=LEDGER)
class Statement:
    """A statement of account in one currency: opening + period = closing, and open items - unapplied credits = closing."""

    kind: StatementKind = scalar("kind", "Which kind.")
    from_: date | None = scalar("from_on", "First day; null on an open-item statement.", name="from")
    to: date = scalar("to_on", "Last day, also the date open items are as at.")
    currency: Currency = scalar("currency", "Currency of every amount.")
    opening: Money = one(resolvers.opening, "Balance at the end of the day before the first.")
    closing: Money = one(resolvers.closing, "Balance at the end of the last day.")
    total_debit: Money = one(resolvers.total_debit, "Sum of the period's debits, positive.")
    total_credit: Money = one(resolvers.total_credit, "Sum of the period's credits, positive.")
    lines: Connection[StatementLine] = page(resolvers.lines, "Activity of the period; empty on an open-item statement.")
    open_items: list[OpenItem] = many(resolvers.open_items, "What is owed as at the last day.", most=100)
    unapplied_credits: list[OpenItem] = many(
        resolvers.unapplied, "Payments and credit notes not used up, amounts negative.", most=100
    )
    ageing: list[AgeingBucket] = many(
        resolvers.ageing, "Open items by days late; always all five buckets, in order.", most=5
    )


def statement_of_account() -> Any:
    """The `statement` field of an account."""
    return one(
        resolvers.of_account,
        "Its statement of account.",
        scope=LEDGER,
        member=LEDGER,
        inputs={
            "kind": (StatementKind, strawberry.UNSET, "Which kind."),
            "from": (date | None, strawberry.UNSET, "First day; the beginning of the ledger unless given."),
            "to": (date, strawberry.UNSET, "Last day."),
            "currency": (Currency | None, strawberry.UNSET, "The account's own currency unless said otherwise."),
        },
    )
