"""Issued statements: whose they are, what stood on them, what was posted since, and their files."""

from typing import Any

from sqlalchemy import ColumnElement, Integer, Uuid, func, select

from cdp.graph.compiler import Arguments
from cdp.graph.declaration import Inline, Row, Rows
from cdp.ledger.tables import issued_statement, issued_statement_file, ledger_entry
from cdp.resolvers.money import money


def of_account(row: Row, _arguments: Arguments) -> Rows:
    """Statements issued of an account."""
    found = issued_statement.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.account_id == row.c.account_id))


def issued(_row: Row | None, arguments: Arguments) -> Rows:
    """The statement of a payload."""
    found = issued_statement.alias()
    return Rows(found, (found.c.statement_id == arguments.of_source("statement_id", Uuid()),))


def files(row: Row, _arguments: Arguments) -> Rows:
    """Files kept of a statement."""
    found = issued_statement_file.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.statement_id == row.c.statement_id))


def posted_since(row: Row) -> ColumnElement[Any]:
    """How many entries were posted up to its last day since: the ledger only grows."""
    since: ColumnElement[Any] = posted(row) - row.c.posted_count
    return since


def posted(row: Row) -> ColumnElement[Any]:
    """How many entries are posted up to a statement's last day, in its currency."""
    entry = ledger_entry.alias()
    counted = select(func.count().cast(Integer)).where(
        entry.c.customer_id == row.c.customer_id,
        entry.c.account_id == row.c.account_id,
        entry.c.currency == row.c.currency,
        entry.c.posted_on <= row.c.to_on,
    )
    return counted.correlate(row).scalar_subquery()


def fingerprint(row: Row) -> ColumnElement[str]:
    """A SHA-256 as 64 hexadecimal digits."""
    return func.encode(row.c.sha256, "hex")


def content(row: Row) -> ColumnElement[str]:
    """A file's bytes in Base64, without line breaks."""
    return func.translate(func.encode(row.c.content, "base64"), "\n", "")


def size(row: Row) -> ColumnElement[int]:
    """A file's size in bytes."""
    return func.length(row.c.content)


def amount(name: str) -> Any:
    """An edge to one of its amounts."""

    def of(row: Row, _arguments: Arguments) -> Inline:
        return money(getattr(row.c, name), row.c.currency)

    return of
