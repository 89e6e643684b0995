"""One MetaData for the whole product, and what a table says about itself.

Rooms declare their tables on `metadata`; migrations and the catalogue tests read it. Each table names its place under the
distribution rule (`architecture.md` §3) with one of the constants below, so that a test can hold the rule against the live
catalogue and `cdp migrate --distribute` can follow it.
"""

import importlib
from typing import Any, Final

from sqlalchemy import Column, DateTime, MetaData, Uuid, text

metadata: Final = MetaData(
    naming_convention={
        "ix": "%(table_name)s_by_%(column_0_N_name)s",
        "uq": "%(table_name)s_has_one_%(column_0_N_name)s",
        "ck": "%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_refers_to_%(referred_table_name)s",
        "pk": "%(table_name)s_pkey",
    },
)

ROOMS: Final = (
    "cdp.access",
    "cdp.access.issuer",
    "cdp.feed",
    "cdp.events",
    "cdp.ledger",
    "cdp.identify",
    "cdp.interact",
    "cdp.ingest",
    "cdp.webhooks",
)
"""Rooms that own tables, lower floors first. Named, not imported: the database floor imports nothing above it."""


def by_customer() -> dict[str, Any]:
    """A table about a customer: `customer_id` leads its primary key; all such tables are co-located."""
    return {"distributed_by": "customer_id"}


def with_account() -> dict[str, Any]:
    """A table about a customer whose rows belong to an account, in a room above the ledger: they move with the account."""
    return {**by_customer(), "moves_with_account": True}


def by(column: str) -> dict[str, Any]:
    """A look-up table, distributed by `column`; never joined with a customer table inside one statement."""
    return {"distributed_by": column}


def reference() -> dict[str, Any]:
    """A small shared table, copied to every node."""
    return {"distributed_by": None}


def in_one_place() -> dict[str, Any]:
    """A log whose order is that of one server's transactions: it stays on the coordinator, whatever is distributed."""
    return {"distributed_by": None, "in_one_place": True}


def customer_key() -> Column[Any]:
    """The leading primary-key column of every table about a customer."""
    return Column("customer_id", Uuid, primary_key=True)


def new_id(name: str) -> Column[Any]:
    """A primary-key column filled with a UUIDv7 (time-ordered) by the database."""
    return Column(name, Uuid, primary_key=True, server_default=text("new_id()"))


def at(name: str, *, nullable: bool = False, now: bool = False) -> Column[Any]:
    """An instant, `timestamptz` in UTC."""
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=text("now()") if now else None)


def gather() -> MetaData:
    """`metadata` with every room's tables declared on it."""
    for room in ROOMS:
        importlib.import_module(f"{room}.tables")
    return metadata
