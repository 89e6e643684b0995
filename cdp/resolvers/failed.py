"""Failed messages: what was sent, and from where."""

from typing import Any

from sqlalchemy import ColumnElement, select

from cdp.events.tables import failed_message, inbox
from cdp.graph.compiler import Arguments
from cdp.graph.declaration import Row, Rows


def everyone(_row: Row, _arguments: Arguments) -> Rows:
    """All of them."""
    return Rows(failed_message.alias())


def received_at(row: Row) -> ColumnElement[Any]:
    """When the message was acknowledged."""
    return _of_message(row, "received_at")


def body(row: Row) -> ColumnElement[Any]:
    """The message as it was sent."""
    return _of_message(row, "body")


def _of_message(row: Row, column: str) -> ColumnElement[Any]:
    sent = inbox.alias()
    value = select(sent.c[column]).where(sent.c.source_id == row.c.source_id, sent.c.message_id == row.c.message_id)
    return value.correlate(row).scalar_subquery()
