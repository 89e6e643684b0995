"""A small made-up business in SQL (business.sql), for tests of reading: every table the graph reads.

Deterministic. Customer n of 40 has the UUID 00000000-0001-7000-8000-(n as 12 hexadecimal digits); even customers hold an
account, every fifth is an organisation, and accounts alternate currencies and exponents.
"""

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
