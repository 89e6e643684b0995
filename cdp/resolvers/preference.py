"""Preferences and consents of the member who asks, and of nobody else."""

from typing import Any

from sqlalchemy import ColumnElement, and_, func, select

from cdp.access.tables import member
from cdp.graph.compiler import Arguments, MemberParameters
from cdp.graph.declaration import Row, Rows, by
from cdp.interact.tables import consent_record, contact_topic, member_preference


def of_member(_row: Row, arguments: Arguments) -> Rows:
    """The member who asks; no row for anyone else."""
    found = member.alias()
    return Rows(found, (found.c.member_id == arguments.compiler.me().member_id,))


def is_own(row: Row, me: MemberParameters) -> ColumnElement[bool]:
    """A member sees what they chose and said themselves."""
    own: ColumnElement[bool] = row.c.member_id == me.member_id
    return own


def choices(row: Row, _arguments: Arguments) -> Rows:
    """Every topic and channel, with what was chosen or else holds."""
    topic, chosen, person = contact_topic.alias(), member_preference.alias(), member.alias()
    theirs = and_(
        chosen.c.member_id == person.c.member_id,
        chosen.c.topic == topic.c.topic,
        chosen.c.channel == topic.c.channel,
    )
    matrix = (
        select(
            person.c.member_id,
            topic.c.position,
            topic.c.topic,
            topic.c.channel,
            topic.c.needs_consent,
            func.coalesce(chosen.c.frequency, topic.c.default_frequency).label("frequency"),
        )
        .select_from(person.join(topic, topic.c.position > 0).outerjoin(chosen, theirs))
        .subquery()
    )
    return Rows(matrix, (matrix.c.member_id == row.c.member_id,), (by("position"),))


def consents(row: Row, _arguments: Arguments) -> Rows:
    """What a member said, latest first."""
    found = consent_record.alias()
    return Rows(found, (found.c.member_id == row.c.member_id,), (by("recorded_at", descending=True),))


def language(row: Row) -> ColumnElement[Any]:
    """The member's language."""
    spoken: ColumnElement[Any] = row.c.locale
    return spoken
