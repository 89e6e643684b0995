"""The CDNOW purchases (1997–98), read from the data files of an installed wheel by path; the package is never
imported.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import distribution
from pathlib import Path
from typing import Literal

import segment.analytics


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One line of the file; `number` is its line, the only key a purchase has."""

    number: int
    customer: str
    at: datetime
    discs: int
    dollars: Decimal


def purchases(which: Literal["sample", "master"]) -> Iterator[Purchase]:
    """The purchases of the 1/10 sample or of all, in the file's order."""
    path = Path(str(distribution("lifetimes").locate_file(f"lifetimes/datasets/CDNOW_{which}.txt")))
    with path.open(encoding="ascii") as file:
        for number, line in enumerate(file, start=1):
            customer, *_, day, discs, dollars = line.split()
            if customer.isdigit():
                at = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)
                yield Purchase(number=number, customer=customer, at=at, discs=int(discs), dollars=Decimal(dollars))


def replay(client: segment.analytics.Client, told: Sequence[Purchase]) -> None:
    """Tell the purchases as a shop would, with Segment's own SDK; message ids follow from the lines."""
    for purchase in told:
        client.track(
            user_id=purchase.customer,
            event="Order Completed",
            properties={
                "order_id": f"cdnow-{purchase.number}",
                "currency": "USD",
                "total": float(purchase.dollars),
                "products": [
                    {
                        "product_id": "cd",
                        "name": "CD",
                        "category": "music",
                        "quantity": purchase.discs,
                        "price": float(purchase.dollars / purchase.discs) if purchase.discs else 0,
                    }
                ],
            },
            timestamp=purchase.at,
            message_id=f"cdnow-{purchase.number}",
        )
    client.flush()
