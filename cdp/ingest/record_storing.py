"""Which function stores which kind of record, and under which of the customers' locks.

Customers and accounts go through `cdp.identify`, like everything that says who somebody is.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import Connection

from cdp.ingest.record_decoding import ReadRecord
from cdp.ingest.record_lines import Rejection
from cdp.ingest.record_people import store_accounts, store_customers, store_interactions
from cdp.ingest.record_source import ImportSource
from cdp.ingest.record_trade import store_ledger, store_orders, store_shipments
from cdp.ingest.records import (
    ImportKind,
)

EXCLUSIVE: Final[frozenset[ImportKind]] = frozenset({"customers", "accounts"})
"""Kinds whose records may make or merge customers; the others only write facts about customers as they are."""

Store = Callable[[Connection[Any], ImportSource, Sequence[ReadRecord], datetime], list[Rejection]]

STORES: Final[Mapping[ImportKind, Store]] = {
    "customers": store_customers,
    "accounts": store_accounts,
    "orders": store_orders,
    "shipments": store_shipments,
    "ledger": store_ledger,
    "interactions": store_interactions,
}
