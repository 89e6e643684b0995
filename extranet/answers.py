"""What the stored operations answer, typed: one structure per selection in `queries/`, decoded strictly.

Amounts arrive as strings and become Decimal; dates and instants become date and datetime. Structures instead of dataclasses,
because msgspec maps `postedOn` to `posted_on` for them; frozen and keyword-only all the same.
"""

from datetime import date, datetime
from decimal import Decimal

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base: GraphQL's camelCase names are our snake_case ones."""


class Money(Answer, frozen=True, kw_only=True):
    """An exact amount in an ISO 4217 currency."""

    amount: Decimal
    currency: str


class EndOfPage(Answer, frozen=True, kw_only=True):
    """Where a page ends and whether more follows; `end_cursor` is None on an empty page."""

    has_next_page: bool
    end_cursor: str | None


class PageInfo(EndOfPage, frozen=True, kw_only=True):
    """Where a page begins, too, and whether anything comes before."""

    has_previous_page: bool
    start_cursor: str | None


class Person(Answer, frozen=True, kw_only=True):
    """Somebody by name only."""

    name: str | None


class Deputy(Answer, frozen=True, kw_only=True):
    """Who stands in for the account manager."""

    name: str
    email: str | None
    phone: str | None
    title: str | None


class Manager(Deputy, frozen=True, kw_only=True):
    """The account manager at the seller's; when they are away, as far as that isn't over, and who stands in."""

    away_from: date | None
    away_to: date | None
    deputy: Deputy | None


class OrderRow(Answer, frozen=True, kw_only=True):
    """An order in a list."""

    id: str
    number: str
    status: str
    placed_at: datetime
    promised_on: date | None
    late: bool
    purchase_order: str | None
    total: Money


class Orders(Answer, frozen=True, kw_only=True):
    """A page of orders."""

    total_count: int
    nodes: list[OrderRow]
    page_info: PageInfo


class ListedOrders(Answer, frozen=True, kw_only=True):
    """A page of the account's orders, and the sites that its orders name."""

    locations: list[str]
    orders: Orders


class OpenOrders(Answer, frozen=True, kw_only=True):
    """The latest open orders, and how many there are."""

    total_count: int
    nodes: list[OrderRow]


class Counted(Answer, frozen=True, kw_only=True):
    """A connection of which only the size was asked."""

    total_count: int


class Announcement(Answer, frozen=True, kw_only=True):
    """What the company tells the account; lines of `body` apart are paragraphs."""

    id: str
    title: str
    body: str
    published_at: datetime


class Announcements(Answer, frozen=True, kw_only=True):
    """The latest that the member has not put away."""

    nodes: list[Announcement]


class HomeAccount(Answer, frozen=True, kw_only=True):
    """The account on the home page; figures of the ledger are None for roles that do not see them."""

    number: str
    name: str
    tier: str
    currency: str
    announcements: Announcements
    manager: Manager | None
    open_orders: OpenOrders
    late_orders: Counted
    currencies: list[str] | None = None
    balance: Money | None = None
    overdue: Money | None = None
    credit_limit: Money | None = None
    available_credit: Money | None = None


class OrderRef(Answer, frozen=True, kw_only=True):
    """The order an entry is for."""

    id: str
    number: str


class StatementLine(Answer, frozen=True, kw_only=True):
    """A ledger entry in a balance-forward statement, with the balance after it."""

    id: str | None = None
    place: int | None = None
    posted_on: date
    kind: str
    document_number: str
    description: str | None
    purchase_order: str | None
    due_on: date | None
    debit: Money | None
    credit: Money | None
    balance: Money
    disputed: bool
    order: OrderRef | None


class MoreLines(Answer, frozen=True, kw_only=True):
    """A further page of lines, going forward only."""

    nodes: list[StatementLine]
    page_info: EndOfPage


class StatementLines(MoreLines, frozen=True, kw_only=True):
    """A page of lines, and how many there are."""

    total_count: int
    page_info: PageInfo


class OpenItem(Answer, frozen=True, kw_only=True):
    """A debit that is not yet settled as at the statement's date."""

    id: str | None = None
    place: int | None = None
    posted_on: date
    kind: str
    document_number: str
    description: str | None
    purchase_order: str | None
    due_on: date | None
    original_amount: Money
    open_amount: Money
    days_late: int
    bucket: str
    disputed: bool
    order: OrderRef | None


class UnappliedCredit(Answer, frozen=True, kw_only=True):
    """A credit not, or not wholly, set against a debit; its amounts are negative."""

    id: str | None = None
    posted_on: date
    kind: str
    document_number: str
    description: str | None
    original_amount: Money
    open_amount: Money


class OpenItems(Answer, frozen=True, kw_only=True):
    """A page of open items, and how many there are."""

    total_count: int
    nodes: list[OpenItem]
    page_info: PageInfo


class UnappliedCredits(Answer, frozen=True, kw_only=True):
    """A page of unapplied credits, and how many there are."""

    total_count: int
    nodes: list[UnappliedCredit]
    page_info: PageInfo


class AgeBucket(Answer, frozen=True, kw_only=True):
    """What is open in one range of days past due. Both ends are None in statements issued before their edges were kept."""

    bucket: str
    from_days: int | None = None
    to_days: int | None = None
    amount: Money


class FurtherStatement(Answer, frozen=True, kw_only=True):
    """Of a balance-forward statement: further lines, and its totals as they are now."""

    closing: Money
    total_debit: Money
    total_credit: Money
    lines: MoreLines


class Statement(Answer, frozen=True, kw_only=True):
    """A statement of either kind; `lines` and totals are asked for balance-forward, `open_items` or `owed` for open-item.

    Downloads ask for all of `open_items` and `unapplied_credits`, a page for a page of them: `owed` and `unapplied`. An issued
    statement's document has all of the lines as `activity`.
    """

    opening: Money
    closing: Money
    ageing: list[AgeBucket]
    total_debit: Money | None = None
    total_credit: Money | None = None
    lines: StatementLines | None = None
    activity: list[StatementLine] | None = None
    open_items: list[OpenItem] | None = None
    unapplied_credits: list[UnappliedCredit] = msgspec.field(default_factory=list)
    owed: OpenItems | None = None
    unapplied: UnappliedCredits | None = None


class StatementAccount(Answer, frozen=True, kw_only=True):
    """Whose statement it is."""

    number: str
    name: str
    legal_name: str | None
    tax_id: str | None
    payment_terms_days: int | None
    currency: str
    currencies: list[str]
    credit_limit: Money | None = None
    available_credit: Money | None = None
    statement: Statement


class IssuedRow(Answer, frozen=True, kw_only=True):
    """An issued statement in a list. `posted_since`: entries of its days that came to the ledger later."""

    id: str
    number: str
    kind: str
    from_: date | None = msgspec.field(name="from")
    to: date
    issued_at: datetime
    posted_since: int
    closing: Money


class IssuedStatements(Answer, frozen=True, kw_only=True):
    """A page of issued statements."""

    total_count: int
    nodes: list[IssuedRow]
    page_info: PageInfo


class KeptFile(Answer, frozen=True, kw_only=True):
    """A file of an issued statement; `content` in Base64."""

    format: str
    content: str


class IssuedStatement(IssuedRow, frozen=True, kw_only=True):
    """One issued statement. `document` is JSON, read as `StatementAccount`; it and `files` only where they were asked for."""

    sha256: str
    language: str
    opening: Money
    total_debit: Money
    total_credit: Money
    document: str | None = None
    files: list[KeptFile] = msgspec.field(default_factory=list)


class Issued(Answer, frozen=True, kw_only=True):
    """The id of a statement just issued."""

    id: str


class IssuePayload(Answer, frozen=True, kw_only=True):
    """What came of issuing."""

    statement: Issued


class FilesOf(Answer, frozen=True, kw_only=True):
    """The files kept of a statement."""

    files: list[KeptFile]


class KeepPayload(Answer, frozen=True, kw_only=True):
    """What came of keeping a file."""

    statement: FilesOf


class InvoiceRow(Answer, frozen=True, kw_only=True):
    """An invoice in a list, as it stands today."""

    id: str
    document_number: str
    purchase_order: str | None
    posted_on: date
    due_on: date | None
    settlement: str
    overdue: bool
    days_late: int
    disputed: bool
    amount: Money
    open_amount: Money


class Invoices(Answer, frozen=True, kw_only=True):
    """A page of invoices."""

    total_count: int
    nodes: list[InvoiceRow]
    page_info: PageInfo


class InvoicedLine(Answer, frozen=True, kw_only=True):
    """A line of the order that an invoice is for."""

    line_no: int
    name: str
    product: str | None
    quantity: Decimal
    unit_price: Money
    amount: Money


class InvoicedLines(Answer, frozen=True, kw_only=True):
    """The first lines of an order, and how many there are."""

    total_count: int
    nodes: list[InvoicedLine]


class InvoicedOrder(OrderRef, frozen=True, kw_only=True):
    """The order an invoice is for, with what was ordered."""

    placed_at: datetime
    lines: InvoicedLines


class Credit(Answer, frozen=True, kw_only=True):
    """What was set against an invoice: a payment, a credit note, a discount."""

    kind: str
    document_number: str
    description: str | None


class Allocation(Answer, frozen=True, kw_only=True):
    """A part of an invoice settled by a credit; a negative one takes that back."""

    effective_on: date
    amount: Money
    credit: Credit


class Allocations(Answer, frozen=True, kw_only=True):
    """A page of allocations, first effective first."""

    nodes: list[Allocation]
    page_info: PageInfo


class Invoice(InvoiceRow, frozen=True, kw_only=True):
    """An invoice in full."""

    description: str | None
    order: InvoicedOrder | None
    allocations: Allocations


class FoundInvoices(Answer, frozen=True, kw_only=True):
    """The invoice that was looked for, or nothing."""

    nodes: list[Invoice]


class InvoicedAccount(Answer, frozen=True, kw_only=True):
    """Whose invoice it is."""

    number: str
    name: str
    legal_name: str | None
    tax_id: str | None
    invoices: FoundInvoices
