"""Accounts: who holds and manages them, what they owe, and their statements."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Date, Text, Uuid, and_, any_, case, func, or_, select
from sqlalchemy.dialects.postgresql import distinct_on

from cdp.access.tables import staff
from cdp.db.ids import read_id
from cdp.graph.compiler import Arguments, MemberParameters
from cdp.graph.declaration import Inline, Row, Rows
from cdp.graph.sites import viewer_sites
from cdp.graph.today import today
from cdp.identify.tables import affiliation, customer
from cdp.ledger import statement as statements
from cdp.ledger.money import is_currency
from cdp.ledger.tables import account, ledger_entry, sales_order
from cdp.resolvers.money import money, rounded, total

MOST_LOCATIONS: Final = 100


def visible(row: Row, me: MemberParameters) -> ColumnElement[bool]:
    """A member sees what belongs to the account they are signed in to; serves every table with an account_id."""
    seen: ColumnElement[bool] = row.c.account_id == me.account_id
    return seen


def at_own_site(order: Row) -> ColumnElement[bool]:
    """An order is for a site that whoever asks sees: any or none, unless they are limited to some sites."""
    return or_(viewer_sites().is_(None), order.c.location == any_(viewer_sites()))


def visible_at_site(order: Row, me: MemberParameters) -> ColumnElement[bool]:
    """A member sees the orders of their account, of the sites they are limited to where they are."""
    return and_(visible(order, me), at_own_site(order))


def visible_with_order(row: Row, me: MemberParameters) -> ColumnElement[bool]:
    """What belongs to an order is seen by those who see the order."""
    return and_(visible(row, me), or_(viewer_sites().is_(None), order_is_visible(row, me)))


def order_is_visible(row: Row, me: MemberParameters) -> ColumnElement[bool]:
    """Whether a member sees the order that a row names."""
    held = sales_order.alias()
    return (
        select(held.c.order_id)
        .where(held.c.customer_id == row.c.customer_id, held.c.order_id == row.c.order_id, visible_at_site(held, me))
        .exists()
    )


def is_manager(row: Row, me: MemberParameters) -> ColumnElement[bool]:
    """A member sees the manager of their account, and who stands in for them or will."""
    managed = select(account.c.manager_staff_id).where(account.c.account_id == me.account_id)
    away = staff.alias()
    deputies = select(away.c.deputy_staff_id).where(away.c.staff_id.in_(managed), away.c.away_to_on >= today())
    return or_(row.c.staff_id.in_(managed), and_(row.c.staff_id.in_(deputies), row.c.disabled_at.is_(None)))


def away_from(row: Row) -> ColumnElement[Any]:
    """First day of an absence that isn't over."""
    return case((row.c.away_to_on >= today(), row.c.away_from_on))


def away_to(row: Row) -> ColumnElement[Any]:
    """Last day of an absence that isn't over."""
    return case((row.c.away_to_on >= today(), row.c.away_to_on))


def deputy(row: Row, _arguments: Arguments) -> Rows:
    """Who stands in during an absence that isn't over, while they are with the company."""
    found = staff.alias()
    is_going_on = and_(row.c.away_to_on >= today(), found.c.disabled_at.is_(None))
    return Rows(found, (found.c.staff_id == row.c.deputy_staff_id, is_going_on))


def contacts(row: Row, _arguments: Arguments) -> Rows:
    """People of the holder as the account's own people are told of them: name and role, each person once."""
    person = customer.alias()
    known = (
        select(
            row.c.account_id.label("account_id"),
            affiliation.c.person_customer_id.label("person_customer_id"),
            person.c.name.label("name"),
            affiliation.c.role.label("role"),
        )
        .ext(distinct_on(affiliation.c.person_customer_id))
        .join_from(affiliation, person, person.c.customer_id == affiliation.c.person_customer_id)
        .where(affiliation.c.customer_id == row.c.customer_id, person.c.name.is_not(None))
        .order_by(affiliation.c.person_customer_id, affiliation.c.role)
        .correlate(row)
        .subquery()
    )
    return Rows(known)


def by_id(_row: Row, arguments: Arguments) -> Rows:
    """The account of an id, or of a number where that is what was given."""
    found = account.alias()
    if "id" in arguments:
        return Rows(found, (found.c.account_id == arguments.bind("id", Uuid(), lambda text: read_id(text, "acc")),))
    return Rows(found, (found.c.number == arguments.bind("number", Text()),))


def of_member(_row: Row, arguments: Arguments) -> Rows:
    """The account a member is signed in to; no row for anyone else."""
    found = account.alias()
    return Rows(found, (found.c.account_id == arguments.compiler.me().account_id,))


def everyone(_row: Row, _arguments: Arguments) -> Rows:
    """All accounts."""
    return Rows(account.alias())


def holder(row: Row, _arguments: Arguments) -> Rows:
    """The customer who holds the account."""
    found = customer.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id,))


def manager(row: Row, _arguments: Arguments) -> Rows:
    """The account manager."""
    found = staff.alias()
    return Rows(found, (found.c.staff_id == row.c.manager_staff_id,))


def orders(row: Row, _arguments: Arguments) -> Rows:
    """Orders of the account."""
    found = sales_order.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.account_id == row.c.account_id))


def open_orders(row: Row) -> ColumnElement[Any]:
    """How many orders that whoever asks sees are neither delivered nor ended."""
    found = sales_order.alias()
    counted = select(func.count()).where(
        found.c.customer_id == row.c.customer_id,
        found.c.account_id == row.c.account_id,
        found.c.status.in_(("placed", "confirmed", "partly_shipped", "shipped")),
        at_own_site(found),
    )
    return counted.correlate(row).scalar_subquery()


def entries(row: Row, _arguments: Arguments) -> Rows:
    """Ledger entries of the account, all currencies."""
    found = ledger_entry.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.account_id == row.c.account_id))


def invoices(row: Row, _arguments: Arguments) -> Rows:
    """Invoices of the account."""
    found = ledger_entry.alias()
    mine = (found.c.customer_id == row.c.customer_id, found.c.account_id == row.c.account_id)
    return Rows(found, (*mine, found.c.kind == "invoice", found.c.reverses_entry_id.is_(None)))


def currencies(row: Row) -> ColumnElement[Any]:
    """The account's own currency first, then others it has entries in, as a JSON array."""
    found = ledger_entry.alias()
    others = (
        select(found.c.currency)
        .distinct()
        .where(
            found.c.customer_id == row.c.customer_id,
            found.c.account_id == row.c.account_id,
            or_(found.c.currency < row.c.currency, found.c.currency > row.c.currency),  # unlike <>, ranges of an index
        )
        .order_by(found.c.currency)
        .correlate(row)
        .scalar_subquery()
    )
    return func.to_json(func.array_prepend(row.c.currency, func.array(others)))


def locations(row: Row) -> ColumnElement[Any]:
    """Sites that orders of the account name, by name, as a JSON array; the first hundred of those that whoever asks sees."""
    found = sales_order.alias()
    named = (
        select(found.c.location)
        .distinct()
        .where(
            found.c.customer_id == row.c.customer_id,
            found.c.account_id == row.c.account_id,
            found.c.location.is_not(None),
            at_own_site(found),
        )
        .order_by(found.c.location)
        .limit(MOST_LOCATIONS)
        .correlate(row)
        .scalar_subquery()
    )
    return func.to_json(func.array(named))


def available_credit(row: Row, arguments: Arguments) -> Inline:
    """What is left of the agreed credit at the end of a date, in the account's currency; nothing when it is used up."""
    left = row.c.credit_limit - statements.balance(row, row.c.currency, as_of(arguments))
    return Inline(
        {"amount": rounded(func.greatest(left, 0), row.c.currency), "currency": row.c.currency},
        row.c.credit_limit.is_(None),
    )


def credit_limit(row: Row, _arguments: Arguments) -> Inline:
    """Agreed credit, in the account's currency."""
    return money(row.c.credit_limit, row.c.currency)


def balance(row: Row, arguments: Arguments) -> Inline:
    """What is owed at the end of a date, in one currency."""
    currency = _currency(row, arguments)
    return total(statements.balance(row, currency, as_of(arguments)), currency)


def overdue(row: Row, arguments: Arguments) -> Inline:
    """Open amount of what was due before a date, in one currency."""
    currency = _currency(row, arguments)
    return total(statements.overdue(row, currency, as_of(arguments)), currency)


def as_of(arguments: Arguments) -> ColumnElement[Any]:
    """The date asked for, or today."""
    return arguments.bind("asOf", Date()) if "asOf" in arguments else today()


def _currency(row: Row, arguments: Arguments) -> ColumnElement[Any]:
    if "currency" not in arguments:
        return row.c.currency  # type: ignore[no-any-return]
    return arguments.bind("currency", Text(), read_currency)


def read_currency(code: str) -> str:
    """The code, when it is one. Raises ValueError with a sentence."""
    if not is_currency(code):
        message = f"{code!r} is not an ISO 4217 currency code."
        raise ValueError(message)
    return code
