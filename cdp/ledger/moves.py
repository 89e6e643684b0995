"""Moving accounts between customers, set-wise: a distribution key can't be updated, so rows are deleted and inserted
anew.

Everything that carries an `account_id` moves with its account, in one statement a table; the look-ups by the source's
key are updated. The lists of tables and columns come from `tables.py`, so that a new table of trade moves without
anybody remembering it.
"""

from functools import cache
from typing import Final

from sqlalchemy import Table

from cdp.db.metadata import gather, metadata
from cdp.ledger import tables

MOVES: Final = "unnest(%(account_ids)s::uuid[], %(old_customer_ids)s::uuid[], %(new_customer_ids)s::uuid[])"


def _own(table: Table) -> bool:
    return vars(tables).get(table.name) is table


OF_AN_ACCOUNT: Final = tuple(
    table
    for table in metadata.tables.values()
    if _own(table) and table.info["distributed_by"] == "customer_id" and "account_id" in table.columns
)
"""Tables about a customer whose rows belong to an account, `account` itself included."""

KEYS: Final = tuple(table for table in metadata.tables.values() if _own(table) and "record_id" in table.columns)
"""Look-ups (source, external id) → record, of records that belong to an account."""


@cache
def of_an_account() -> tuple[Table, ...]:
    """All that moves with an account: the ledger's own tables, and those that rooms above say so of (`with_account`)."""
    above = tuple(table for table in gather().tables.values() if table.info.get("moves_with_account"))
    return (*OF_AN_ACCOUNT, *above)


def move_rows(table: Table) -> str:
    """SQL that moves the rows of moving accounts in one of `OF_AN_ACCOUNT`."""
    others = [column.name for column in table.columns if column.name != "customer_id"]
    return f"""
        WITH given AS (SELECT * FROM {MOVES} AS given (account_id, old_customer_id, new_customer_id)),
        moved AS (
            DELETE FROM {table.name} AS old USING given
            WHERE old.customer_id = given.old_customer_id AND old.account_id = given.account_id
            RETURNING given.new_customer_id, {", ".join(f"old.{name}" for name in others)}
        )
        INSERT INTO {table.name} (customer_id, {", ".join(others)})
        SELECT new_customer_id, {", ".join(others)} FROM moved"""  # noqa: S608 — our tables


def move_keys(key: Table) -> str:
    """SQL that points one of `KEYS` at the records' new customer; run after the records have moved."""
    kind = key.name.removesuffix("_key")
    record = vars(tables)["sales_order" if kind == "order" else kind]
    record_id = list(record.primary_key.columns)[1].name
    return f"""
        WITH given AS (SELECT * FROM {MOVES} AS given (account_id, old_customer_id, new_customer_id)),
        moved AS (
            SELECT record.{record_id} AS record_id, given.old_customer_id, given.new_customer_id
            FROM {record.name} AS record JOIN given
                ON record.customer_id = given.new_customer_id AND record.account_id = given.account_id
        )
        UPDATE {key.name} AS key SET customer_id = moved.new_customer_id FROM moved
        WHERE key.customer_id = moved.old_customer_id AND key.record_id = moved.record_id"""  # noqa: S608 — our tables


MOVE_ACCOUNT_KEYS: Final = f"""
    UPDATE account_key AS key SET customer_id = given.new_customer_id
    FROM {MOVES} AS given (account_id, old_customer_id, new_customer_id)
    WHERE key.customer_id = given.old_customer_id AND key.account_id = given.account_id"""  # noqa: S608 — a constant
"""SQL that points the numbers of moving accounts at their new holder."""
