"""What companies order and what is sent to them: orders in every status, late, split, cancelled in part.

Made backwards from `now`, so that a demo always has orders of this morning. What hasn't happened yet is left out: an
order of yesterday has no shipment.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal

from cdp.demo.catalogue import CARRIERS, PRODUCTS, TIME_ZONE, Product
from cdp.demo.people import MONTHS, Company, rng_of

DAYS: Final = round(MONTHS * 30.4)

PROMISE_MOVES: Final = timedelta(hours=36)
"""How long after it was placed a key account's order that is delayed gets another promised day."""

Fate = Literal["plain", "split", "late", "stuck", "line cancelled", "cancelled", "returned"]

LATELY: Final[tuple[tuple[float, Fate], ...]] = (
    (0, "plain"),
    (6.5, "split"),
    (13, "stuck"),
    (18, "line cancelled"),
    (22, "cancelled"),
    (27, "returned"),
)
"""What became of a key account's first order that is so many days old: so that each of them has every kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of an order; what was cancelled of it is not charged."""

    line_no: int
    product: Product
    quantity: int
    cancelled: int
    unit_price: Decimal

    @property
    def wanted(self) -> int:
        """What is to be sent."""
        return self.quantity - self.cancelled

    @property
    def amount(self) -> Decimal:
        """What it costs."""
        return self.unit_price * self.wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Consignment:
    """A part of an order that leaves together, with the instants known so far."""

    number: str
    lines: tuple[Line, ...]
    promised_on: date
    shipped_at: datetime | None
    delivered_at: datetime | None
    carrier: int
    tracking: int

    @property
    def amount(self) -> Decimal:
        """What the invoice for it says."""
        return sum((line.amount for line in self.lines), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeOrder:
    """An order of a company; `fate` is what became, or becomes, of it."""

    number: str
    company: Company
    contact: str
    currency: str
    placed_at: datetime
    confirmed_at: datetime | None
    cancelled_at: datetime | None
    promised_on: date
    purchase_order: str | None
    channel: str
    fate: Fate
    lines: tuple[Line, ...]
    consignments: tuple[Consignment, ...] = field(default=())

    @property
    def first_promise(self) -> date:
        """The day that was promised when it was placed; another was promised since where it is delayed."""
        is_delayed = self.company.is_key_account and self.fate in ("split", "late", "stuck")
        return self.promised_on - timedelta(days=2) if is_delayed else self.promised_on

    @property
    def site(self) -> str | None:
        """Which of the company's sites it is for: the first for half of them."""
        sites = self.company.sites
        return sites[max(0, int(self.number[-3:]) % 4 - 1)] if sites else None

    @property
    def returned_at(self) -> datetime | None:
        """When it came back whole; None where it did not."""
        delivered = [one.delivered_at for one in self.consignments if one.delivered_at]
        return max(delivered) + timedelta(days=6) if self.fate == "returned" and delivered else None


def orders_of(seed: int, company: Company, now: datetime) -> list[TradeOrder]:
    """A company's orders of the last `MONTHS` months, the latest first; numbers rise with time."""
    rng = rng_of(seed, "orders", company.key)
    ages = list(_ages(rng, company))
    lately = list(LATELY) if company.is_key_account else []
    orders = []
    for place, age_days in enumerate(ages):
        placed_at = (now - timedelta(days=age_days)).replace(second=0, microsecond=0)
        if age_days > 1:
            placed_at = _office_hours(placed_at, rng)
        fate = lately.pop(0)[1] if lately and age_days >= lately[0][0] else _fate(rng, company, place)
        number = f"SO-{company.number[2:]}{len(ages) - place:03d}"
        orders.append(_order(rng, company, place, number, fate=fate, placed_at=placed_at, now=now))
    return orders


def first_record(order: TradeOrder, now: datetime) -> dict[str, Any] | None:
    """The order as the ERP told it before it promised another day; None for one that it tells once."""
    if order.first_promise == order.promised_on or order.placed_at + PROMISE_MOVES > now:
        return None
    earlier = {"version": 1, "promised_on": order.first_promise.isoformat(), "updated_at": _iso(order.placed_at)}
    return {**order_record(order, now), **earlier}


def order_record(order: TradeOrder, now: datetime) -> dict[str, Any]:
    """The order as the ERP tells it to the import API; a version of its own, dated, where it was told before."""
    moved_at = order.placed_at + PROMISE_MOVES
    has_moved = order.first_promise != order.promised_on and moved_at <= now
    promised_on = order.promised_on if has_moved else order.first_promise
    record = {
        "external_id": order.number,
        "version": 2 if has_moved else 1,
        "updated_at": _iso(moved_at) if has_moved else None,
        "location": order.site,
        "account": order.company.number,
        "contact": order.contact,
        "channel": order.channel,
        "purchase_order": order.purchase_order,
        "placed_at": _iso(order.placed_at),
        "confirmed_at": _iso(order.confirmed_at),
        "cancelled_at": _iso(order.cancelled_at),
        "promised_on": promised_on.isoformat(),
        "currency": order.currency,
        "lines": [
            {
                "line_no": line.line_no,
                "product": line.product.sku,
                "name": line.product.name,
                "category": line.product.category,
                "quantity": str(line.quantity),
                "quantity_cancelled": str(line.cancelled),
                "quantity_returned": str(line.wanted if _is_back(order, now) else 0),
                "unit_price": str(line.unit_price),
                "amount": str(line.amount),
                "promised_on": promised_on.isoformat(),
            }
            for line in order.lines
        ],
    }
    if order.cancelled_at is not None:
        record["status"] = "cancelled"
    elif _is_back(order, now):
        record |= {"status": "returned", "updated_at": _iso(order.returned_at)}
    elif order.confirmed_at is not None:
        record["status"] = "confirmed"
    return {name: value for name, value in record.items() if value is not None}


def shipment_records(order: TradeOrder, now: datetime) -> Iterator[dict[str, Any]]:
    """The order's shipments as the ERP tells them; one not yet sent is planned."""
    for one in order.consignments:
        carrier, prefix, address = CARRIERS[one.carrier]
        tracking = f"{prefix}{one.tracking}"
        record = {
            "external_id": one.number,
            "version": 1,
            "order": order.number,
            "promised_on": one.promised_on.isoformat(),
            "shipped_at": _iso(one.shipped_at),
            "delivered_at": _iso(one.delivered_at),
            "lines": [{"line_no": line.line_no, "quantity": str(line.wanted)} for line in one.lines],
        }
        if one.shipped_at is not None:
            record |= {"carrier": carrier, "tracking_number": tracking, "tracking_url": f"{address}{tracking}"}
        if _is_back(order, now):
            record["status"] = "returned"
        yield {name: value for name, value in record.items() if value is not None}


def _ages(rng: random.Random, company: Company) -> Iterator[float]:
    """Days since each order, the latest first. Key accounts order twice a week, the others when they need
    something.
    """
    age = rng.uniform(0.05, 0.6) if company.is_key_account else rng.expovariate(1 / 20)
    while age < DAYS:
        yield age
        age += rng.uniform(2.5, 5.5) if company.is_key_account else 3 + rng.expovariate(1 / 34)


def _fate(rng: random.Random, company: Company, place: int) -> Fate:
    """What becomes of an order; most are sent in one piece and in time."""
    if company.is_key_account and place % 17 == 11:
        return "cancelled"
    fates: tuple[Fate, ...] = ("plain", "split", "late", "line cancelled", "returned")
    return rng.choices(fates, (70, 14, 9, 5, 2))[0]


def _order(
    rng: random.Random, company: Company, place: int, number: str, *, fate: Fate, placed_at: datetime, now: datetime
) -> TradeOrder:
    # Every fourth order of a key account is for its business in the other currency.
    currency = company.other_currency if company.is_key_account and place % 4 == 3 else company.currency
    count = rng.randint(2, 5) if company.is_key_account else rng.randint(1, 3)
    lines = []
    for line_no, product in enumerate(sorted(rng.sample(PRODUCTS, count), key=lambda one: one.sku), start=1):
        quantity = (
            rng.choice((2, 4, 5, 6, 10, 12, 20, 40)) if company.is_key_account else rng.choice((1, 2, 3, 4, 6, 10))
        )
        cancelled = quantity if fate == "line cancelled" and line_no == 1 and count > 1 else 0
        price = product.price(currency)
        lines.append(Line(line_no=line_no, product=product, quantity=quantity, cancelled=cancelled, unit_price=price))
    lead_days = rng.randint(3, 8)
    cancelled_at = _past(placed_at + timedelta(hours=rng.uniform(20, 60)), now) if fate == "cancelled" else None
    purchasing = company.contacts[min(1, len(company.contacts) - 1)]
    order = TradeOrder(
        number=number,
        company=company,
        contact=rng.choice((purchasing, *company.contacts)).key,
        currency=currency,
        placed_at=placed_at,
        confirmed_at=_past(placed_at + timedelta(hours=_hours_to_confirm(rng, company, place)), now),
        cancelled_at=cancelled_at,
        promised_on=(placed_at + timedelta(days=lead_days)).astimezone(TIME_ZONE).date(),
        purchase_order=f"PO {placed_at.year}-{rng.randint(1000, 9999)}" if rng.random() < 0.8 else None,
        channel=rng.choice(("edi", "email", "phone", "web"))
        if company.is_key_account
        else rng.choice(("email", "phone")),
        fate=fate,
        lines=tuple(lines),
    )
    if fate == "cancelled":
        return order
    return _with_consignments(rng, order, lead_days, now)


def _hours_to_confirm(rng: random.Random, company: Company, place: int) -> float:
    """Of the orders of today half are confirmed at once, the others have to wait."""
    if place == 0 and company.is_key_account:
        return 0.3 if int(company.number[2:]) % 2 else 30
    return rng.uniform(2, 22)


def _with_consignments(rng: random.Random, order: TradeOrder, lead_days: int, now: datetime) -> TradeOrder:
    wanted = tuple(line for line in order.lines if line.wanted)
    parts = (wanted[:1], wanted[1:]) if order.fate == "split" and len(wanted) > 1 else (wanted,)
    consignments = []
    for place, part in enumerate(parts):
        delay = {"late": rng.uniform(4, 10), "stuck": 3}.get(order.fate, 0.0)
        delay += rng.uniform(5, 12) * place
        shipped_at = order.placed_at + timedelta(days=lead_days - rng.uniform(1.2, 2.2) + delay)
        delivered_at = shipped_at + timedelta(days=rng.uniform(0.7, 1.2))
        promised_on = order.promised_on + timedelta(days=7 * place)
        consignments.append(
            Consignment(
                number=f"DN-{order.number[3:]}-{place + 1}",
                lines=part,
                promised_on=promised_on,
                shipped_at=_past(shipped_at, now),
                delivered_at=_past(delivered_at, now) if order.fate != "stuck" else None,
                carrier=rng.randrange(len(CARRIERS)),
                tracking=rng.randrange(10**8, 10**9),
            )
        )
    # A shipment is announced once its order is confirmed.
    known = tuple(consignments) if order.confirmed_at is not None else ()
    return replace(order, consignments=known)


def _is_back(order: TradeOrder, now: datetime) -> bool:
    return order.returned_at is not None and order.returned_at <= now


def _office_hours(at: datetime, rng: random.Random) -> datetime:
    """The day before, between eight and six in the seller's zone."""
    day = at.astimezone(TIME_ZONE) - timedelta(days=1)
    return day.replace(hour=rng.randint(8, 17), minute=rng.randrange(60))


def _past(at: datetime, now: datetime) -> datetime | None:
    return at if at <= now else None


def _iso(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None
