"""What rows are grouped by in summaries: the month in UTC, and the columns that say where or how."""

from typing import Any, Final

from sqlalchemy import ColumnElement, func

from cdp.graph.declaration import Row
from cdp.graph.summary import Group


def _month(column: str) -> Group:
    def key(row: Row) -> ColumnElement[Any]:
        return func.to_char(func.timezone("UTC", getattr(row.c, column)), "YYYY-MM")

    return key


def _column(name: str) -> Group:
    def key(row: Row) -> ColumnElement[Any]:
        found: ColumnElement[Any] = getattr(row.c, name)
        return found

    return key


def _status(row: Row) -> ColumnElement[Any]:
    return func.upper(row.c.status)


ORDER_GROUPS: Final = {"month": _month("placed_at"), "status": _status, "channel": _column("channel")}
INTERACTION_GROUPS: Final = {
    "month": _month("occurred_at"),
    "channel": _column("channel"),
    "kind": _column("kind"),
    "topic": _column("topic"),
}
