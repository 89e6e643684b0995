"""Orders: lines, shipments, and the one timeline built from order, shipment and ledger facts."""

from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Date,
    DateTime,
    Numeric,
    Text,
    Uuid,
    and_,
    case,
    cast,
    exists,
    func,
    literal_column,
    null,
    select,
    union_all,
)

from cdp.db.ids import read_id
from cdp.graph.compiler import Arguments
from cdp.graph.declaration import Inline, Row, Rows, by
from cdp.graph.today import today
from cdp.identify.tables import customer
from cdp.ledger.tables import (
    account,
    allocation,
    ledger_entry,
    order_event,
    order_line,
    sales_order,
    shipment,
    shipment_line,
)
from cdp.resolvers.money import money

_ENDED: Final = ("delivered", "cancelled", "returned")
_NO_PROMISE: Final = (cast(null(), Date).label("promised_from"), cast(null(), Date).label("promised_on"))


def by_id(_row: Row, arguments: Arguments) -> Rows:
    """The order of an id; or the latest placed with a number, where two sources use the same one."""
    found = sales_order.alias()
    if "id" in arguments:
        return Rows(found, (found.c.order_id == arguments.bind("id", Uuid(), lambda text: read_id(text, "ord")),))
    latest = (
        select(found.c.order_id)
        .where(found.c.number == arguments.bind("number", Text()))
        .order_by(found.c.placed_at.desc(), found.c.order_id.desc())
        .limit(1)
    )
    chosen = sales_order.alias()
    return Rows(chosen, (chosen.c.order_id == latest.scalar_subquery(),))


def everyone(_row: Row, _arguments: Arguments) -> Rows:
    """All orders."""
    return Rows(sales_order.alias())


def account_of(row: Row, _arguments: Arguments) -> Rows:
    """The account an order or an entry belongs to."""
    found = account.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.account_id == row.c.account_id))


def customer_of(row: Row, _arguments: Arguments) -> Rows:
    """The holder of the order's account."""
    found = customer.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id,))


def contact_of(row: Row, _arguments: Arguments) -> Rows:
    """The person who placed it. Crosses customers: a second statement on a distributed database."""
    found = customer.alias()
    return Rows(found, (found.c.customer_id == row.c.contact_customer_id,))


def order_of(row: Row, _arguments: Arguments) -> Rows:
    """The order an entry, a line or a shipment is for."""
    found = sales_order.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.order_id == row.c.order_id))


def total(row: Row, _arguments: Arguments) -> Inline:
    """Order total."""
    return money(row.c.total, row.c.currency)


def refunded(row: Row, _arguments: Arguments) -> Inline:
    """Paid back so far."""
    return money(row.c.refunded, row.c.currency)


def is_late(row: Row) -> ColumnElement[Any]:
    """Promised for a day before today and neither delivered nor ended."""
    late = and_(row.c.promised_on < today(), row.c.status.not_in(_ENDED))
    return func.coalesce(late, literal_column("false"))


def lines(row: Row, _arguments: Arguments) -> Rows:
    """What was ordered."""
    found = order_line.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.order_id == row.c.order_id))


def line_count(row: Row) -> ColumnElement[Any]:
    """How many lines."""
    found = order_line.alias()
    counted = select(func.count()).where(found.c.customer_id == row.c.customer_id, found.c.order_id == row.c.order_id)
    return counted.correlate(row).scalar_subquery()


def unit_price(row: Row, _arguments: Arguments) -> Inline:
    """Price of one."""
    return money(row.c.unit_price, row.c.currency)


def amount(row: Row, _arguments: Arguments) -> Inline:
    """Amount of the row, in its currency; null where it has none."""
    return money(row.c.amount, row.c.currency)


def quantity_shipped(row: Row) -> ColumnElement[Any]:
    """How many of the line have left, in all shipments but lost and planned ones."""
    sent, parcel = shipment_line.alias(), shipment.alias()
    counted = (
        select(func.coalesce(func.sum(sent.c.quantity), 0))
        .join_from(
            sent, parcel, and_(parcel.c.customer_id == sent.c.customer_id, parcel.c.shipment_id == sent.c.shipment_id)
        )
        .where(
            sent.c.customer_id == row.c.customer_id,
            sent.c.order_id == row.c.order_id,
            sent.c.line_no == row.c.line_no,
            parcel.c.status.in_(("shipped", "delivered")),
        )
    )
    return counted.correlate(row).scalar_subquery()


def line_status(row: Row) -> ColumnElement[Any]:
    """cancelled, returned, shipped, partly_shipped or open, by quantities."""
    shipped = quantity_shipped(row)
    return case(
        (and_(row.c.quantity_cancelled >= row.c.quantity, row.c.quantity > 0), "cancelled"),
        (and_(row.c.quantity_returned >= row.c.quantity, row.c.quantity > 0), "returned"),
        (shipped >= row.c.quantity - row.c.quantity_cancelled, "shipped"),
        (shipped > 0, "partly_shipped"),
        else_="open",
    )


def postings(row: Row, _arguments: Arguments) -> Rows:
    """Ledger entries that name the order, earliest first."""
    found = ledger_entry.alias()
    return Rows(found, _of_order(found, row), (by("posted_on"),))


def shipments(row: Row, _arguments: Arguments) -> Rows:
    """Shipments, by number."""
    found = shipment.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.order_id == row.c.order_id))


def shipment_is_late(row: Row) -> ColumnElement[Any]:
    """Delivered after the promised day, or not yet delivered though the day is past."""
    arrived = func.coalesce(cast(row.c.delivered_at, Date), today())
    return func.coalesce(and_(row.c.promised_on < arrived, row.c.status != "returned"), literal_column("false"))


def shipment_lines(row: Row, _arguments: Arguments) -> Rows:
    """What a shipment holds, with the order line's name."""
    sent, ordered = shipment_line.alias(), order_line.alias()
    named = (
        select(sent, ordered.c.name.label("name"), ordered.c.product.label("product"))
        .join_from(
            sent,
            ordered,
            and_(
                ordered.c.customer_id == sent.c.customer_id,
                ordered.c.order_id == sent.c.order_id,
                ordered.c.line_no == sent.c.line_no,
            ),
        )
        .where(sent.c.customer_id == row.c.customer_id, sent.c.shipment_id == row.c.shipment_id)
        .correlate(row)
        .subquery()
    )
    return Rows(named)


def timeline(row: Row, _arguments: Arguments) -> Rows:
    """What happened to the order, oldest first: what the source told, what left and arrived, what was invoiced and paid.

    Facts of the ledger appear for those only who may read it. `paid`: the day the last invoice for the order was used up.
    """
    told, parcel, entry = order_event.alias(), shipment.alias(), ledger_entry.alias()
    mine = _of_order(told, row)
    events = select(
        told.c.customer_id,
        told.c.account_id,
        told.c.order_event_id.label("entry_key"),
        told.c.kind.label("kind"),
        told.c.occurred_at.label("occurred_at"),
        cast(null(), Date).label("occurred_on"),
        literal_column("1").label("rank"),
        told.c.note.label("note"),
        cast(null(), Text).label("shipment_number"),
        cast(null(), Text).label("document_number"),
        told.c.amount.label("amount"),
        told.c.currency.label("currency"),
        literal_column("false").label("late"),
        told.c.promised_from.label("promised_from"),
        told.c.promised_on.label("promised_on"),
    ).where(*mine)
    sent = _of_shipment(parcel, "shipped", parcel.c.shipped_at, 2).where(
        *_of_order(parcel, row), parcel.c.shipped_at.is_not(None)
    )
    arrived = _of_shipment(parcel, "delivered", parcel.c.delivered_at, 3).where(
        *_of_order(parcel, row), parcel.c.delivered_at.is_not(None)
    )
    posted = (
        _of_entry(
            entry,
            case((entry.c.kind == "invoice", "invoiced"), else_="credited"),
            entry.c.posted_on,
            4,
        )
        .where(*_of_order(entry, row), entry.c.kind.in_(("invoice", "credit_note")), entry.c.reverses_entry_id.is_(None))
    )  # fmt: skip
    every = union_all(*(part.correlate(row) for part in (events, sent, arrived, posted, _paid(row)))).subquery()
    # What is known by its day alone stands after that day's instants: an invoice follows the shipment it is for.
    stands_at = func.coalesce(cast(every.c.occurred_on + 1, DateTime(timezone=True)), every.c.occurred_at)
    placed = select(every, stands_at.label("stands_at")).correlate(row).subquery()
    return Rows(placed, (), (by("stands_at"), by("rank")))


def _paid(row: Row) -> Any:
    invoice, other, used = ledger_entry.alias(), ledger_entry.alias(), allocation.alias()
    paid_on = (
        select(func.max(used.c.effective_on))
        .where(used.c.customer_id == invoice.c.customer_id, used.c.debit_entry_id == invoice.c.entry_id)
        .having(func.sum(used.c.amount) >= invoice.c.amount)
        .correlate(invoice)
        .scalar_subquery()
    )
    later = exists().where(*_of_order(other, row), other.c.kind == "invoice", other.c.posted_on > invoice.c.posted_on)
    return _of_entry(invoice, cast("paid", Text), paid_on, 5).where(
        *_of_order(invoice, row), invoice.c.kind == "invoice", paid_on.is_not(None), ~later
    )


def _of_order(fact: Any, row: Row) -> tuple[ColumnElement[bool], ...]:
    return (fact.c.customer_id == row.c.customer_id, fact.c.order_id == row.c.order_id)


def _of_shipment(parcel: Any, kind: str, moment: ColumnElement[Any], rank: int) -> Any:
    late = func.coalesce(parcel.c.promised_on < cast(moment, Date), literal_column("false"))
    return select(
        parcel.c.customer_id,
        parcel.c.account_id,
        parcel.c.shipment_id.label("entry_key"),
        literal_column(f"'{kind}'", Text).label("kind"),
        moment.label("occurred_at"),
        cast(null(), Date).label("occurred_on"),
        literal_column(str(rank)).label("rank"),
        parcel.c.carrier.label("note"),
        parcel.c.number.label("shipment_number"),
        cast(null(), Text).label("document_number"),
        cast(null(), Numeric).label("amount"),
        cast(null(), Text).label("currency"),
        (late if kind == "delivered" else literal_column("false")).label("late"),
        *_NO_PROMISE,
    )


def _of_entry(entry: Any, kind: ColumnElement[Any], day: ColumnElement[Any], rank: int) -> Any:
    return select(
        entry.c.customer_id,
        entry.c.account_id,
        entry.c.entry_id.label("entry_key"),
        kind.label("kind"),
        cast(day, DateTime(timezone=True)).label("occurred_at"),
        day.label("occurred_on"),
        literal_column(str(rank)).label("rank"),
        cast(null(), Text).label("note"),
        cast(null(), Text).label("shipment_number"),
        entry.c.document_number.label("document_number"),
        cast(null(), Numeric).label("amount"),
        cast(null(), Text).label("currency"),
        literal_column("false").label("late"),
        *_NO_PROMISE,
    )
