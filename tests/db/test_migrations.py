"""The migrated database is exactly what the rooms declare, and keeps the distribution rule and the walls."""

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from cdp.db.metadata import gather
from cdp.db.migrate import current, head, migrate


def test_migrations_make_exactly_the_declared_tables(database_url: str) -> None:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database_url), poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, gather()) == []


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    assert migrate(database_url) == head() == current(database_url)


def test_every_table_keeps_the_distribution_rule(database_url: str) -> None:
    declared = {table.name: table.info["distributed_by"] for table in gather().tables.values()}
    with psycopg.connect(database_url) as connection:
        keys = connection.execute("""
            SELECT relation.relname, index.indisprimary,
                   array(SELECT attribute.attname FROM unnest(index.indkey) WITH ORDINALITY AS key (number, position)
                         JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid AND attribute.attnum = key.number
                         ORDER BY key.position)::text[]
            FROM pg_index AS index JOIN pg_class AS relation ON relation.oid = index.indrelid
            WHERE index.indisunique AND relation.relnamespace = 'public'::regnamespace AND relation.relname <> 'alembic_version'
        """).fetchall()
    with_primary_key = {table for table, is_primary, _ in keys if is_primary}
    assert with_primary_key == set(declared)
    for table, is_primary, columns in keys:
        distributed_by = declared[table]
        if distributed_by is not None:
            assert distributed_by in columns, f"{table}: unique over {columns} without {distributed_by}"
        if distributed_by == "customer_id" and is_primary:
            assert columns[0] == "customer_id", f"{table}: the primary key must begin with customer_id"


def test_every_table_with_a_customer_is_by_customer_or_a_look_up(database_url: str) -> None:
    for table in gather().tables.values():
        if "customer_id" in table.columns and table.info["distributed_by"] != "customer_id":
            # A look-up table answers "whose is this?"; its key must not contain the answer.
            assert "customer_id" not in table.primary_key.columns, table.name


def test_every_table_the_portal_reads_has_forced_row_level_security(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        readable = connection.execute("""
            SELECT relname, relrowsecurity AND relforcerowsecurity FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')
              AND (has_any_column_privilege('cdp_portal', oid, 'SELECT, INSERT, UPDATE')
                   OR has_table_privilege('cdp_portal', oid, 'DELETE'))
        """).fetchall()
    assert {table for table, _ in readable} > {"account", "sales_order", "ledger_entry", "customer"}
    assert {table for table, forced in readable if not forced} == {"alembic_version"}


def test_without_a_member_the_portal_sees_no_row(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        tables = [
            row[0]
            for row in connection.execute("""
            SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
              AND has_any_column_privilege('cdp_portal', oid, 'SELECT') AND relname <> 'alembic_version'
        """)
        ]
        connection.execute("SET ROLE cdp_portal")
        for table in tables:
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


@pytest.mark.parametrize("table", ["oauth_client", "customer_identifier", "interaction", "inbox", "profile_trait"])
def test_the_portal_has_no_way_to_company_tables(database_url: str, table: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("SET ROLE cdp_portal")
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable)):
            connection.execute(f"SELECT 1 FROM {table}")
