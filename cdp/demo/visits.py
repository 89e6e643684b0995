"""What the web shop, the stores and the call centre tell of shoppers, contacts and passers-by: tracking messages and calls.

Messages are in the spelling of Segment's specification. One person's messages follow one another; the stitcher doesn't
mind the order in which people come.
"""

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from cdp.demo.catalogue import CALL_TOPICS, CARRIERS, CORK, DUBLIN, PAGES, PRODUCTS, WEB, Product
from cdp.demo.people import Company, Contact, Shopper, rng_of

SHOP: Final = "https://shop.meridian.example"
SHIPPING_DAYS: Final = 4

Message = dict[str, Any]
Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A tracking message or an import record, and the source that tells it."""

    source: str
    content: Mapping[str, Any]


def messages_of_shopper(seed: int, shopper: Shopper, now: datetime) -> Iterator[Told]:
    """All that a shopper did, in order, up to `now`."""
    story = _Story(seed, shopper, now)
    if shopper.habit in ("store", "web and store"):
        yield from story.in_store()
    if shopper.habit in ("web", "web and store"):
        yield from story.in_web_shop()


def messages_of_passer_by(seed: int, number: int, now: datetime) -> Iterator[Told]:
    """A few pages seen by somebody who never said who they are."""
    rng = rng_of(seed, "passer-by", number)
    at = now - timedelta(days=rng.expovariate(1 / 45) % 180, minutes=rng.randrange(5, 900))
    who = {"anonymousId": f"visitor-{number}"}
    yield from _pages(rng, f"passer-{number}", who, at, now, most=3)


def messages_of_contact(seed: int, company: Company, contact: Contact, now: datetime) -> Iterator[Told]:
    """A contact person in the web shop: signs in, belongs to a company, looks around, and at times orders for it."""
    rng = rng_of(seed, "contact", contact.key)
    who = {"userId": contact.user_id, "anonymousId": f"desk-{contact.user_id}"}
    at = now - timedelta(days=rng.uniform(20, 600))
    key = f"contact-{contact.key}"
    context = {"groupId": company.group_id}
    traits = {"name": contact.name, "email": contact.email}
    yield _message(WEB.name, f"{key}-i", "identify", who, at, traits=traits, context=context)
    group = {"name": company.name, "accountNumber": company.number, "industry": company.trade, "role": contact.role}
    yield _message(WEB.name, f"{key}-g", "group", who, at, groupId=company.group_id, traits=group, context=context)
    for visit in range(rng.randrange(1, 4)):
        begin = now - timedelta(days=rng.uniform(1, 60), hours=visit)
        yield from _pages(rng, f"{key}-{visit}", who, begin, now, most=4)
    if contact.role == "Purchasing" and company.is_key_account:
        ordered = now - timedelta(days=rng.uniform(0.2, 3))
        order = _order(rng, f"W-{company.number[2:]}1", company.currency, {"purchase_order": f"WEB-{contact.user_id}"})
        yield _message(
            WEB.name, f"{key}-o", "track", who, ordered, event="Order Completed", properties=order, context=context
        )


def calls_of_shopper(seed: int, shopper: Shopper, now: datetime) -> Iterator[Record]:
    """Calls of a shopper to the call centre, as the interactions it imports."""
    rng = rng_of(seed, "calls", shopper.number)
    if shopper.habit == "phone" or rng.random() < 0.06:
        yield from _calls(rng, f"P-{shopper.number}", shopper.since, now)


def calls_of_contact(seed: int, contact: Contact, now: datetime) -> Iterator[Record]:
    """Calls of a contact person."""
    rng = rng_of(seed, "calls", contact.key)
    if rng.random() < 0.7:
        yield from _calls(rng, contact.key, now - timedelta(days=400), now)


def manager_visits(seed: int, company: Company, manager: str, now: datetime) -> Iterator[Record]:
    """Visits of the account manager, twice a year to a key account, as the CRM tells them."""
    rng = rng_of(seed, "visits", company.key)
    customer = f"CRM-{company.key[2:]}"
    for place in range(4 if company.is_key_account else rng.randint(0, 1)):
        at = now - timedelta(days=rng.uniform(20, 160) + 150 * place)
        yield {
            "external_id": f"visit-{customer}-{place + 1}",
            "customer": customer,
            "kind": "visit",
            "direction": "outbound",
            "occurred_at": _iso(at),
            "name": rng.choice(("Yearly review", "New range shown", "Delivery times discussed", "Prices agreed")),
            "topic": "Account",
            "channel": "visit",
            "location": company.town,
            "duration_seconds": rng.randrange(1800, 7200),
            "properties": {"by": manager},
        }


def handed_over(seed: int, told: Told, now: datetime) -> Record | None:
    """The shipment of a shopper's order: at the counter at once, from the web shop by a carrier; None: not yet sent."""
    content = told.content
    number = content["properties"]["order_id"]
    placed_at = datetime.fromisoformat(content["timestamp"])
    base = {"external_id": f"S-{number}", "order": number, "version": 1}
    if told.source != WEB.name:
        return base | {"shipped_at": _iso(placed_at), "delivered_at": _iso(placed_at)}
    rng = rng_of(seed, "parcel", number)
    shipped_at = placed_at + timedelta(days=rng.uniform(0.5, 2.5))
    delivered_at = shipped_at + timedelta(days=rng.uniform(1, 4))
    if shipped_at > now:
        return None
    carrier, prefix, address = CARRIERS[rng.randrange(len(CARRIERS))]
    tracking = f"{prefix}{rng.randrange(10**8, 10**9)}"
    sent = {
        "carrier": carrier,
        "tracking_number": tracking,
        "tracking_url": f"{address}{tracking}",
        "shipped_at": _iso(shipped_at),
        "promised_on": (placed_at + timedelta(days=SHIPPING_DAYS + 2)).date().isoformat(),
    }
    return base | sent | ({"delivered_at": _iso(delivered_at)} if delivered_at <= now else {})


class _Story:
    def __init__(self, seed: int, shopper: Shopper, now: datetime) -> None:
        self._rng = rng_of(seed, "story", shopper.number)
        self._shopper = shopper
        self._now = now
        self._traits = {"name": shopper.name, "email": shopper.email}

    def in_web_shop(self) -> Iterator[Told]:
        """Comes as nobody, signs up, is the same one on the telephone afterwards, and buys."""
        rng, shopper = self._rng, self._shopper
        key = f"shopper-{shopper.number}"
        device = {"anonymousId": f"visitor-s{shopper.number}"}
        begin = shopper.since - timedelta(minutes=20)
        yield from _pages(rng, f"{key}-0", device, begin, self._now, most=3)
        known = device | {"userId": shopper.user_id}
        traits = self._traits | {"address": {"city": shopper.town, "country": shopper.country.code}}
        if shopper.phone:
            traits |= {"phone": shopper.phone}
        yield _message(WEB.name, f"{key}-i", "identify", known, shopper.since, traits=traits, context=self._context())
        if rng.random() < 0.35:
            mobile = {"anonymousId": f"mobile-{shopper.number}"}
            again = self._later()
            yield from _pages(rng, f"{key}-m", mobile, again, self._now, most=1)
            signed_in = mobile | {"userId": shopper.user_id}
            yield _message(
                WEB.name, f"{key}-mi", "identify", signed_in, again + timedelta(minutes=4), traits=self._traits
            )
        for purchase in range(_purchases(rng)):
            at = self._later()
            yield from _pages(rng, f"{key}-p{purchase}", known, at - timedelta(minutes=15), self._now, most=2)
            number = f"W-{20_000 + shopper.number}-{purchase + 1}"
            promised_on = (at + timedelta(days=SHIPPING_DAYS)).date().isoformat()
            yield self._buy(WEB.name, f"{key}-o{purchase}", known, at, number=number, promised_on=promised_on)
            if rng.random() < 0.03:
                fate = rng.choice(("Order Cancelled", "Order Refunded"))
                told = {"order_id": number, "currency": shopper.country.currency, "total": 15}
                after = min(at + timedelta(hours=5), self._now)
                yield _message(WEB.name, f"{key}-x{purchase}", "track", known, after, event=fate, properties=told)

    def in_store(self) -> Iterator[Told]:
        """Gets a card at the till, and shows it at each purchase."""
        rng, shopper = self._rng, self._shopper
        store = CORK if shopper.town in ("Cork", "Limerick", "Waterford", "Kilkenny") else DUBLIN
        key = f"card-{shopper.number}"
        card = {"anonymousId": f"card-{shopper.loyalty}"}
        # Of those who shop in the web too, some gave no e-mail at the till: only the card's number ties them.
        gives_mail = shopper.habit == "store" or rng.random() < 0.5
        traits = self._traits if gives_mail else {"name": shopper.name}
        yield _message(store.name, f"{key}-i", "identify", card, shopper.since, traits=traits, context=self._context())
        for purchase in range(1 + _purchases(rng)):
            number = f"{store.location[:1] if store.location else 'S'}-{50_000 + shopper.number}-{purchase + 1}"
            yield self._buy(store.name, f"{key}-o{purchase}", card, self._later(), number=number)

    def _buy(self, source: str, key: str, who: Mapping[str, str], at: datetime, *, number: str, **more: Any) -> Told:
        order = _order(self._rng, number, self._shopper.country.currency, more)
        context = {"traits": {"name": self._shopper.name}}
        return _message(source, key, "track", who, at, event="Order Completed", properties=order, context=context)

    def _later(self) -> datetime:
        """Some time after they came, more often lately."""
        share: float = self._rng.random() ** 0.6
        whole = (self._now - self._shopper.since) - timedelta(hours=2)
        return self._shopper.since + timedelta(hours=1) + whole * share

    def _context(self) -> dict[str, Any]:
        if self._shopper.loyalty is None:
            return {}
        return {"externalIds": [{"type": "loyalty_id", "id": self._shopper.loyalty, "collection": "users"}]}


def orders_in(told: Iterable[Told]) -> Iterator[Told]:
    """Of these messages, the completed orders of shoppers."""
    for one in told:
        if one.content.get("event") == "Order Completed" and "groupId" not in one.content.get("context", {}):
            yield one


def _pages(
    rng: random.Random, key: str, who: Mapping[str, str], at: datetime, now: datetime, *, most: int
) -> Iterator[Told]:
    for place in range(rng.randint(1, most)):
        seconds = rng.randrange(8, 240)
        if rng.random() < 0.6:
            product = rng.choice(PRODUCTS)
            name, topic, more = product.name, product.category, {"product_id": product.sku}
            path = f"/p/{product.sku.lower()}"
        else:
            name, page_topic = rng.choice(PAGES)
            topic, more = page_topic or "Shop", {}
            path = "/" + name.lower().replace(" ", "-")
        properties = {"url": SHOP + path, "topic": topic, "duration_seconds": seconds, **more}
        seen_at = min(at + timedelta(minutes=3 * place), now)
        yield _message(WEB.name, f"{key}-v{place}", "page", who, seen_at, name=name, properties=properties)


def _calls(rng: random.Random, customer: str, since: datetime, now: datetime) -> Iterator[Record]:
    for place in range(rng.randint(1, 3)):
        topic, kind = rng.choice(CALL_TOPICS)
        at = since + (now - since) * rng.random()
        yield {
            "external_id": f"call-{customer}-{place + 1}",
            "customer": customer,
            "kind": "call",
            "direction": "outbound" if rng.random() < 0.15 else "inbound",
            "occurred_at": _iso(at),
            "name": topic,
            "topic": kind,
            "duration_seconds": rng.randrange(45, 900),
        }


def _order(rng: random.Random, number: str, currency: str, more: Mapping[str, Any]) -> dict[str, Any]:
    lines = [(product, rng.choice((1, 1, 1, 2, 2, 3, 5))) for product in rng.sample(PRODUCTS, rng.choice((1, 1, 2, 3)))]
    total = sum((product.price(currency) * quantity for product, quantity in lines), Decimal(0))
    products = [_ordered(product, quantity, currency) for product, quantity in lines]
    return {"order_id": number, "currency": currency, "total": str(total), "products": products, **more}


def _ordered(product: Product, quantity: int, currency: str) -> dict[str, Any]:
    return {
        "product_id": product.sku,
        "name": product.name,
        "category": product.category,
        "quantity": quantity,
        "price": str(product.price(currency)),
    }


def _purchases(rng: random.Random) -> int:
    """Most buy once or not at all, a few again and again."""
    return min(int(rng.expovariate(0.75)), 9)


def _message(source: str, message_id: str, kind: str, who: Mapping[str, str], at: datetime, **fields: Any) -> Told:
    content = {"type": kind, "messageId": message_id, "timestamp": _iso(at), **who, **fields}
    return Told(source=source, content=content)


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
