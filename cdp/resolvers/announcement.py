"""Announcements that are for an account and still stand; for members without those they put away."""

from typing import Any

from sqlalchemy import ColumnElement, Uuid, func, or_, select

from cdp.db.ids import typed_id
from cdp.graph.compiler import Arguments, MemberParameters
from cdp.graph.declaration import Row, Rows
from cdp.graph.today import today
from cdp.interact.tables import announcement, announcement_read


def of_account(row: Row, arguments: Arguments) -> Rows:
    """What the company tells an account now."""
    found, read = announcement.alias(), announcement_read.alias()
    put_away = (
        select(read.c.announcement_id)
        .where(read.c.announcement_id == found.c.announcement_id, read.c.member_id == arguments.compiler.me().member_id)
        .correlate(found)
        .exists()
    )
    return Rows(
        found,
        (
            or_(found.c.account_id.is_(None), found.c.account_id == row.c.account_id),
            or_(found.c.tier.is_(None), found.c.tier == row.c.tier),
            found.c.published_at <= func.now(),
            found.c.withdrawn_at.is_(None),
            or_(found.c.ends_on.is_(None), found.c.ends_on >= today()),
            ~put_away,
        ),
    )


def announcement_of(_row: Row | None, arguments: Arguments) -> Rows:
    """The announcement of a payload."""
    found = announcement.alias()
    return Rows(found, (found.c.announcement_id == arguments.of_source("announcement_id", Uuid()),))


def is_for_account(row: Row, me: MemberParameters) -> ColumnElement[bool]:
    """A member sees what is for everybody and for their account; of which tier that is, the edge says."""
    return or_(row.c.account_id.is_(None), row.c.account_id == me.account_id)


def account_id(row: Row) -> ColumnElement[Any]:
    """The typed id of the account it is for."""
    return typed_id("acc", row.c.account_id)
