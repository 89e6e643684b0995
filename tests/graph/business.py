"""A small made-up business in SQL (business.sql), for tests of reading: every table the graph reads.

Deterministic. Customer n of 40 has the UUID 00000000-0001-7000-8000-(n as 12 hexadecimal digits); even customers hold an
account, every fifth is an organisation, and accounts alternate currencies and exponents.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

_SQL: Any = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


def found(url: str) -> None:
    """Fill an empty migrated database."""
    with psycopg.connect(url) as connection:
        connection.execute(_SQL)


def uuid_of(kind: str, number: int) -> str:
    """UUID of a made-up row, as SQL makes it: 0001 customers, 0004 accounts, 0005 orders, 0008 members, 0009 merged customers."""
    return f"00000000-{kind}-7000-8000-{number:012x}"


def id_of(prefix: str, kind: str, number: int) -> str:
    """Typed id of a made-up row."""
    return f"{prefix}_{uuid_of(kind, number).replace('-', '')}"


# Each kind of node: its prefix, its UUIDs' kind, and the number of one that belongs to customer and account n.
NODES: dict[str, tuple[str, str, Callable[[int], int]]] = {
    "Customer": ("cus", "0001", lambda n: n),
    "Account": ("acc", "0004", lambda n: n),
    "Order": ("ord", "0005", lambda n: n * 100 + 1),
    "Profile": ("pro", "0002", lambda n: n),
    "Interaction": ("int", "0003", lambda n: n * 100 + 1),
    "LedgerEntry": ("ent", "0006", lambda n: n * 2 - 3),
    "Shipment": ("shp", "000a", lambda n: n // 2),
    "Merge": ("mrg", "000b", lambda n: n),
    "Review": ("rev", "0012", lambda n: n),
    "IssuedStatement": ("sta", "000e", lambda n: n),
    "Case": ("cas", "0013", lambda n: n),
    "CaseFile": ("cfi", "0015", lambda n: n),
    "AccountMember": ("mem", "0008", lambda n: n * 2 // 5 - 3),
    "StaffPerson": ("stf", "0000", lambda n: 0xB000 + n // 10),
    "WebhookEndpoint": ("whe", "0014", lambda n: n),
    "WebhookDelivery": ("whd", "0015", lambda n: n),
    "AuditRecord": ("aud", "0013", lambda n: n),
}


def node_id(name: str, number: int) -> str:
    """Typed id of a node of a type that belongs to customer and account `number`. A new type of node takes a line above."""
    prefix, kind, number_of = NODES[name]
    return id_of(prefix, kind, number_of(number))
