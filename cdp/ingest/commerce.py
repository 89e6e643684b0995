"""Commerce: the e-commerce events of Segment's specification, version 2, that tell of an order. Pure.

Amounts are read as Decimal from the JSON text and rounded once, half-up, to the currency's exponent. What an event
says of an order is complete (`Order Completed`, `Order Updated`: lines and all) or just that something happened to
it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from cdp.errors import Invalid
from cdp.ledger.money import LARGEST_AMOUNT, exponent, money
from cdp.ledger.orders import OrderEventRecord, OrderLine, OrderRecord

EventKind = Literal["placed", "updated", "cancelled", "refunded"]

ORDER_EVENTS: Final[Mapping[str, EventKind]] = {
    "order completed": "placed",
    "order updated": "updated",
    "order cancelled": "cancelled",
    "order canceled": "cancelled",
    "order refunded": "refunded",
}
MOST_LINES: Final = 1_000
LONGEST_KEY_CHARACTERS: Final = 255


class CurrencyMissing(Invalid):
    """An order event needs `properties.currency`."""


class OrderIdMissing(Invalid):
    """An order event needs `properties.order_id`."""


class TotalMissing(Invalid):
    """A completed or updated order needs `properties.total`, or products with prices."""


class AmountUnreadable(Invalid):
    """An amount or quantity of the order is not a number."""


class TooManyLines(Invalid):
    """An order may have {limit} products."""

    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTold:
    """What an event says of an order, before it is known whose. `lines` is None where it says only what happened."""

    external_id: str
    number: str
    kind: EventKind
    at: datetime
    currency: str
    total: Decimal
    refunded: Decimal | None
    lines: tuple[OrderLine, ...] | None
    purchase_order: str | None
    promised_on: date | None
    account_number: str | None

    def record(
        self,
        *,
        source_id: UUID,
        message_id: str,
        customer_id: UUID,
        account_id: UUID,
        profile_id: UUID,
        contact_customer_id: UUID | None,
        channel: str,
        division: str | None,
        location: str | None,
    ) -> OrderRecord:
        """The record for the ledger. Its version is the event's time, so that the newest content stays whatever comes
        last.
        """
        # An order is placed once and cancelled once, whatever messages say so; it may be updated and refunded often.
        telling = self.kind if self.kind in {"placed", "cancelled"} else message_id
        return OrderRecord(
            source_id=source_id,
            external_id=self.external_id,
            version=int(self.at.timestamp() * 1_000_000),
            number=self.number,
            customer_id=customer_id,
            account_id=account_id,
            profile_id=profile_id,
            contact_customer_id=contact_customer_id,
            channel=channel,
            division=division,
            location=location,
            purchase_order=self.purchase_order,
            placed_at=self.at,
            promised_on=self.promised_on,
            told_at=self.at,
            currency=self.currency,
            total=self.total,
            lines=self.lines,
            events=(
                OrderEventRecord(
                    kind=self.kind, occurred_at=self.at, record_key=f"{source_id}:{telling}", amount=self.refunded
                ),
            ),
        )


class _Event(msgspec.Struct):
    properties: dict[str, Any] = {}


_EVENT: Final = msgspec.json.Decoder(_Event, float_hook=Decimal)


def tells_of_order(event: str | None) -> bool:
    """Whether an event's name is one of an order's."""
    return _folded(event or "") in ORDER_EVENTS


def read_order(body: str, event: str, at: datetime) -> OrderTold:
    """What an order's event says. Raises Invalid, each kind with its own code."""
    try:
        properties = _EVENT.decode(body).properties
    except (msgspec.DecodeError, InvalidOperation):
        raise AmountUnreadable from None
    kind = ORDER_EVENTS[_folded(event)]
    order_id = _text(properties, "order_id", "orderId")
    if order_id is None or "\x00" in order_id:
        raise OrderIdMissing
    currency = (_text(properties, "currency") or "").upper()
    if not currency:
        raise CurrencyMissing
    exponent(currency)
    lines = _lines(properties, currency) if kind in {"placed", "updated"} else None
    total = _amount(properties, currency, "total", "revenue", "value")
    if total is None and lines:
        extra = [_amount(properties, currency, name) or Decimal(0) for name in ("tax", "shipping")]
        discount = _amount(properties, currency, "discount") or Decimal(0)
        total = sum((line.amount for line in lines), sum(extra, -discount))
    if total is None and lines is not None:
        raise TotalMissing
    return OrderTold(
        external_id=order_id,
        number=_text(properties, "order_number", "orderNumber") or order_id,
        kind=kind,
        at=at,
        currency=currency,
        total=total or Decimal(0),
        refunded=abs(total) if kind == "refunded" and total is not None else None,
        lines=lines,
        purchase_order=_text(properties, "purchase_order", "purchaseOrder", "po_number"),
        promised_on=_date(properties, "promised_on", "promisedOn"),
        account_number=_text(properties, "account_number", "accountNumber"),
    )


def _lines(properties: Mapping[str, Any], currency: str) -> tuple[OrderLine, ...]:
    products = properties.get("products")
    told: Sequence[Any] = products if isinstance(products, list) else ()
    if len(told) > MOST_LINES:
        raise TooManyLines(limit=MOST_LINES)
    return tuple(
        _line(number, product, currency)
        for number, product in enumerate((one for one in told if isinstance(one, dict)), start=1)
    )


def _line(number: int, product: Mapping[str, Any], currency: str) -> OrderLine:
    quantity = _number(product.get("quantity"))
    quantity = Decimal(1) if quantity is None else quantity
    price = _number(product.get("price")) or Decimal(0)
    key = _text(product, "product_id", "productId", "sku", "id")
    return OrderLine(
        line_no=number,
        product=key,
        name=_text(product, "name", "title") or key or f"Product {number}",
        category=_text(product, "category"),
        quantity=quantity,
        unit_price=money(price, currency),
        amount=money(price * quantity, currency),
    )


def _amount(properties: Mapping[str, Any], currency: str, *names: str) -> Decimal | None:
    for name in names:
        number = _number(properties.get(name))
        if number is not None:
            return money(number, currency)
    return None


def _number(value: Any) -> Decimal | None:
    """A number, or text that is one; None when there is none. Raises AmountUnreadable."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise AmountUnreadable
    try:
        number = Decimal(value)
    except (InvalidOperation, ValueError):
        raise AmountUnreadable from None
    if not number.is_finite() or abs(number) >= LARGEST_AMOUNT:
        raise AmountUnreadable
    return number


def _text(properties: Mapping[str, Any], *names: str) -> str | None:
    for name in names:
        value = properties.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return str(value).strip().replace("\x00", "\N{REPLACEMENT CHARACTER}")[:LONGEST_KEY_CHARACTERS]
    return None


def _date(properties: Mapping[str, Any], *names: str) -> date | None:
    text = _text(properties, *names)
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        return None


def _folded(event: str) -> str:
    return re.sub(r"[\s_-]+", " ", event).strip().casefold()
