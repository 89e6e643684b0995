"""People, tools and their doings: members and their sessions, staff, OAuth clients, the audit record."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, Uuid, and_, func, literal, null, select

from cdp.access.issuer.tables import oauth_client
from cdp.access.tables import audit_record, invite, login_session, member, membership, staff
from cdp.access.viewer import Member, Role
from cdp.db.ids import typed_id
from cdp.graph.compiler import Arguments, MemberParameters
from cdp.graph.declaration import Inline, Row, Rows, by

IDLE: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(hours=12)
INVITE_LASTS: Final = timedelta(hours=72)


def clients(_row: Row | None, _arguments: Arguments) -> Rows:
    """Every OAuth client."""
    return Rows(oauth_client.alias())


def client_by_id(_row: Row | None, arguments: Arguments) -> Rows:
    """The OAuth client with this id."""
    found = oauth_client.alias()
    return Rows(found, (found.c.client_id == arguments.bind("clientId", Text()),))


def client_of(_row: Row | None, arguments: Arguments) -> Rows:
    """The OAuth client of a payload."""
    found = oauth_client.alias()
    return Rows(found, (found.c.client_id == arguments.of_source("client_id", Text()),))


def members(_row: Row | None, _arguments: Arguments) -> Rows:
    """Every member."""
    return Rows(member.alias())


def member_of(_row: Row | None, arguments: Arguments) -> Rows:
    """The member of a payload."""
    found = member.alias()
    return Rows(found, (found.c.member_id == arguments.of_source("member_id", Uuid()),))


def memberships(row: Row, _arguments: Arguments) -> Rows:
    """Where a member belongs to."""
    found = membership.alias()
    return Rows(found, (found.c.member_id == row.c.member_id,))


def account_id(row: Row) -> ColumnElement[str]:
    """The typed id of a row's account."""
    return typed_id("acc", row.c.account_id)


def sessions(row: Row, _arguments: Arguments) -> Rows:
    """A member's sessions that are not over."""
    found = login_session.alias()
    lives = and_(found.c.last_seen_at >= func.now() - IDLE, found.c.created_at >= func.now() - LONGEST)
    return Rows(found, (found.c.member_id == row.c.member_id, lives), (by("created_at", descending=True),))


def session_name(row: Row) -> ColumnElement[str]:
    """What names a session and opens nothing: the hash of its cookie's hash."""
    name: ColumnElement[str] = func.encode(func.sha256(row.c.session_hash), "hex")
    return name


def staff_people(_row: Row | None, _arguments: Arguments) -> Rows:
    """Everybody of the staff."""
    return Rows(staff.alias())


def staff_person_of(_row: Row | None, arguments: Arguments) -> Rows:
    """The person of a payload."""
    found = staff.alias()
    return Rows(found, (found.c.staff_id == arguments.of_source("staff_id", Uuid()),))


def deputy_of(row: Row, _arguments: Arguments) -> Rows:
    """Who stands in for somebody of the staff."""
    found = staff.alias()
    return Rows(found, (found.c.staff_id == row.c.deputy_staff_id,))


def records(_row: Row | None, _arguments: Arguments) -> Rows:
    """The audit record."""
    return Rows(audit_record.alias())


def is_own_record(row: Row, me: MemberParameters) -> ColumnElement[bool]:
    """A client admin sees what is on record of the account they are signed in to; other members nothing."""
    return and_(row.c.account_id == me.account_id, me.role == literal(Role.CLIENT_ADMIN.value))


def person(row: Row, arguments: Arguments) -> Inline:
    """Who acted, by name. A client admin is told names of records of their account only, by the database."""
    if isinstance(arguments.compiler.viewer, Member):
        name: ColumnElement[Any] = func.audit_actor_name(row.c.audit_id)
    else:
        names = [
            select(each.c.name).where(each.c.subject == row.c.actor).limit(1).correlate(row).scalar_subquery()
            for each in (member.alias(), staff.alias())
        ]
        name = func.coalesce(*names)
    return Inline({"name": name}, absent=name.is_(null()))


def people_of_account(row: Row, _arguments: Arguments) -> Rows:
    """Who belongs to an account, with their names."""
    person = member.alias()
    found = membership.alias()
    columns = (
        found.c.account_id,
        found.c.member_id,
        found.c.role,
        found.c.sites,
        found.c.created_at,
        found.c.last_signed_in_at,
        person.c.name,
        person.c.email,
        person.c.disabled_at,
    )
    people = select(*columns).join(person, person.c.member_id == found.c.member_id).subquery()
    return Rows(people, (people.c.account_id == row.c.account_id,))


def open_invites_of_account(row: Row, _arguments: Arguments) -> Rows:
    """Invitations into an account that can still be accepted."""
    found = invite.alias()
    is_open = and_(found.c.accepted_at.is_(None), found.c.created_at >= func.now() - INVITE_LASTS)
    return Rows(found, (found.c.account_id == row.c.account_id, is_open))


def expires_at(row: Row) -> ColumnElement[Any]:
    """When an invitation is good no more."""
    over: ColumnElement[Any] = row.c.created_at + INVITE_LASTS
    return over
