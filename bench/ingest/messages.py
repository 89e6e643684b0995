"""The messages: what a shop's visitors do, as analytics.js tells it. Drawn with a seed, so that every run
sends the same but for the time.

Of a hundred messages 40 are pages, 20 other events, 20 identify, 15 product events and 5 `Order Completed`. A visitor
has one device; every third has signed in and brings user id and e-mail address. About 700 bytes each.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

MIX: Final = (("page", 40), ("track", 20), ("identify", 20), ("product", 15), ("order", 5))
SIGNED_IN_EVERY: Final = 3
_KINDS: Final = tuple(kind for kind, share in MIX for _ in range(share))
_EVENTS: Final = ("Products Searched", "Promotion Viewed", "Coupon Entered", "Wishlist Opened", "Review Read")
_PRODUCT_EVENTS: Final = ("Product Viewed", "Product Viewed", "Product Added")
_PAGES: Final = ("Home", "Catalogue", "Product", "Cart", "Delivery", "Contact")
_FIRST: Final = ("Ana", "Bruno", "Clara", "Diego", "Elsa", "Finn", "Greta", "Hugo", "Iris", "Jonas", "Karin", "Luis")
_LAST: Final = ("Almeida", "Berg", "Costa", "Duarte", "Engel", "Ferro", "Gomez", "Haas", "Ibsen", "Jansen", "Klein")
_BROWSER: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)


class Prepared(NamedTuple):
    """One message: its id and its JSON."""

    message_id: str
    body: bytes


def visits(name: str, count: int, *, visitors: range) -> Iterator[Prepared]:
    """`count` messages of visitors drawn at random; `name` makes their ids new."""
    chance = random.Random(name)
    for at in _times(count):
        yield message(_new_id(chance), chance.choice(visitors), at, chance)


def visits_in_turn(name: str, count: int, *, visitors: range) -> Iterator[Prepared]:
    """As `visits`, of all visitors in turn, in an order drawn once: of few, too, nobody is there twice at once."""
    chance = random.Random(name)
    order = cycle(chance.sample(visitors, min(count, len(visitors))))
    for at in _times(count):
        yield message(_new_id(chance), next(order), at, chance)


def growing_visits(name: str, count: int, *, visitors: range, newcomers: range) -> Iterator[Prepared]:
    """A quarter are `first_visits` of newcomers, who must be enough, the rest `visits_in_turn`: what makes a graph grow."""
    first = first_visits(f"{name}, first", newcomers)
    known = visits_in_turn(name, count, visitors=visitors)
    return (next(first) if number % 4 == 0 else next(known) for number in range(count))


def first_visits(name: str, visitors: range) -> Iterator[Prepared]:
    """What makes each visitor as well known as they get: an identify, and before it a page of those who sign in.

    Whatever `visits` has them say after that says nothing new of who they are.
    """
    chance = random.Random(name)
    said = [
        (visitor, kind)
        for visitor in visitors
        for kind in (("page", "identify") if visitor % SIGNED_IN_EVERY == 0 else ("identify",))
    ]
    for (visitor, kind), at in zip(said, _times(len(said)), strict=True):
        yield message(_new_id(chance), visitor, at, chance, kind=kind)


def message(message_id: str, visitor: int, at: datetime, chance: random.Random, *, kind: str = "") -> Prepared:
    """A visitor's message, of a kind drawn from the mix if not given."""
    kind = kind or chance.choice(_KINDS)
    told = _envelope(message_id, visitor, at, chance)
    if kind == "page":
        name = chance.choice(_PAGES)
        told |= {
            "type": "page",
            "name": name,
            "properties": {**told["context"]["page"], "duration": chance.randrange(90)},
        }
    elif kind == "identify":
        told |= {"type": "identify", "traits": _traits(visitor)}
    elif kind == "track":
        properties = {"query": f"lamp {chance.randrange(500)}", "results": chance.randrange(80), "position": 3}
        told |= {"type": "track", "event": chance.choice(_EVENTS), "properties": properties}
    elif kind == "product":
        told |= {"type": "track", "event": chance.choice(_PRODUCT_EVENTS), "properties": _product(chance)}
    else:
        told |= {"type": "track", "event": "Order Completed", "properties": _order(f"O-{message_id}", chance)}
    return Prepared(message_id, orjson.dumps(told))


def probe(number: str) -> Prepared:
    """An order of somebody new, by whose number one can ask whether it has arrived."""
    chance = random.Random(number)
    told = _envelope(number, 0, datetime.now(UTC), chance)
    told |= {"anonymousId": f"probe-{number}", "userId": None}
    told |= {"type": "track", "event": "Order Completed", "properties": _order(number, chance)}
    return Prepared(number, orjson.dumps(told))


def _new_id(chance: random.Random) -> str:
    return f"ajs-next-{UUID(int=chance.getrandbits(128), version=4)}"


def _times(count: int) -> Iterator[datetime]:
    """One after the other within the last second: messages come as things happen, each later than all of the round before."""
    began = datetime.now(UTC) - timedelta(seconds=1)
    return (began + timedelta(seconds=number / count) for number in range(count))


def _envelope(message_id: str, visitor: int, at: datetime, chance: random.Random) -> dict[str, Any]:
    path = f"/shop/{chance.randrange(2_000)}"
    signed_in = {"userId": f"user-{visitor}"} if visitor % SIGNED_IN_EVERY == 0 else {}
    return {
        "messageId": message_id,
        "anonymousId": f"{visitor * 2_654_435_761 % (1 << 32):08x}-7c1e-4b52-9d3a-{visitor:012x}",
        **signed_in,
        "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "context": {
            "library": {"name": "analytics.js", "version": "next-1.77.0"},
            "page": {
                "path": path,
                "referrer": "https://search.example/",
                "search": "?utm_source=mail",
                "title": "Lamps and lights",
                "url": f"https://shop.example{path}?utm_source=mail",
            },
            "userAgent": _BROWSER,
            "locale": "pt-PT",
            "timezone": "Europe/Lisbon",
        },
        "integrations": {},
    }


def _traits(visitor: int) -> dict[str, Any]:
    first, last = _FIRST[visitor % len(_FIRST)], _LAST[visitor // 7 % len(_LAST)]
    traits: dict[str, Any] = {"firstName": first, "lastName": last, "newsletter": visitor % 2 == 0}
    if visitor % SIGNED_IN_EVERY == 0:
        traits["email"] = f"{first}.{last}.{visitor}@mail.example".lower()
    return traits


def _product(chance: random.Random) -> dict[str, Any]:
    number = chance.randrange(2_000)
    return {
        "product_id": f"P-{number}",
        "name": f"Lamp no. {number}",
        "category": "Lamps",
        "price": number % 90 + 9.5,
        "quantity": 1,
        "currency": "EUR",
    }


def _order(number: str, chance: random.Random) -> dict[str, Any]:
    products = [_product(chance) for _ in range(chance.randrange(1, 4))]
    total = sum(one["price"] for one in products)
    return {"order_id": number, "currency": "EUR", "total": total, "products": products}
