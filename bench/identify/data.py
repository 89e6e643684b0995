"""A database of claims and of the customers that follow from them, filled with no index in the way, indexed, analysed.

One customer in two hundred is told afterwards, through the door, in pairs that share a mailbox: such can't be told by arrays
alone.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection, sql

from cdp.db.embedded import EmbeddedServer
from cdp.db.engine import connect
from cdp.db.locks import hold_customers_exclusive
from cdp.db.migrate import migrate
from cdp.db.statements import load_statements
from cdp.identify import ClaimDraft, apply_claims

EDGES_OF_A_CUSTOMER = 11
TABLES = (
    "source", "claim", "claim_identifier", "profile", "profile_key", "customer", "identifier", "customer_identifier",
)  # fmt: skip
FACTS = (
    "account", "account_key", "interaction", "interaction_key", "sales_order", "order_key", "order_line", "ledger_entry",
)  # fmt: skip
PAIRS_AT_ONCE = 500
_SQL = load_statements("bench.identify", "data.sql")
_INDEXES = """
    SELECT pg_get_indexdef(indexrelid), indexrelid::regclass FROM pg_index
    WHERE indrelid = %s::regclass AND NOT indisunique"""


def make(server: EmbeddedServer, name: str, *, customers: int, facts: int = 0) -> str:
    """The URL (as superuser) of a new database `name`; the first two customers have `facts` facts each."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = server.url(name)
    migrate(url)
    with connect(url, None, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '512MB'")
        connection.execute(_SQL["key"])
        for table in (*TABLES, *(FACTS if facts else ())):
            _fill(connection, table, customers, facts)
        _tell_pairs(connection, customers // 200)
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")
    return url


def first_two(connection: Connection[Any]) -> list[UUID]:
    """The customers with the many facts."""
    return [row[0] for row in connection.execute("SELECT customer_id FROM customer ORDER BY 1 LIMIT 2")]


def _fill(connection: Connection[Any], table: str, customers: int, facts: int) -> None:
    with connection.transaction():
        indexes = connection.execute(_INDEXES, (table,)).fetchall()
        for _, index in indexes:
            connection.execute(f"DROP INDEX {index}")
        connection.execute(_SQL[table].replace(":customers", str(customers)).replace(":facts", str(facts)))
        for create, _ in indexes:
            connection.execute(create)


def _tell_pairs(connection: Connection[Any], pairs: int) -> None:
    row = connection.execute("SELECT source_id FROM source WHERE name = 'shop'").fetchone()
    assert row is not None
    for start in range(0, pairs, PAIRS_AT_ONCE):
        drafts = [
            ClaimDraft(
                source_id=row[0],
                namespace="user_id",
                value=f"{who}-{number}",
                at=datetime(2026, 2, 1, tzinfo=UTC),
                message_id=f"{who}-{number}",
                identifiers=[("email", f"family{number}@example.com")],
            )
            for number in range(start, min(start + PAIRS_AT_ONCE, pairs))
            for who in ("mother", "son")
        ]
        with connection.transaction():
            hold_customers_exclusive(connection)
            apply_claims(connection, drafts)
