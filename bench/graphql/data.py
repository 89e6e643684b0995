"""A database of N customers, made in SQL from number series: migrated, filled with no index in the way, indexed, analysed.

A million customers (36 million rows) take some minutes; ten thousand, four seconds. The statements are in `data.sql`.
"""

from typing import Any

import psycopg
from psycopg import Connection, sql

from cdp.access.people import create_client
from cdp.access.viewer import READ_SCOPES
from cdp.db.embedded import EmbeddedServer
from cdp.db.engine import connect
from cdp.db.migrate import migrate
from cdp.db.statements import load_statements

FUNCTIONS = ("key", "mixed")
TABLES = (
    "source",
    "customer",
    "profile",
    "customer_identifier",
    "account",
    "sales_order",
    "order_line",
    "shipment",
    "interaction",
    "ledger_entry",
)
_SQL = load_statements("bench.graphql", "data.sql")
_INDEXES = """
    SELECT coalesce(
            'ALTER TABLE ' || indrelid::regclass || ' DROP CONSTRAINT ' || quote_ident(conname),
            'DROP INDEX ' || indexrelid::regclass),
        coalesce(
            'ALTER TABLE ' || indrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(conname) || ' '
                || pg_get_constraintdef(c.oid),
            pg_get_indexdef(indexrelid))
    FROM pg_index LEFT JOIN pg_constraint c ON c.conindid = indexrelid AND c.contype IN ('p', 'u')
    WHERE indrelid = %s::regclass
        AND NOT EXISTS (SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.confrelid = indrelid)"""


def make(server: EmbeddedServer, name: str, *, customers: int) -> str:
    """The URL (as superuser) of a new database `name` with so many customers."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = server.url(name)
    migrate(url)
    with connect(url, None, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '512MB'")
        for function in FUNCTIONS:
            connection.execute(_SQL[function])
        for table in TABLES:
            _fill(connection, table, customers)
            connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table)))
        connection.execute("CHECKPOINT")
    return url


def token_client(url: str) -> tuple[str, str]:
    """Id and secret of an OAuth client that may read everything."""
    with connect(url) as connection:
        made = create_client(connection, name="Bench", scopes=READ_SCOPES)
    assert made.client_secret is not None
    return made.client_id, made.client_secret


def describe(url: str) -> dict[str, Any]:
    """What the database holds: rows by table, its size in bytes, the server's version."""
    with connect(url, None, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT relname, reltuples::bigint FROM pg_class WHERE relname = ANY(%s) AND relkind = 'r'", (list(TABLES),)
        ).fetchall()
        sized = connection.execute(
            "SELECT pg_database_size(current_database()), current_setting('server_version')"
        ).fetchone()
    assert sized is not None
    return {"rows": dict(rows), "bytes": sized[0], "postgresql": sized[1]}


def _fill(connection: Connection[Any], table: str, customers: int) -> None:
    indexes = connection.execute(_INDEXES, (table,)).fetchall()
    with connection.transaction():
        # Emptied in the same transaction and without indexes, the table is written once, not to the log as well.
        connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.Identifier(table)))
        for drop, _ in indexes:
            connection.execute(drop)
        connection.execute(_SQL[table].replace(":customers", str(customers)))
        for _, create in indexes:
            connection.execute(create)
