"""Accounts in the contract: balance, credit, manager, ledger and statements."""

import enum
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from cdp.access.tables import staff
from cdp.access.viewer import Scope
from cdp.graph.declaration import by, one, page, scalar
from cdp.graph.summary import summary
from cdp.ledger.tables import account, ledger_entry
from cdp.resolvers import account as resolvers
from cdp.resolvers import administration as administration_resolvers
from cdp.resolvers import announcement as announcement_resolvers
from cdp.resolvers import case as case_resolvers
from cdp.resolvers import issued as issued_resolvers
from cdp.resolvers import ledger as ledger_resolvers
from cdp.resolvers import order as order_resolvers
from cdp.schema.base import Connection, Currency, Money, Node, graph, node_id
from cdp.schema.statement import EntryKind, Statement, statement_of_account

if TYPE_CHECKING:
    from cdp.schema.administration import AccountInvite, AccountPerson
    from cdp.schema.announcement import Announcement
    from cdp.schema.case import Case
    from cdp.schema.customer import Customer
    from cdp.schema.issued_statement import IssuedStatement
    from cdp.schema.order import Order, OrderSummary

LazyCustomer = Annotated["Customer", strawberry.lazy("cdp.schema.customer")]
LazyOrder = Annotated["Order", strawberry.lazy("cdp.schema.order")]

_IN_CURRENCY = {
    "currency": (Currency | None, strawberry.UNSET, "The account's own currency unless said otherwise."),
    "asOf": (date | None, strawberry.UNSET, "At the end of this day; today unless said otherwise."),
}


@strawberry.enum(description="How an account is treated.")
class AccountTier(enum.Enum):
    """Standard or key account."""

    STANDARD = strawberry.enum_value("standard", description="Like any other.")
    KEY = strawberry.enum_value("key", description="A key account, with an account manager and the extranet.")


@graph.type(
    scope=Scope.GRAPH_READ, member=Scope.GRAPH_READ, table=staff, key=("staff_id",), visible=resolvers.is_manager
)
class Staff:
    """A person of the company, such as an account manager."""

    name: str = scalar("name", "Name.", filters=True)
    email: str = scalar("email", "E-mail address.", filters=True)
    phone: str | None = scalar("phone", "Phone number.")
    title: str | None = scalar("title", "Position.")
    away_from: date | None = scalar(
        resolvers.away_from, "First day of an absence that isn't over; null: none is known."
    )
    away_to: date | None = scalar(resolvers.away_to, "Last day of it.")
    deputy: "Staff | None" = one(resolvers.deputy, "Who stands in while they are away.")


@graph.type(
    scope=Scope.GRAPH_PII,
    member=Scope.GRAPH_READ,
    key=("person_customer_id",),
    order=(by("name"),),
    visible=resolvers.visible,
)
class AccountContact:
    """Somebody of the client's whom the company knows, as the client's own people are told: no more than name and role, since
    what else is known of a person may be private. Default order: name.
    """

    name: str = scalar("name", "Name.", filters=True, orders=True)
    role: str | None = scalar("role", "Position or role, as told.", filters=True)


@strawberry.enum(
    description="How far a ledger entry is settled: a debit by credits set against it, a credit by what it pays."
)
class Settlement(enum.Enum):
    """How far an entry is settled."""

    OPEN = strawberry.enum_value("open", description="Nothing was set against it.")
    PARTLY_SETTLED = strawberry.enum_value("partly_settled", description="Something was, and something is left.")
    SETTLED = strawberry.enum_value("settled", description="Nothing is left.")
    CANCELLED = strawberry.enum_value("cancelled", description="It was reversed, or it reverses another.")


@graph.type(
    scope=Scope.LEDGER_READ,
    member=Scope.LEDGER_READ,
    key=("allocation_id",),
    visible=resolvers.visible,
)
class Allocation:
    """A credit set against a debit, of which it settles a part."""

    amount: Money = one(ledger_resolvers.allocated, "Amount, positive; negative takes an allocation back.")
    allocated_on: date = scalar("allocated_on", "When it was decided.")
    effective_on: date = scalar("effective_on", "Since when it counts: not before either side was posted.")
    credit: Annotated["LedgerEntry", strawberry.lazy("cdp.schema.account")] = one(
        ledger_resolvers.credit_of, "The payment, credit note or other credit."
    )
    debit: Annotated["LedgerEntry", strawberry.lazy("cdp.schema.account")] = one(
        ledger_resolvers.debit_of, "The invoice or other debit."
    )


@graph.type(
    scope=Scope.LEDGER_READ,
    member=Scope.LEDGER_READ,
    table=ledger_entry,
    key=("entry_id",),
    order=(by("posted_on", descending=True),),
    prefix="ent",
    visible=resolvers.visible,
)
class LedgerEntry(Node):
    """One posting on an account's ledger; debit positive, credit negative. Default order: latest posted first."""

    id: strawberry.ID = node_id("ent", "entry_id")
    kind: EntryKind = scalar("kind", "What it is.", filters=True)
    document_number: str = scalar("document_number", "Number of the document.", filters=True)
    posted_on: date = scalar("posted_on", "Posting date.", filters=True, orders=True)
    due_on: date | None = scalar("due_on", "Due date.", filters=True, orders=True, nullable=True)
    amount: Money = one(order_resolvers.amount, "Signed amount.", sums="amount")
    purchase_order: str | None = scalar("purchase_order", "The client's own reference.", filters=True)
    description: str | None = scalar("description", "What it is for.")
    settlement: Settlement = scalar(ledger_resolvers.settlement, "How far it is settled today.", filters=True)
    open_amount: Money = one(ledger_resolvers.open_amount, "What is left of it today, signed; zero when cancelled.")
    overdue: bool = scalar(
        ledger_resolvers.overdue, "Whether something is left of it that was due before today.", filters=True
    )
    days_late: int = scalar(ledger_resolvers.days_late, "Days past due today; 0 when not overdue.")
    disputed: bool = scalar(ledger_resolvers.disputed, "Whether a dispute is open today.", filters=True)
    order: LazyOrder | None = one(order_resolvers.order_of, "The order it is for.")
    allocations: Connection[Allocation] = page(
        ledger_resolvers.allocations, "What was set against it, or what it was set against, first effective first."
    )
    recorded_at: datetime = scalar("recorded_at", "When it reached the ledger.", member=None)
    account: Annotated["Account", strawberry.lazy("cdp.schema.account")] = one(
        order_resolvers.account_of, "The account."
    )


@graph.type(
    scope=Scope.GRAPH_READ,
    member=Scope.GRAPH_READ,
    table=account,
    key=("account_id",),
    order=(by("number"),),
    prefix="acc",
    visible=resolvers.visible,
    by_id=resolvers.by_id,
)
class Account(Node):
    """A commercial account, held by exactly one customer. Default order: number."""

    id: strawberry.ID = node_id("acc", "account_id")
    number: str = scalar("number", "Customer number, unique in the company.", filters=True, orders=True)
    name: str = scalar("name", "Name of the account.", filters=True, orders=True)
    tier: AccountTier = scalar("tier", "How it is treated; KEY makes it a key account.", filters=True)
    currency: Currency = scalar("currency", "Its own currency.", filters=True)
    currencies: list[Currency] = scalar(
        resolvers.currencies,
        "Currencies with entries, its own first.",
        scope=Scope.LEDGER_READ,
        member=Scope.LEDGER_READ,
    )
    legal_name: str | None = scalar("legal_name", "Legal name of the holder.", filters=True)
    tax_id: str | None = scalar("tax_id", "Tax or VAT number.", filters=True)
    opened_on: date | None = scalar("opened_on", "Opened on.")
    billing_address: str | None = scalar("billing_address", "Where invoices go, as on an envelope, line by line.")
    delivery_address: str | None = scalar(
        "delivery_address", "Where goods go unless an order says otherwise; likewise."
    )
    bank_name: str | None = scalar(
        "bank_name", "The bank it is known by.", scope=Scope.LEDGER_READ, member=Scope.LEDGER_READ
    )
    bank_account_ending: str | None = scalar(
        "bank_account_ending",
        "Last four characters of the account with that bank; no more is kept.",
        scope=Scope.LEDGER_READ,
        member=Scope.LEDGER_READ,
    )
    payment_terms_days: int | None = scalar("payment_terms_days", "Days until an invoice is due.")
    credit_limit: Money | None = one(
        resolvers.credit_limit, "Agreed credit.", scope=Scope.LEDGER_READ, member=Scope.LEDGER_READ
    )
    available_credit: Money | None = one(
        resolvers.available_credit,
        "Agreed credit less the balance, in the account's own currency, never below zero; null without a limit.",
        scope=Scope.LEDGER_READ,
        member=Scope.LEDGER_READ,
        inputs={"asOf": _IN_CURRENCY["asOf"]},
    )
    balance: Money = one(
        resolvers.balance,
        "What is owed; negative when in credit.",
        scope=Scope.LEDGER_READ,
        member=Scope.LEDGER_READ,
        inputs=_IN_CURRENCY,
    )
    overdue: Money = one(
        resolvers.overdue,
        "Open amount of what was due before that day.",
        scope=Scope.LEDGER_READ,
        member=Scope.LEDGER_READ,
        inputs=_IN_CURRENCY,
    )
    open_order_count: int = scalar(resolvers.open_orders, "Orders neither delivered nor ended.")
    holder: LazyCustomer = one(resolvers.holder, "The customer who holds it.", filters=True)
    manager: Staff | None = one(resolvers.manager, "The account manager.")
    contacts: Connection[AccountContact] = page(
        resolvers.contacts,
        "People of the holder whom the company knows, by name.",
        scope=Scope.GRAPH_PII,
        member=Scope.GRAPH_READ,
    )
    orders: Connection[LazyOrder] = page(resolvers.orders, "Its orders, latest first.", filters=True)
    locations: list[str] = scalar(resolvers.locations, "Sites its orders name, by name; the first hundred.")
    orders_summary: Annotated["OrderSummary", strawberry.lazy("cdp.schema.order")] = one(
        summary(resolvers.orders, "Order", time="placed_at"), "Its orders summed up.", filter_of="Order"
    )
    ledger: Connection[LedgerEntry] = page(
        resolvers.entries,
        "Its ledger, latest posted first.",
        scope=Scope.LEDGER_READ,
        member=Scope.LEDGER_READ,
        filters=True,
    )
    invoices: Connection[LedgerEntry] = page(
        resolvers.invoices,
        "Its invoices, latest first.",
        scope=Scope.LEDGER_READ,
        member=Scope.LEDGER_READ,
        filters=True,
    )
    statement: Statement = statement_of_account()
    issued_statements: Connection[Annotated["IssuedStatement", strawberry.lazy("cdp.schema.issued_statement")]] = page(
        issued_resolvers.of_account,
        "Statements issued, latest first.",
        scope=Scope.LEDGER_READ,
        member=Scope.LEDGER_READ,
    )
    announcements: Connection[Annotated["Announcement", strawberry.lazy("cdp.schema.announcement")]] = page(
        announcement_resolvers.of_account,
        "What it is told now, latest first; to a member without what they put away.",
    )
    people: Connection[Annotated["AccountPerson", strawberry.lazy("cdp.schema.administration")]] = page(
        administration_resolvers.people_of_account,
        "Who may sign in for it, by name: for administrators, and for its client admins.",
        scope=Scope.ADMIN,
        member=Scope.GRAPH_READ,
    )
    open_invites: Connection[Annotated["AccountInvite", strawberry.lazy("cdp.schema.administration")]] = page(
        administration_resolvers.open_invites_of_account,
        "Invitations that can still be accepted, latest first: for administrators, and for its client admins.",
        scope=Scope.ADMIN,
        member=Scope.GRAPH_READ,
    )
    cases: Connection[Annotated["Case", strawberry.lazy("cdp.schema.case")]] = page(
        case_resolvers.of_account,
        "What the client asked of us, latest written in first.",
        scope=Scope.GRAPH_PII,
        member=Scope.GRAPH_READ,
    )
