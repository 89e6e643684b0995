"""The statement of account in the contract. All amounts are exact, in one currency; rules in the statement's own document."""

import enum
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from cdp.access.viewer import Scope
from cdp.db.ids import typed_id
from cdp.graph.declaration import many, one, page, scalar
from cdp.resolvers import account as account_resolvers
from cdp.resolvers import issued as issued_resolvers
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

    INVOICE = strawberry.enum_value("invoice", description="What was sold, owed by the client.")
    DEBIT_NOTE = strawberry.enum_value("debit_note", description="Owed on top of an invoice.")
    INTEREST = strawberry.enum_value("interest", description="Owed for paying late.")
    REFUND = strawberry.enum_value("refund", description="Paid back to the client, a debit.")
    PAYMENT = strawberry.enum_value("payment", description="Paid by the client, a credit.")
    CREDIT_NOTE = strawberry.enum_value("credit_note", description="Given back on an invoice, a credit.")
    WRITE_OFF = strawberry.enum_value("write_off", description="Given up as uncollectable, a credit.")
    DISCOUNT = strawberry.enum_value("discount", description="Allowed for paying early, a credit.")


@strawberry.enum(description="BALANCE_FORWARD: activity of a period. OPEN_ITEM: what is owed as at one date.")
class StatementKind(enum.Enum):
    """Kinds of statements."""

    BALANCE_FORWARD = strawberry.enum_value(
        "balance_forward",
        description="Opening balance, every entry of the period with the balance after it, closing balance.",
    )
    OPEN_ITEM = strawberry.enum_value("open_item", description="What is not settled as at one date, with ageing.")


@strawberry.enum(
    description="How late an open item is, one of five buckets; due today is CURRENT. The names are of the usual edges: "
    "with others each bucket keeps its name and its place, and fromDays and toDays say what is in it."
)
class AgeingBucketName(enum.Enum):
    """Ageing buckets, earliest first."""

    CURRENT = strawberry.enum_value("current", description="Not due yet, or due that very day.")
    DAYS_1_30 = strawberry.enum_value("1-30", description="1 to 30 days past due.")
    DAYS_31_60 = strawberry.enum_value("31-60", description="31 to 60 days past due.")
    DAYS_61_90 = strawberry.enum_value("61-90", description="61 to 90 days past due.")
    OVER_90 = strawberry.enum_value("over-90", description="More than 90 days past due.")


@strawberry.enum(description="From when days are counted.")
class AgeingBasis(enum.Enum):
    """Bases of ageing."""

    DUE_DATE = strawberry.enum_value("due_date", description="From the due date; without one, the document's.")
    DOCUMENT_DATE = strawberry.enum_value("document_date", description="From the document's date.")


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
    place: int = scalar("place", "Its place among the entries of the period, from 1.")
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
    place: int = scalar("place", "Its place among the items, or credits, of the statement, from 1.")
    order: LazyOrder | None = one(order_resolvers.order_of, "The order it is for.")


@graph.type(scope=LEDGER, member=LEDGER, key=("position",))
class AgeingBucket:
    """Open amount of one bucket."""

    bucket: AgeingBucketName = scalar("bucket", "Which bucket.")
    from_days: int | None = scalar("from_days", "Least days past due in it; null on the first.")
    to_days: int | None = scalar("to_days", "Most days past due in it; null on the last.")
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
    activity: list[StatementLine] = many(resolvers.lines, "The same as lines, all at once: for documents.", most=100)
    posted_count: int = scalar(issued_resolvers.posted, "Entries up to the last day, whenever they were posted.")
    open_items: list[OpenItem] = many(resolvers.open_items, "What is owed as at the last day.", most=100)
    unapplied_credits: list[OpenItem] = many(
        resolvers.unapplied, "Payments and credit notes not used up, amounts negative.", most=100
    )
    owed: Connection[OpenItem] = page(resolvers.open_items, "The same as openItems, a page at a time.")
    unapplied: Connection[OpenItem] = page(resolvers.unapplied, "The same as unappliedCredits, a page at a time.")
    ageing: list[AgeingBucket] = many(
        resolvers.ageing,
        "Open items by days late; always all five buckets, in order.",
        inputs={"by": (AgeingBasis | None, strawberry.UNSET, "Days past due, or days since the document's date.")},
        most=5,
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
            "from": (
                date | None,
                strawberry.UNSET,
                "First day, not after the last; the beginning of the ledger unless given.",
            ),
            "to": (date, strawberry.UNSET, "Last day."),
            "currency": (Currency | None, strawberry.UNSET, "The account's own currency unless said otherwise."),
            "ageingEdges": (
                list[int] | None,
                strawberry.UNSET,
                "Last days late of the second, third and fourth ageing bucket, rising; 30, 60 and 90 unless given.",
            ),
        },
    )
